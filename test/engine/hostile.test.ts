import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as path from 'node:path';
import * as zlib from 'node:zlib';
import { ApiError } from '../../src/api/client';
import { RegistryServer } from '../unit/image/registry-server';
import { archiveOf, digestOf, type Entry } from './archive';
import { embeddedEngine, enginePid, type EngineProcess } from './subject';
import { readOr, until, Workspace } from './workspace';

const OCI = 'application/vnd.oci.image';
const MANIFEST = `${OCI}.manifest.v1+json`;
const INDEX = `${OCI}.index.v1+json`;
const PASSWORD = 'hunter2-secret';
/** Bytes of memory that the engine may ever have had. */
const MOST_MEMORY = 300 * 1024 * 1024;
const good = archiveOf([{ name: 'good', content: 'good' }]);
const megabytes = (count: number): Buffer => Buffer.alloc(count * 1024 * 1024);

/** What a hostile registry does, and what becomes of it. */
interface Case {
	readonly name: string;
	readonly serve: (registry: Hostile) => void;
	/** The reason in the error; none when the pull may succeed, with all that it writes inside of the store. */
	readonly reason?: RegExp;
	/** It leads nobody elsewhere: the other server must not even be asked. */
	readonly isAlone?: boolean;
}

class Hostile extends RegistryServer {
	/** Where it wants to lead clients to. */
	other = '';

	layer(...entries: readonly Entry[]): void {
		this.putImage([archiveOf(entries)]);
	}

	/** An image whose one layer is this blob, whatever it is. */
	blob(blob: Buffer, diffId = digestOf(good), layer: object = {}): void {
		this.manifest({ layers: [{ mediaType: `${OCI}.layer.v1.tar+gzip`, ...this.putBlob(blob), ...layer }] }, [
			diffId,
		]);
	}

	/** An image of `good` with other members of its manifest. */
	manifest(members: object, diffIds: readonly string[] = [digestOf(good)], type = MANIFEST): void {
		const config = this.configuration({ rootfs: { type: 'layers', diff_ids: diffIds } });
		const layers = [{ mediaType: `${OCI}.layer.v1.tar+gzip`, ...this.putBlob(zlib.gzipSync(good)) }];
		this.putManifest({ schemaVersion: 2, mediaType: MANIFEST, config, layers, ...members }, type, 'latest');
	}

	configuration(members: object): object {
		const rootfs = { type: 'layers', diff_ids: [digestOf(good)] };
		const bytes = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs, ...members }));
		return { mediaType: `${OCI}.config.v1+json`, ...this.putBlob(bytes) };
	}

	/** Answers requests for manifests or blobs of a good image in another way. */
	answer(
		kind: 'manifests' | 'blobs',
		how: (response: ServerResponse, request: IncomingMessage, body: Buffer) => void,
	): void {
		this.putImage([good]);
		this.handler = (request, response) => {
			const [, found = '', digest = ''] = /\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
			const body = this.blobs.get(digest);
			// The configuration comes as it is: layers are what is large.
			if (found !== kind || (kind === 'blobs' && body?.[0] !== 0x1f)) {
				return false;
			}
			how(response, request, body ?? Buffer.from('{}'));
			return true;
		};
	}
}

