/** A registry in this process for tests of what a well-behaved registry does not do. */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as zlib from 'node:zlib';
import { digestOf } from '../../../src/core/image/manifest';

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

const OCI = 'application/vnd.oci.image';

/** Serves blobs and manifests by digest and tag, each in any repository. */
export class RegistryServer {
	readonly blobs = new Map<string, Buffer>();
	/** By tag or digest. */
	readonly manifests = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
	/** "GET /v2/…" of all requests. */
	readonly requests: string[] = [];
	/** The Authorization headers of all requests, "" where there was none. */
	readonly authorizations: string[] = [];
	/** Looks at a request first; true when it has answered. */
	handler: Handler = () => false;
	private readonly server = http.createServer((request, response) => {
		this.requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
		this.authorizations.push(request.headers.authorization ?? '');
		if (!this.handler(request, response)) {
			this.serve(request, response);
		}
	});

	async listen(): Promise<void> {
		await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
	}

	/** "127.0.0.1:<port>" */
	get host(): string {
		return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
	}

	async close(): Promise<void> {
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}

	/** Stores a manifest under its digest and the tags; gives the digest. */
	putManifest(document: object, type: string, ...tags: readonly string[]): string {
		const bytes = Buffer.from(JSON.stringify(document));
		for (const name of [digestOf(bytes), ...tags]) {
			this.manifests.set(name, { type, bytes });
		}
		return digestOf(bytes);
	}

	putBlob(bytes: Buffer): { readonly digest: string; readonly size: number } {
		this.blobs.set(digestOf(bytes), bytes);
		return { digest: digestOf(bytes), size: bytes.length };
	}

	/** Stores an image of these layers (tar archives), gzipped; gives the digest of its manifest. */
	putImage(
		layers: readonly Buffer[],
		options: { tags?: readonly string[]; config?: object; image?: object } = {},
	): string {
		const diff_ids = layers.map(digestOf);
		const configuration = { os: 'linux', architecture: 'amd64', created: '2026-01-01T00:00:00Z', ...options.image };
		const rootfs = { type: 'layers', diff_ids };
		const config = this.putBlob(Buffer.from(JSON.stringify({ ...configuration, config: options.config, rootfs })));
		const descriptors = layers.map((layer) => ({
			mediaType: `${OCI}.layer.v1.tar+gzip`,
			...this.putBlob(zlib.gzipSync(layer)),
		}));
		const mediaType = `${OCI}.manifest.v1+json`;
		const manifest = {
			schemaVersion: 2,
			config: { mediaType: `${OCI}.config.v1+json`, ...config },
			layers: descriptors,
		};
		return this.putManifest({ ...manifest, mediaType }, mediaType, ...(options.tags ?? ['latest']));
	}

	private serve(request: http.IncomingMessage, response: http.ServerResponse): void {
		const [, kind, name = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
		const manifest = kind === 'manifests' ? this.manifests.get(name) : undefined;
		const blob = kind === 'blobs' ? this.blobs.get(name) : undefined;
		if (manifest) {
			const headers = { 'content-type': manifest.type, 'docker-content-digest': digestOf(manifest.bytes) };
			response.writeHead(200, headers).end(manifest.bytes);
		} else if (blob) {
			const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
			const range = `bytes ${start}-${blob.length - 1}/${blob.length}`;
			response
				.writeHead(start === 0 ? 200 : 206, start === 0 ? {} : { 'content-range': range })
				.end(blob.subarray(start));
		} else {
			const code = kind === 'manifests' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
			const message = code.toLowerCase().replace('_', ' ');
			response.writeHead(404).end(JSON.stringify({ errors: [{ code, message }] }));
		}
	}
}
