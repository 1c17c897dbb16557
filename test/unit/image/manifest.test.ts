import assert from 'node:assert/strict';
import { EngineError } from '../../../src/core/errors';
import type { ErrorCode } from '../../../src/core/errors';
import {
	chainIds,
	chooseManifest,
	digestOf,
	MANIFEST_ACCEPT,
	parseConfiguration,
	parseDiffIds,
	parseDocument,
} from '../../../src/core/image/manifest';
import type { ImageIndex, ImageManifest } from '../../../src/core/image/manifest';

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const config = { mediaType: OCI_CONFIG, digest: DIGEST, size: 2 };
const layer = { mediaType: OCI_LAYER, digest: DIGEST, size: 9 };
const manifest = { schemaVersion: 2, config, layers: [layer] };
const entry = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 5, platform: { os: 'linux', architecture: 'amd64' } };
const index = { schemaVersion: 2, manifests: [entry] };

function bytes(document: unknown): Buffer {
	return Buffer.from(JSON.stringify(document));
}

function refuses(document: unknown, mediaType: string, code: ErrorCode, reason: RegExp): void {
	assert.throws(
		() => parseDocument(Buffer.isBuffer(document) ? document : bytes(document), mediaType),
		(error) => error instanceof EngineError && error.code === code && reason.test(error.message),
	);
}

