/** The certificates that a person keeps for a registry, in folders as docker's certs.d. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { EngineError, systemCode } from '../errors';
import { namesIn, readSmallFile } from './small-file';
import { openSslReason } from './tls-reason';
import type { TransportOptions } from './transport';

const MAX_CERTIFICATE = 1024 * 1024;

/**
 * What is in <folder>/<host> of each folder: *.crt are authorities, <name>.cert with <name>.key is our own certificate.
 * They are checked here, where their files' names are known; OpenSSL would ignore an authority that is none, and say at
 * each connection what it dislikes without saying where. Throws EngineError "invalid".
 */
export function certificatesFor(
	host: string,
	folders: readonly string[],
): Pick<TransportOptions, 'authorities' | 'clientCertificate'> {
	if (!/^[A-Za-z0-9.:[\]-]+$/.test(host) || /^\.+$/.test(host)) {
		return {};
	}
	const found = folders.map((folder) => path.join(folder, host)).filter((folder) => fs.existsSync(folder));
	const authorities = found.flatMap((folder) => filesIn(folder, '.crt').map(readCertificate));
	const [own] = found.flatMap(clientCertificatesIn);
	return {
		...(authorities.length === 0 ? {} : { authorities }),
		...(own === undefined ? {} : { clientCertificate: { host, ...clientCertificate(own) } }),
	};
}

function filesIn(folder: string, extension: string): string[] {
	return namesIn(folder)
		.filter((name) => name.endsWith(extension))
		.map((name) => path.join(folder, name));
}

/** Our own certificates; each has its key. */
function clientCertificatesIn(folder: string): string[] {
	const [certificates, keys] = [filesIn(folder, '.cert'), filesIn(folder, '.key')];
	const lonely = certificates.find((file) => !keys.includes(keyOf(file)));
	if (lonely !== undefined) {
		const [name, key] = [path.basename(lonely), path.basename(keyOf(lonely))];
		throw unusable(folder, `missing key ${key} for client certificate ${name}`);
	}
	const key = keys.find((file) => !certificates.map(keyOf).includes(file));
	if (key !== undefined) {
		const name = path.basename(key);
		throw unusable(folder, `missing client certificate ${name.replace(/\.key$/, '.cert')} for key ${name}`);
	}
	return certificates;
}

function keyOf(certificate: string): string {
	return certificate.replace(/\.cert$/, '.key');
}

/** Docker's words are the reason. */
function unusable(folder: string, reason: string): EngineError {
	return new EngineError('invalid', `Cannot use certificates of "${folder}": ${reason}`);
}

function clientCertificate(file: string): { certificate: string; key: string } {
	const [certificate, key] = [readCertificate(file), readKey(keyOf(file))];
	try {
		tls.createSecureContext({ cert: certificate, key });
	} catch (error) {
		const isOther = systemCode(error) === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
		const reason = isOther ? `"${keyOf(file)}" is the key of another certificate` : openSslReason(error);
		throw new EngineError('invalid', `Cannot use client certificate "${file}": ${reason}`, { cause: error });
	}
	return { certificate, key };
}

function readCertificate(file: string): string {
	const text = readSmallFile(file, MAX_CERTIFICATE);
	try {
		new crypto.X509Certificate(text);
		return text;
	} catch (error) {
		const reason = 'it holds no certificate in PEM form';
		throw new EngineError('invalid', `Cannot use certificate "${file}": ${reason}`, { cause: error });
	}
}

function readKey(file: string): string {
	const text = readSmallFile(file, MAX_CERTIFICATE);
	try {
		crypto.createPrivateKey(text);
		return text;
	} catch (error) {
		// OpenSSL asks for a passphrase, and Node breaks that off.
		const isLocked = systemCode(error) === 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED';
		const reason = isLocked ? 'it wants a passphrase: keep it without one' : 'it holds no private key in PEM form';
		throw new EngineError('invalid', `Cannot use key "${file}": ${reason}`, { cause: error });
	}
}