const hostileArchives: readonly Case[] = [
	{
		name: 'a name with ..',
		serve: (r) => {
			r.layer({ name: '../../evil', content: 'x' });
		},
		reason: /leaves the layer/,
	},
	{
		name: 'a name with .. further on',
		serve: (r) => {
			r.layer({ name: 'a/../../evil', content: 'x' });
		},
		reason: /leaves the layer/,
	},
	{
		name: 'an absolute name',
		serve: (r) => {
			r.layer({ name: '/tmp/mydocker-evil', content: 'x' });
		},
	},
	{
		name: 'an absolute name with ..',
		serve: (r) => {
			r.layer({ name: '/../../tmp/mydocker-evil', content: 'x' });
		},
		reason: /leaves the layer/,
	},
	{
		name: 'a file behind a symlink to /',
		serve: (r) => {
			r.layer({ name: 'link', type: 'symlink', target: '/' }, { name: 'link/tmp/mydocker-evil', content: 'x' });
		},
	},
	{
		name: 'a file behind a chain of symlinks',
		serve: (r) => {
			r.layer(
				{ name: 'a', type: 'symlink', target: 'b' },
				{ name: 'b', type: 'symlink', target: '../../../..' },
				{ name: 'a/tmp/mydocker-evil', content: 'x' },
			);
		},
	},
	{
		name: 'a symlink that becomes a folder',
		serve: (r) => {
			r.layer(
				{ name: 'd', type: 'symlink', target: '/tmp' },
				{ name: 'd/', type: 'directory' },
				{ name: 'd/mydocker-evil', content: 'x' },
			);
		},
	},
	{
		name: 'a file in the place of a symlink',
		serve: (r) => {
			r.layer({ name: 'f', type: 'symlink', target: '/tmp/mydocker-evil' }, { name: 'f', content: 'x' });
		},
	},
	{
		name: 'symlinks in a circle',
		serve: (r) => {
			r.layer(
				{ name: 'a', type: 'symlink', target: 'b' },
				{ name: 'b', type: 'symlink', target: 'a' },
				{ name: 'a/x', content: 'x' },
			);
		},
		reason: /links|loop|circle/i,
	},
	{
		name: 'a hard link with ..',
		serve: (r) => {
			r.layer({ name: 'h', type: 'hardlink', target: '../../../../etc/passwd' });
		},
		reason: /leaves the layer|is not|no such|missing/,
	},
	{
		name: 'a hard link to an absolute name',
		serve: (r) => {
			r.layer({ name: 'h', type: 'hardlink', target: '/etc/passwd' });
		},
		reason: /etc\/passwd/,
	},
	{
		name: 'a hard link through a symlink',
		serve: (r) => {
			r.layer(
				{ name: 'l', type: 'symlink', target: '/etc' },
				{ name: 'h', type: 'hardlink', target: 'l/passwd' },
			);
		},
		reason: /passwd/,
	},
	{
		name: 'a hard link to a folder',
		serve: (r) => {
			r.layer({ name: 'd/', type: 'directory' }, { name: 'h', type: 'hardlink', target: 'd' });
		},
		reason: /"?d"?/,
	},
	{
		name: 'a name with NUL',
		serve: (r) => {
			r.layer({ name: `${'n'.repeat(120)}\0/../../evil`, content: 'x' });
		},
		reason: /NUL|name/,
	},
	{
		name: 'a name of 300 letters',
		serve: (r) => {
			r.layer({ name: 'n'.repeat(300), content: 'x' });
		},
		reason: /name|long/i,
	},
	{
		name: 'a path of 5000 letters',
		serve: (r) => {
			r.layer({ name: 'dir/'.repeat(1250) + 'x', content: 'x' });
		},
		reason: /name|long|path/i,
	},
	{
		name: 'a whiteout of nothing',
		serve: (r) => {
			r.layer({ name: '.wh.' });
		},
		reason: /\.wh\./,
	},
	{
		name: 'a whiteout of ..',
		serve: (r) => {
			r.layer({ name: 'a/.wh...' });
		},
		reason: /\.wh\.\.\./,
	},
	{
		name: 'a whiteout of .',
		serve: (r) => {
			r.layer({ name: 'a/.wh..' });
		},
		reason: /\.wh\.\./,
	},
	{
		name: 'a whiteout behind a symlink to /',
		serve: (r) => {
			r.layer({ name: 'l', type: 'symlink', target: '/' }, { name: 'l/.wh.etc' });
		},
	},
	{
		name: 'the attributes of an overlay',
		serve: (r) => {
			r.layer({
				name: 'd/',
				type: 'directory',
				attributes: {
					'trusted.overlay.redirect': Buffer.from('/etc'),
					'trusted.overlay.opaque': Buffer.from('y'),
				},
			});
		},
	},
	{
		name: 'a symlink in the place of the root',
		serve: (r) => {
			r.layer({ name: './', type: 'symlink', target: '/tmp' }, { name: 'mydocker-evil', content: 'x' });
		},
	},
	{
		name: 'a hard link through a chain of symlinks',
		serve: (r) => {
			r.layer(
				{ name: 'a/b/', type: 'directory' },
				{ name: 'c', type: 'symlink', target: 'a/b' },
				{ name: 'a/b/up', type: 'symlink', target: '../../../../../../..' },
				{ name: 'h', type: 'hardlink', target: 'c/up/etc/passwd' },
			);
		},
		reason: /link/,
	},
	{
		name: 'a file in the place of a folder with content, and one below it',
		serve: (r) => {
			r.layer({ name: 'd/e', content: 'x' }, { name: 'd', content: 'y' }, { name: 'd/f', content: 'z' });
		},
	},
	{
		name: 'two thousand folders in each other',
		serve: (r) => {
			r.layer({ name: `${'d/'.repeat(2000)}x`, content: 'x' });
		},
	},
	{
		name: 'a FIFO that looks like a whiteout',
		serve: (r) => {
			r.layer({ name: 'etc', type: 'fifo', mode: 0, time: 0 });
		},
	},
	{
		name: 'a device that looks like a whiteout',
		serve: (r) => {
			r.layer({ name: 'etc', type: 'character', device: [0, 0] });
		},
	},
	{
		name: 'escapes for the terminal in a name',
		serve: (r) => {
			r.layer({ name: '../\u001b]0;evil\u0007\u001b[2J', content: 'x' });
		},
		reason: /leaves the layer/,
	},
	{
		name: 'an archive that ends early',
		serve: (r) => {
			r.putImage([archiveOf([{ name: 'x', content: 'y'.repeat(2000) }]).subarray(0, 1000)]);
		},
		reason: /ends/,
	},
	{
		name: 'an archive that is none',
		serve: (r) => {
			r.putImage([Buffer.alloc(4096, 'x')]);
		},
		reason: /checksum|archive|header/,
	},
];

