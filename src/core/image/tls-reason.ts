/** What errors of TLS mean to a person. Node gives OpenSSL's words, with its functions, and with options of Node itself. */
import { messageOf, systemCode } from '../errors';

/** What is known of a server, so that the reason can say what to do. */
export interface TlsServer {
	/** As in its address, with the port. */
	readonly host: string;
	/** The registry that it is, or works for: its folder of certificates. */
	readonly registry: string;
	/** Plain HTTP is allowed already. */
	readonly isInsecure: boolean;
	/** It has been shown a certificate of ours. */
	readonly hasSeenOurs: boolean;
}

const UNKNOWN_AUTHORITY =
	/^(?:UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED)/;
const PLAIN_TEXT = /wrong version number|packet length too long/;
const CERTIFICATES = '"certificates" in registries.json (VS Code: mydocker.registries.certificates)';
const INSECURE = '"insecure" in registries.json (VS Code: mydocker.registries.insecure)';
/** Alerts about the other side's certificate (RFC 8446, 6.2): bad, unsupported, revoked, expired, …, required. */
const ABOUT_CERTIFICATE = [42, 43, 44, 45, 46, 48, 49, 116];
const HANDSHAKE_FAILURE = 40;
/** Characters of a certificate's names in a message. */
const MOST_NAMES = 200;

/** Whether nobody who is trusted has signed the server's certificate. */
export function isUnknownAuthority(error: unknown): boolean {
	return UNKNOWN_AUTHORITY.test(systemCode(error) ?? '');
}

/** Whether the server answered a handshake with something else than TLS. */
export function isPlainText(error: unknown): boolean {
	return isOpenSsl(error) && PLAIN_TEXT.test(openSslReason(error));
}

/** Why TLS failed and what to do, in one line; undefined for any other error. `server` is left out for a proxy. */
export function tlsReason(error: unknown, server?: TlsServer): string | undefined {
	if (isOpenSsl(error)) {
		return handshakeReason(error, server);
	}
	if (isUnknownAuthority(error)) {
		const reason = 'its certificate is signed by nobody who is trusted here';
		const file = `"${server?.registry ?? ''}/ca.crt"`;
		return server ? `${reason}: put the signer's certificate as ${file} into a folder of ${CERTIFICATES}` : reason;
	}
	switch (systemCode(error)) {
		case 'CERT_HAS_EXPIRED':
			return "its certificate has expired, or this machine's clock is wrong";
		case 'CERT_NOT_YET_VALID':
			return "its certificate is not valid yet, or this machine's clock is wrong";
		case 'ERR_TLS_CERT_ALTNAME_INVALID':
			return otherName(error as NameError);
		default:
			return undefined;
	}
}

/** What Node adds to ERR_TLS_CERT_ALTNAME_INVALID. */
interface NameError extends Error {
	readonly host?: string;
	readonly cert?: { readonly subjectaltname?: string };
}

function otherName({ host = '', cert }: NameError): string {
	const names = cert?.subjectaltname?.slice(0, MOST_NAMES) ?? '';
	return names === '' ? `its certificate is not for "${host}"` : `its certificate is for ${names}, not for "${host}"`;
}

/** Of a handshake, or of a certificate and key of ours that OpenSSL does not take. */
function handshakeReason(error: Error, server: TlsServer | undefined): string {
	const reason = openSslReason(error);
	if (isPlainText(error)) {
		return !server || server.isInsecure
			? 'it speaks plain HTTP, not https'
			: `it speaks plain HTTP, not https; to allow that, add "${server.host}" to ${INSECURE}`;
	}
	if (systemCode(error)?.startsWith('ERR_OSSL_')) {
		return `the client certificate and key for it cannot be used: ${reason}`;
	}
	const alert = Number(/SSL alert number (\d+)/.exec(error.message)?.[1]);
	const isAboutCertificate = ABOUT_CERTIFICATE.includes(alert);
	if (!server || (!isAboutCertificate && alert !== HANDSHAKE_FAILURE)) {
		return reason;
	}
	if (server.hasSeenOurs) {
		return isAboutCertificate ? `it does not accept our client certificate: ${reason}` : reason;
	}
	const files = `"${server.registry}/client.cert" and "${server.registry}/client.key"`;
	const place = `put it and its key as ${files} into a folder of ${CERTIFICATES}`;
	return isAboutCertificate
		? `it wants a client certificate: ${place}`
		: `it refuses the handshake, most likely because it wants a client certificate: ${place}`;
}

function isOpenSsl(error: unknown): error is Error {
	return /^(?:EPROTO$|ERR_SSL_|ERR_OSSL_)/.test(systemCode(error) ?? '');
}

/**
 * The reason out of OpenSSL's "[thread:]error:0A00010B:SSL routines:function:reason:file:line:…". Node has it beside the
 * text for some errors only, so this reads another program's text.
 */
export function openSslReason(error: unknown): string {
	const text = messageOf(error);
	const [, reason = text] = /error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/i.exec(text) ?? [];
	return reason.replace(/\s+/g, ' ').trim();
}
