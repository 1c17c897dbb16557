import assert from 'node:assert/strict';
import { tlsReason } from '../../../src/core/image/tls-reason';
import { connectionReason } from '../../../src/core/image/transport';

const SERVER = { host: 'r.io:5000', registry: 'r.io:5000', isInsecure: false, hasSeenOurs: false };
const PLACE =
	'put it and its key as "r.io:5000/client.cert" and "r.io:5000/client.key" into a folder of "certificates" in ' +
	'registries.json (VS Code: mydocker.registries.certificates)';

function failure(code: string, message: string, more: object = {}): Error {
	return Object.assign(new Error(message), { code }, more);
}

function alert(code: string, number: number, reason: string): Error {
	const frame = `error:0A00045C:SSL routines:ssl3_read_bytes:${reason}:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918`;
	return failure(code, `write ${code} 408D8B1A447F0000:${frame}:SSL alert number ${number}\n`);
}

describe('reasons of TLS', () => {
	const plain = failure(
		'EPROTO',
		'write EPROTO 408D:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/x.c:77:\n',
	);

	it('plain HTTP: the setting, where it is of use', () => {
		assert.equal(
			tlsReason(plain, SERVER),
			'it speaks plain HTTP, not https; to allow that, add "r.io:5000" to "insecure" in registries.json ' +
				'(VS Code: mydocker.registries.insecure)',
		);
		for (const server of [undefined, { ...SERVER, isInsecure: true }]) {
			assert.equal(tlsReason(plain, server), 'it speaks plain HTTP, not https');
		}
	});

	it('authorities that nobody knows: what to do, and no option of Node', () => {
		for (const code of [
			'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
			'SELF_SIGNED_CERT_IN_CHAIN',
			'DEPTH_ZERO_SELF_SIGNED_CERT',
			'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
		]) {
			assert.equal(
				tlsReason(failure(code, 'x; try running Node.js with --use-system-ca'), SERVER),
				"its certificate is signed by nobody who is trusted here: put the signer's certificate as " +
					'"r.io:5000/ca.crt" into a folder of "certificates" in registries.json ' +
					'(VS Code: mydocker.registries.certificates)',
			);
		}
	});

	it('certificates of another time or name', () => {
		const cert = { subjectaltname: 'DNS:a.io, DNS:b.io' };
		const name = failure('ERR_TLS_CERT_ALTNAME_INVALID', '', { host: 'r.io', cert });
		assert.deepEqual(
			[name, failure('CERT_HAS_EXPIRED', ''), failure('CERT_NOT_YET_VALID', '')].map((each) => tlsReason(each)),
			[
				'its certificate is for DNS:a.io, DNS:b.io, not for "r.io"',
				"its certificate has expired, or this machine's clock is wrong",
				"its certificate is not valid yet, or this machine's clock is wrong",
			],
		);
	});

	it('client certificates: wanted, not accepted, not usable', () => {
		const required = alert('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 116, 'tlsv13 alert certificate required');
		const handshake = alert('EPROTO', 40, 'ssl/tls alert handshake failure');
		const unknown = alert('EPROTO', 48, 'tlsv1 alert unknown ca');
		const mismatch = failure(
			'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
			'error:05800074:x509 certificate routines::key values mismatch',
		);
		const shown = { ...SERVER, hasSeenOurs: true };
		assert.deepEqual(
			[
				tlsReason(required, SERVER),
				tlsReason(handshake, SERVER),
				tlsReason(unknown, shown),
				tlsReason(handshake, shown),
				tlsReason(mismatch, shown),
			],
			[
				`it wants a client certificate: ${PLACE}`,
				`it refuses the handshake, most likely because it wants a client certificate: ${PLACE}`,
				'it does not accept our client certificate: tlsv1 alert unknown ca',
				'ssl/tls alert handshake failure',
				'the client certificate and key for it cannot be used: key values mismatch',
			],
		);
	});

	it("of OpenSSL's other errors the reason alone, of all errors one line", () => {
		const protocol = alert('EPROTO', 70, 'tlsv1 alert protocol version');
		assert.equal(connectionReason(protocol, SERVER), 'tlsv1 alert protocol version');
		assert.equal(connectionReason(new Error('a\nb')), 'a b');
		assert.equal(tlsReason(failure('ECONNREFUSED', 'x'), SERVER), undefined);
	});
});