const bombs: readonly Case[] = [
	{
		name: 'a gigabyte of zeros in a megabyte',
		serve: (r) => {
			r.blob(Buffer.concat(Array<Buffer>(18).fill(zlib.gzipSync(megabytes(64)))));
		},
		reason: /unpacks to more than 1073741824 bytes/,
	},
	{
		name: 'metadata of a gigabyte',
		serve: (r) => {
			const header = Buffer.from(archiveOf([{ name: 'x', content: '' }]).subarray(0, 512));
			header.write('10000000000\0', 124);
			r.blob(zlib.gzipSync(Buffer.concat([retyped(header), megabytes(4)])));
		},
		reason: /metadata|header|more than/i,
	},
	{
		name: 'a gigabyte of zeros in zstd',
		serve: (r) => {
			const frames = Buffer.concat(Array<Buffer>(18).fill(zlib.zstdCompressSync(megabytes(64))));
			r.blob(frames, digestOf(good), { mediaType: `${OCI}.layer.v1.tar+zstd` });
		},
		reason: /unpacks to more than 1073741824 bytes/,
	},
	{
		name: 'zstd that wants two gigabytes of memory',
		serve: (r) => {
			// RFC 8878: magic number, no flags, window of 2^31 bytes, one last block of 1000 equal bytes.
			const frame = Buffer.from('28b52ffd00a8431f0000', 'hex');
			r.blob(frame, digestOf(good), { mediaType: `${OCI}.layer.v1.tar+zstd` });
		},
		reason: /damaged|compress|memory|window/i,
	},
	{
		name: 'a file of an exabyte that is all hole',
		serve: (r) => {
			const size = String(2 ** 60);
			const sparse = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': size };
			r.putImage([withPax(sparse, { name: 'hole', content: Buffer.from('0\n'.padEnd(512, '\0')) })]);
		},
		reason: /sparse|size|large|more than/i,
	},
	{
		name: 'a file whose metadata says a negative size',
		serve: (r) => {
			r.putImage([withPax({ size: '-1024' }, { name: 'x', content: 'x' })]);
		},
		reason: /size|header|metadata/i,
	},
	{
		name: 'a manifest of 5 MB',
		serve: (r) => {
			r.manifest({ annotations: { a: 'x'.repeat(5 << 20) } });
		},
		reason: /larger than 4194304 bytes/,
	},
	{
		name: 'an endless manifest',
		serve: (r) => {
			r.answer('manifests', (response) => {
				endless(response);
			});
		},
		reason: /larger than/,
	},
	{
		name: 'a configuration that says it is large',
		serve: (r) => {
			r.manifest({ config: { mediaType: `${OCI}.config.v1+json`, digest: digestOf(good), size: 2 ** 40 } });
		},
		reason: /configuration is larger/,
	},
	{
		name: 'an endless explanation',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.writeHead(403);
				endless(response);
			});
		},
		reason: /denied|403/,
	},
	{
		name: '200 layers',
		serve: (r) => {
			const layer = { mediaType: `${OCI}.layer.v1.tar`, ...r.putBlob(good) };
			r.manifest({ layers: Array(200).fill(layer) });
		},
		reason: /layers/,
	},
	{
		name: 'an index of 20 000 entries',
		serve: (r) => {
			r.putManifest(
				{
					schemaVersion: 2,
					mediaType: INDEX,
					manifests: Array(20_000).fill({ mediaType: MANIFEST, digest: digestOf(good), size: 1 }),
				},
				INDEX,
				'latest',
			);
		},
		reason: /manifests/,
	},
	{
		name: 'JSON in a hundred thousand brackets',
		serve: (r) => {
			r.manifests.set('latest', {
				type: MANIFEST,
				bytes: Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)),
			});
		},
		reason: /manifest|JSON/,
	},
	{
		name: 'headers of a megabyte',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.socket?.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1 << 20)}\r\n\r\n`);
			});
		},
		reason: /does not answer/,
	},
	{
		name: 'a token of 2 MB',
		serve: (r) => {
			r.handler = (request, response) => {
				if (request.url?.startsWith('/token') === true) {
					response.end(JSON.stringify({ token: 'x'.repeat(2 << 20) }));
				} else {
					response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${r.host}/token"` }).end();
				}
				return true;
			};
		},
		reason: /token service/,
	},
];