describe('manifest', () => {
	it('reads manifests and indexes of OCI and of docker', () => {
		for (const type of [OCI_MANIFEST, DOCKER_MANIFEST]) {
			const expected = { kind: 'manifest', mediaType: type, config, layers: [layer] };
			assert.deepEqual(parseDocument(bytes(manifest), type), expected);
			assert.deepEqual(
				parseDocument(bytes({ ...manifest, mediaType: type }), `${type}; charset=utf-8`),
				expected,
			);
			assert.ok(MANIFEST_ACCEPT.includes(type));
		}
		for (const type of [OCI_INDEX, DOCKER_LIST]) {
			const expected = { kind: 'index', mediaType: type, manifests: [entry] };
			assert.deepEqual(parseDocument(bytes(index), type), expected);
			assert.ok(MANIFEST_ACCEPT.includes(type));
		}
	});

	it('an answer without a type is what the document says, or looks like', () => {
		for (const header of ['', 'application/json', 'text/plain; charset=utf-8', 'application/octet-stream']) {
			assert.equal(
				parseDocument(bytes({ ...manifest, mediaType: DOCKER_MANIFEST }), header).mediaType,
				DOCKER_MANIFEST,
			);
			assert.equal(parseDocument(bytes(manifest), header).mediaType, OCI_MANIFEST);
			assert.equal(parseDocument(bytes(index), header).mediaType, OCI_INDEX);
		}
	});

	it('refuses documents that are two things at once (CVE-2021-41190)', () => {
		refuses({ ...manifest, manifests: [entry] }, OCI_MANIFEST, 'corrupt', /both/);
		refuses({ ...index, layers: [layer] }, OCI_INDEX, 'corrupt', /both/);
		refuses({ ...manifest, mediaType: OCI_MANIFEST }, DOCKER_MANIFEST, 'corrupt', /calls itself/);
		refuses({ ...index, mediaType: OCI_INDEX }, OCI_MANIFEST, 'corrupt', /calls itself/);
		refuses(manifest, OCI_INDEX, 'corrupt', /index is malformed/);
		refuses(index, OCI_MANIFEST, 'corrupt', /manifest is malformed/);
	});

	it('refuses what is malformed', () => {
		const withLayer = (change: object): object => ({ ...manifest, layers: [{ ...layer, ...change }] });
		refuses(Buffer.from('{'), OCI_MANIFEST, 'corrupt', /not JSON/);
		refuses(Buffer.from([0x22, 0xff, 0x22]), OCI_MANIFEST, 'corrupt', /not JSON/);
		refuses(null, OCI_MANIFEST, 'corrupt', /malformed/);
		refuses([], OCI_MANIFEST, 'corrupt', /malformed/);
		refuses({ ...manifest, schemaVersion: 3 }, OCI_MANIFEST, 'corrupt', /schemaVersion/);
		refuses({ ...manifest, layers: null }, OCI_MANIFEST, 'corrupt', /layers/);
		refuses(withLayer({ size: -1 }), OCI_MANIFEST, 'corrupt', /layers\.0\.size/);
		refuses(withLayer({ size: 1.5 }), OCI_MANIFEST, 'corrupt', /size/);
		refuses(withLayer({ size: 1e300 }), OCI_MANIFEST, 'corrupt', /size/);
		refuses(withLayer({ size: '9' }), OCI_MANIFEST, 'corrupt', /size/);
		for (const digest of [
			'',
			'sha256:../../x',
			`sha256:${'A'.repeat(64)}`,
			`${DIGEST}\n`,
			`sha512:${'a'.repeat(128)}`,
		]) {
			refuses(withLayer({ digest }), OCI_MANIFEST, 'corrupt', /digest/);
		}
		refuses({ ...manifest, config: { ...config, size: 5e6 } }, OCI_MANIFEST, 'corrupt', /configuration is larger/);
	});

	it('says what it cannot use', () => {
		refuses(
			{ schemaVersion: 1, fsLayers: [] },
			'application/vnd.docker.distribution.manifest.v1+json',
			'unsupported',
			/schema 1/,
		);
		refuses(manifest, 'application/vnd.example', 'unsupported', /unknown type "application\/vnd\.example"/);
		const helm = { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' };
		refuses({ ...manifest, config: helm }, OCI_MANIFEST, 'unsupported', /artifact of type .*helm/);
		const most = /^max depth exceeded: it has 128 layers, and an image may have 127 at most$/;
		refuses({ ...manifest, layers: Array(128).fill(layer) }, OCI_MANIFEST, 'unsupported', most);
		const encrypted = { ...layer, mediaType: `${OCI_LAYER}+encrypted` };
		refuses({ ...manifest, layers: [encrypted] }, OCI_MANIFEST, 'unsupported', /layer of the unknown type/);
	});

	it('takes the layer types of OCI and docker', () => {
		for (const mediaType of [
			'application/vnd.oci.image.layer.v1.tar',
			'application/vnd.oci.image.layer.v1.tar+zstd',
			'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
			'application/vnd.docker.image.rootfs.diff.tar.gzip',
			'application/vnd.docker.image.rootfs.diff.tar',
			'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
		]) {
			assert.ok(parseDocument(bytes({ ...manifest, layers: [{ ...layer, mediaType }] }), OCI_MANIFEST));
		}
	});

	it('chooses the manifest for a platform, or says as docker does that there is none', () => {
		const parsed = parseDocument(bytes(index), OCI_INDEX) as ImageIndex;
		assert.equal(chooseManifest(parsed, { os: 'linux', architecture: 'amd64' }).digest, DIGEST);
		assert.throws(
			() => chooseManifest(parsed, { os: 'linux', architecture: 'arm64', variant: 'v8' }),
			new EngineError('not-found', 'no matching manifest for linux/arm64/v8 in the manifest list entries'),
		);
		const { platform, ...bare } = entry;
		assert.equal(platform.os, 'linux');
		const alone: ImageIndex = { kind: 'index', mediaType: OCI_INDEX, manifests: [bare] };
		assert.equal(chooseManifest(alone, { os: 'linux', architecture: 'arm64' }), bare);
	});
});

describe('image configuration', () => {
	const parsed = parseDocument(bytes(manifest), OCI_MANIFEST) as ImageManifest;
	const rootfs = { type: 'layers', diff_ids: [DIGEST] };

	it('reads what the engine needs', () => {
		const configuration = parseConfiguration(
			bytes({
				architecture: 'arm64',
				os: 'linux',
				variant: 'v8',
				created: '2026-01-02T03:04:05Z',
				rootfs,
				config: {
					Cmd: ['a'],
					Entrypoint: ['b'],
					Env: ['C=d'],
					WorkingDir: '/e',
					ExposedPorts: { '80/tcp': {} },
					User: 'f',
					Volumes: { '/g': {} },
					Labels: { h: 'i' },
					StopSignal: 'SIGINT',
					Healthcheck: { Test: ['NONE'] },
				},
				history: [],
			}),
			parsed,
		);
		assert.deepEqual(configuration, {
			platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
			created: '2026-01-02T03:04:05Z',
			diffIds: [DIGEST],
			config: {
				cmd: ['a'],
				entrypoint: ['b'],
				env: ['C=d'],
				working_dir: '/e',
				exposed_ports: { '80/tcp': {} },
				user: 'f',
				volumes: { '/g': {} },
				labels: { h: 'i' },
				stop_signal: 'SIGINT',
				health: { test: ['NONE'], interval: 0, timeout: 0, start_period: 0, retries: 0 },
			},
		});
	});

	it('what is missing or null is empty, as Go writes it', () => {
		const empty = {
			cmd: [],
			entrypoint: [],
			env: [],
			working_dir: '',
			exposed_ports: {},
			user: '',
			volumes: {},
			labels: {},
			stop_signal: '',
		};
		const nulls = {
			Cmd: null,
			Entrypoint: null,
			Env: null,
			ExposedPorts: null,
			Volumes: null,
			Labels: null,
			User: null,
		};
		for (const section of [undefined, null, {}, nulls]) {
			const { config: read, created } = parseConfiguration(
				bytes({ architecture: 'amd64', os: 'linux', rootfs, config: section }),
				parsed,
			);
			assert.deepEqual([read, created], [empty, '']);
		}
	});

	it('must have as many DiffIDs as the manifest has layers, each a digest', () => {
		const parse = (diff_ids: unknown) => (): unknown =>
			parseConfiguration(bytes({ architecture: 'a', os: 'b', rootfs: { type: 'layers', diff_ids } }), parsed);
		assert.throws(parse([]), { code: 'corrupt', message: /1 layers and the configuration 0/ });
		assert.throws(parse([DIGEST, DIGEST]), { code: 'corrupt', message: /configuration 2/ });
		assert.throws(parse(['../../etc']), { code: 'corrupt', message: /diff_ids/ });
		assert.throws(parse('x'), { code: 'corrupt' });
	});

	it('refuses wrong types instead of passing them on', () => {
		for (const section of [{ Env: 'A=b' }, { Env: [1] }, { Labels: { a: 1 } }, { Cmd: { 0: 'a' } }, 'x']) {
			assert.throws(
				() => parseConfiguration(bytes({ architecture: 'a', os: 'b', rootfs, config: section }), parsed),
				{ code: 'corrupt' },
			);
		}
	});

	it('gives the DiffIDs alone where the manifest is not known', () => {
		assert.deepEqual(parseDiffIds(bytes({ rootfs })), [DIGEST]);
	});
});

describe('digests', () => {
	it('of bytes', () => {
		assert.equal(
			digestOf(Buffer.alloc(0)),
			'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
		);
	});

	it('chain over the layers (image-spec, Layer ChainID)', () => {
		const [first = '', second = '', third = ''] = ['a', 'b', 'c'].map((text) => digestOf(Buffer.from(text)));
		const chain = chainIds([first, second, third]);
		assert.deepEqual(chain, [
			first,
			digestOf(Buffer.from(`${first} ${second}`)),
			digestOf(Buffer.from(`${chain[1] ?? ''} ${third}`)),
		]);
		assert.deepEqual(chainIds([]), []);
	});
});