const lies: readonly Case[] = [
	{
		name: 'a layer of another digest',
		serve: (r) => {
			r.answer('blobs', (response, _, body) => {
				response.end(Buffer.concat([body.subarray(0, -1), Buffer.from('x')]));
			});
		},
		reason: /digest|damaged/,
	},
	{
		name: 'a layer that is longer than it says',
		serve: (r) => {
			r.answer('blobs', (response, _, body) => {
				response.end(Buffer.concat([body, body]));
			});
		},
		reason: /larger than/,
	},
	{
		name: 'a layer that never comes whole',
		serve: (r) => {
			r.answer('blobs', (response) => {
				response.end(Buffer.from('1f8b', 'hex'));
			});
		},
		reason: /in the middle of blob/,
	},
	{
		name: 'a layer with an address of its own',
		serve: (r) => {
			const digest = digestOf(Buffer.from('elsewhere'));
			const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
			r.manifest({ layers: [{ mediaType, digest, size: 100, urls: [`http://${r.other}/steal`] }] });
		},
		reason: /unknown|not found/,
		isAlone: true,
	},
	{
		name: 'one layer with two sizes',
		serve: (r) => {
			const layer = { mediaType: `${OCI}.layer.v1.tar+gzip`, ...r.putBlob(zlib.gzipSync(good)) };
			r.manifest({ layers: [layer, { ...layer, size: layer.size + 1 }] }, [
				digestOf(good),
				digestOf(Buffer.from('other')),
			]);
		},
		reason: /bytes|size|in the middle of blob/,
	},
	{
		name: 'a header with the digest of another manifest',
		serve: (r) => {
			r.putImage([good]);
			r.handler = (_request, response) => {
				response.setHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`);
				return false;
			};
		},
	},
	{
		name: 'a layer of negative size',
		serve: (r) => {
			r.blob(good, undefined, { size: -1 });
		},
		reason: /size/,
	},
	{
		name: 'a layer of 2^60 bytes',
		serve: (r) => {
			r.blob(good, undefined, { size: 2 ** 60 });
		},
		reason: /size/,
	},
	{
		name: 'a digest that is a path',
		serve: (r) => {
			r.blob(good, undefined, { digest: 'sha256:../../../../etc/passwd' });
		},
		reason: /digest/,
	},
	{
		name: 'a digest of an unknown kind',
		serve: (r) => {
			r.blob(good, undefined, { digest: `md5:${'0'.repeat(32)}` });
		},
		reason: /digest/,
	},
	{
		name: 'another content than the configuration says',
		serve: (r) => {
			r.blob(zlib.gzipSync(good), `sha256:${'0'.repeat(64)}`);
		},
		reason: /should have/,
	},
	{
		name: 'more layers than the configuration says',
		serve: (r) => {
			r.manifest({}, []);
		},
		reason: /layers/,
	},
	{
		name: 'a path among the DiffIDs',
		serve: (r) => {
			r.manifest({}, ['../../../evil']);
		},
		reason: /diff_ids/,
	},
	{
		name: 'a manifest with layers and manifests',
		serve: (r) => {
			r.manifest({ manifests: [] });
		},
		reason: /both/,
	},
	{
		name: 'a manifest that is sent as an index',
		serve: (r) => {
			r.manifest({}, undefined, INDEX);
		},
		reason: /calls itself/,
	},
	{
		name: 'an artifact',
		serve: (r) => {
			r.manifest({
				config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', ...r.putBlob(Buffer.from('{}')) },
			});
		},
		reason: /artifact/,
	},
	{
		name: 'schema 1',
		serve: (r) => {
			r.putManifest(
				{ schemaVersion: 1, name: 'x', fsLayers: [] },
				'application/vnd.docker.distribution.manifest.v1+prettyjws',
				'latest',
			);
		},
		reason: /schema 1/,
	},
	{
		name: 'a configuration that is no JSON',
		serve: (r) => {
			r.manifest({ config: { mediaType: `${OCI}.config.v1+json`, ...r.putBlob(Buffer.from('<html>')) } });
		},
		reason: /JSON/,
	},
	{
		name: 'an image for Windows',
		serve: (r) => {
			r.manifest({ config: r.configuration({ os: 'windows' }) });
		},
		reason: /windows/,
	},
	{
		name: 'members called __proto__',
		serve: (r) => {
			r.manifests.set('latest', {
				type: MANIFEST,
				bytes: Buffer.from('{"schemaVersion":2,"__proto__":{"layers":[]},"config":{}}'),
			});
		},
		reason: /manifest/,
	},
	{
		name: 'indexes in indexes',
		serve: (r) => {
			const platform = { os: 'linux', architecture: 'amd64' };
			let bytes = Buffer.from('{}');
			for (let depth = 0; depth < 8; depth++) {
				const entry = { mediaType: INDEX, digest: digestOf(bytes), size: bytes.length, platform };
				const document = { schemaVersion: 2, mediaType: INDEX, manifests: [entry] };
				r.putManifest(document, INDEX, 'latest');
				bytes = Buffer.from(JSON.stringify(document));
			}
		},
		reason: /too deep/,
	},
	{
		name: 'an index that leads to itself',
		serve: (r) => {
			const platform = { os: 'linux', architecture: 'amd64' };
			const bytes = Buffer.from(
				JSON.stringify({
					schemaVersion: 2,
					mediaType: INDEX,
					manifests: [{ mediaType: INDEX, digest: digestOf(good), size: 1, platform }],
				}),
			);
			r.manifests.set('latest', { type: INDEX, bytes }).set(digestOf(good), { type: INDEX, bytes });
		},
		reason: /digest/,
	},
	{
		name: 'damaged gzip',
		serve: (r) => {
			r.blob(Buffer.concat([zlib.gzipSync(good).subarray(0, 30), Buffer.alloc(100, 0xff)]));
		},
		reason: /damaged|compress/,
	},
	{
		name: 'something behind gzip',
		serve: (r) => {
			r.blob(Buffer.concat([zlib.gzipSync(good), Buffer.from('junk behind the end')]));
		},
		reason: /damaged|follows/,
	},
	{
		name: 'xz',
		serve: (r) => {
			r.blob(Buffer.concat([Buffer.from('fd377a585a0000', 'hex'), Buffer.alloc(100)]));
		},
		reason: /xz/,
	},
	{
		name: 'zstd that is none',
		serve: (r) => {
			r.blob(Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(100, 0xff)]));
		},
		reason: /damaged|zstd/,
	},
	{
		name: 'escapes for the terminal in a media type',
		serve: (r) => {
			r.manifest({ config: { mediaType: '\u001b[2J\u009b31m', ...r.putBlob(Buffer.from('{}')) } });
		},
		reason: /artifact/,
	},
	{
		name: 'escapes for the terminal in an explanation',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response
					.writeHead(403)
					.end(JSON.stringify({ errors: [{ code: 'X', message: '\u001b]52;c;evil\u0007' }] }));
			});
		},
		reason: /evil/,
	},
	{
		name: 'escapes for the terminal in labels',
		serve: (r) => {
			r.manifest({ config: r.configuration({ config: { Labels: { '\u001b[2J': '\u001b[31m' } } }) });
		},
	},
];

const servers: readonly Case[] = [
	{
		name: 'no answer',
		serve: (r) => {
			r.answer('manifests', () => undefined);
		},
		reason: /no byte for 1 seconds/,
	},
	{
		name: 'half a layer, then nothing',
		serve: (r) => {
			r.answer('blobs', (response, _, body) => {
				response.writeHead(200, { 'content-length': body.length }).write(body.subarray(0, 20));
			});
		},
		reason: /in the middle of blob/,
	},
	{
		name: 'a manifest that trickles',
		serve: (r) => {
			r.answer('manifests', (response) => {
				trickle(response);
			});
		},
		reason: /in the middle of its answer: no byte/,
	},
	{
		name: 'a connection that breaks',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.destroy();
			});
		},
		reason: /does not answer/,
	},
	{
		name: 'redirects in a circle',
		serve: (r) => {
			r.answer('manifests', (response, request) => {
				response.writeHead(307, { location: request.url ?? '' }).end();
			});
		},
		reason: /redirects more than/,
	},
	{
		name: 'a redirect to a file',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.writeHead(307, { location: 'file:///etc/passwd' }).end();
			});
		},
		reason: /not https/,
	},
	{
		name: 'a redirect to plain HTTP elsewhere',
		serve: (r) => {
			r.answer('blobs', (response) => {
				response.writeHead(307, { location: 'http://192.0.2.1/blob' }).end();
			});
		},
		reason: /not https/,
	},
	{
		name: 'a redirect to the metadata service',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
			});
		},
		reason: /not https/,
	},
	{
		name: 'a redirect with escapes for the terminal',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.writeHead(302, { location: 'gopher://x/%1b[2J' }).end();
			});
		},
		reason: /not https/,
	},
	{
		name: 'a redirect to a server that asks for the password',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.writeHead(307, { location: `http://${r.other}/steal` }).end();
			});
		},
		reason: /unauthorized|denied/,
	},
	{
		name: 'a redirect behind the login',
		serve: (r) => {
			r.putImage([good]);
			r.handler = (request, response) => {
				if (request.headers.authorization === undefined) {
					response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
				} else {
					response.writeHead(307, { location: `http://${r.other}/steal` }).end();
				}
				return true;
			};
		},
		reason: /unauthorized|denied/,
	},
	{
		name: 'a token service without encryption elsewhere',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response
					.writeHead(401, { 'www-authenticate': 'Bearer realm="http://192.0.2.1/token",service="x"' })
					.end();
			});
		},
		reason: /not reached over https/,
	},
	{
		name: 'a login that is never enough',
		serve: (r) => {
			r.answer('manifests', (response) => {
				response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
			});
		},
		reason: /unauthorized|denied/,
	},
	{
		name: 'a token service that redirects',
		serve: (r) => {
			r.handler = (request, response) => {
				if (request.url?.startsWith('/token') === true) {
					response.writeHead(307, { location: `http://${r.other}/steal` }).end();
				} else {
					response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${r.host}/token"` }).end();
				}
				return true;
			};
		},
		reason: /token service/,
	},
];

describe('hostile registries', function () {
	this.timeout(60_000);
	const workspace = new Workspace('hostile');
	let engine: EngineProcess;
	let registry: Hostile;
	let other: RegistryServer;

	before(() => {
		engine = embeddedEngine(workspace);
		fs.mkdirSync(engine.root, { recursive: true, mode: 0o700 });
		fs.writeFileSync(path.join(engine.root, 'registries.json'), '{"timeout":1}');
	});

	after(() => workspace.dispose());

	beforeEach(async () => {
		[registry, other] = [new Hostile(), new RegistryServer()];
		await Promise.all([registry.listen(), other.listen()]);
		registry.other = other.host.replace('127.0.0.1', 'localhost');
		other.handler = (_, response) => {
			response.writeHead(401, { 'www-authenticate': 'Basic realm="give"' }).end();
			return true;
		};
	});

	afterEach(async () => {
		await Promise.all([registry.close(), other.close()]);
	});

	for (const [kind, cases] of Object.entries({ archives: hostileArchives, bombs, lies, servers })) {
		describe(kind, () => {
			for (const { name, serve, reason, isAlone } of cases) {
				it(name, async () => {
					serve(registry);
					await check(reason);
					assert.ok(isAlone !== true || other.requests.length === 0, 'the other server was asked');
				});
			}
		});
	}

	describe('afterwards', () => {
		it('memory stayed bounded', () => {
			const status = readOr(`/proc/${enginePid(engine.root) ?? 0}/status`, '');
			const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
			assert.ok(peak < MOST_MEMORY, `${Math.round(peak / 1024 / 1024)} MiB`);
		});
	});

	async function check(reason: RegExp | undefined): Promise<void> {
		const reference = `${registry.host}/evil/app:latest`;
		const failure = await failureOf(reference);
		if (reason !== undefined) {
			assert.ok(failure !== undefined, 'the pull succeeded');
		}
		if (failure !== undefined) {
			assert.match(failure.message, reason ?? /./);
			assert.notEqual(failure.code, 'internal', failure.message);
			assert.ok(failure.code !== undefined, `typed: ${failure.message}`);
			const isDockers = failure.message.startsWith('image operating system'); // its words name no image
			assert.ok(isDockers || failure.message.includes(registry.host), `names the image: ${failure.message}`);
			if (failure.code === 'unreachable') {
				dropParts();
			}
			assert.doesNotMatch(failure.message, /[\u0000-\u001f\u007f-\u009f]/);
			assert.ok(!failure.message.includes(PASSWORD));
		} else {
			await engine.client.images.remove(reference, { force: true });
		}
		await until('nothing is stored', () => stored().length === 0, 20_000).catch(() => undefined);
		assert.deepEqual(stored(), []);
		assert.ok(!fs.existsSync('/tmp/mydocker-evil') && !fs.existsSync(path.join(workspace.root, 'evil')));
		assert.deepEqual(
			other.authorizations.filter((header) => header !== ''),
			[],
		);
		assert.ok(!readOr(path.join(engine.root, 'engine.log'), '').includes(PASSWORD));
	}

	async function failureOf(reference: string): Promise<ApiError | undefined> {
		const auth = { username: 'me', password: PASSWORD };
		try {
			for await (const message of engine.client.images.pull(reference, { auth })) {
				assert.doesNotMatch(message.status ?? '', /[\u0000-\u001f\u007f-\u009f]/);
			}
			return undefined;
		} catch (error) {
			assert.ok(error instanceof ApiError, String(error));
			return error;
		}
	}

	/** What came before the connection broke may stay, for the next pull to go on with. */
	function dropParts(): void {
		const folder = path.join(engine.root, 'ingest');
		for (const name of fs.readdirSync(folder)) {
			assert.match(name, /^[a-f0-9]{64}$/);
			fs.rmSync(path.join(folder, name));
		}
	}

	/** All that a pull could have left. */
	function stored(): string[] {
		return ['blobs/sha256', 'layers', 'ingest', 'records'].flatMap((folder) =>
			fs
				.readdirSync(path.join(engine.root, folder))
				.filter((name) => !name.startsWith('network-'))
				.map((name) => `${folder}/${name}`),
		);
	}
});

/** The header as one of PAX records, with the right sum. */
function retyped(header: Buffer): Buffer {
	header.write('x', 156);
	header.fill(' ', 148, 156);
	const sum = header.reduce((total, byte) => total + byte, 0);
	header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
	return header;
}

/** An archive of one entry that these PAX records describe. */
function withPax(records: Readonly<Record<string, string>>, entry: Entry): Buffer {
	const lines = Object.entries(records).map(([name, value]) => {
		const rest = ` ${name}=${value}\n`;
		const digits = String(rest.length + String(rest.length + 2).length).length;
		return `${rest.length + digits}${rest}`;
	});
	const header = archiveOf([{ name: 'PaxHeaders/x', content: lines.join('') }]).subarray(0, -1024);
	return Buffer.concat([retyped(header.subarray(0, 512)), header.subarray(512), archiveOf([entry])]);
}

/** Sends until nobody listens any more. */
function endless(response: ServerResponse): void {
	const piece = Buffer.alloc(64 * 1024, 'x');
	const send = (): void => {
		while (!response.destroyed && response.write(piece)) {
			// The socket takes more.
		}
	};
	response.on('drain', send);
	send();
}

function trickle(response: ServerResponse): void {
	response.writeHead(200, { 'content-type': MANIFEST });
	const timer = setInterval(() => response.write(' '), 200);
	response.once('close', () => {
		clearInterval(timer);
	});
}
