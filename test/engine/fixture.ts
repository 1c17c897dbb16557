import * as fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { archiveOf, digestOf, gzip, type Entry } from './archive';

/** A layer as a registry holds it. */
export interface Layer {
	readonly entries: readonly Entry[];
	/** Digest of the archive before compression. */
	readonly diffId: string;
	readonly digest: string;
	readonly blob: Buffer;
	/** Bytes of all file contents and link targets: what docker calls the layer's size. */
	readonly size: number;
}

/** A manifest (or index) with everything that it names. */
export interface ImageFixture {
	readonly mediaType: string;
	readonly manifest: Buffer;
	/** Of the manifest. */
	readonly digest: string;
	/** Digest of the configuration: docker's image id. Empty for an index. */
	readonly id: string;
	readonly config: Buffer;
	readonly layers: readonly Layer[];
	/** Manifests of an index. */
	readonly children: readonly ImageFixture[];
}

/** image-spec, config: the part that says how to run. */
export interface RunConfig {
	readonly Cmd?: readonly string[];
	readonly Entrypoint?: readonly string[];
	readonly Env?: readonly string[];
	readonly WorkingDir?: string;
	readonly User?: string;
	readonly Labels?: Record<string, string>;
	readonly StopSignal?: string;
	readonly ExposedPorts?: Record<string, object>;
}

export interface ImageOptions {
	readonly config?: RunConfig;
	/** "docker" (schema 2) or "oci" media types. */
	readonly format?: 'docker' | 'oci';
	readonly architecture?: string;
	readonly variant?: string;
	/** When the image says that it was built. */
	readonly created?: string;
}

const MEDIA_TYPES = {
	docker: {
		manifest: 'application/vnd.docker.distribution.manifest.v2+json',
		config: 'application/vnd.docker.container.image.v1+json',
		layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
		index: 'application/vnd.docker.distribution.manifest.list.v2+json',
	},
	oci: {
		manifest: 'application/vnd.oci.image.manifest.v1+json',
		config: 'application/vnd.oci.image.config.v1+json',
		layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
		index: 'application/vnd.oci.image.index.v1+json',
	},
} as const;

/** Debian's and Docker's names for this machine's processor. */
export const architecture = process.arch === 'x64' ? 'amd64' : process.arch;

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function layerOf(entries: readonly Entry[]): Layer {
	const archive = archiveOf(entries);
	const blob = gzip(archive);
	const size = entries.reduce((total, entry) => total + contentOf(entry), 0);
	return { entries, diffId: digestOf(archive), digest: digestOf(blob), blob, size };
}

function contentOf(entry: Entry): number {
	const target = entry.type === 'symlink' ? (entry.target ?? '') : '';
	return Buffer.byteLength(entry.content ?? '') + Buffer.byteLength(target);
}

export function imageOf(layers: readonly Layer[], options: ImageOptions = {}): ImageFixture {
	const types = MEDIA_TYPES[options.format ?? 'docker'];
	const config = json({
		architecture: options.architecture ?? architecture,
		...(options.variant === undefined ? {} : { variant: options.variant }),
		os: 'linux',
		created: options.created ?? '2024-02-03T04:05:06.000000007Z',
		config: { Env: [`PATH=${defaultPath}`], Cmd: ['sh'], ...options.config },
		rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
		history: layers.map(() => ({ created: '2024-02-03T04:05:06Z', created_by: 'fixture' })),
	});
	const manifest = json({
		schemaVersion: 2,
		mediaType: types.manifest,
		config: { mediaType: types.config, size: config.length, digest: digestOf(config) },
		layers: layers.map((layer) => ({ mediaType: types.layer, size: layer.blob.length, digest: layer.digest })),
	});
	return {
		mediaType: types.manifest,
		manifest,
		digest: digestOf(manifest),
		id: digestOf(config),
		config,
		layers,
		children: [],
	};
}

export interface IndexEntry {
	readonly image: ImageFixture;
	readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

export function indexOf(entries: readonly IndexEntry[], format: 'docker' | 'oci' = 'oci'): ImageFixture {
	const mediaType = MEDIA_TYPES[format].index;
	const manifest = json({
		schemaVersion: 2,
		mediaType,
		manifests: entries.map(({ image, platform }) => ({
			mediaType: image.mediaType,
			size: image.manifest.length,
			digest: image.digest,
			platform,
		})),
	});
	return {
		mediaType,
		manifest,
		digest: digestOf(manifest),
		id: '',
		config: Buffer.alloc(0),
		layers: [],
		children: entries.map((entry) => entry.image),
	};
}

/** Bytes of an image's layers, unpacked, as docker counts them. */
export function sizeOf(image: ImageFixture): number {
	return image.layers.reduce((total, layer) => total + layer.size, 0);
}

const SYMLINKED =
	'ash awk cat chmod chown cut date dd df echo env false find free grep head hostname id kill ln ls mkdir mkfifo ' +
	'mknod mount mv nc nproc od printf ps pwd readlink rm sed seq sh sha256sum sleep sort stat stty sync tail tee ' +
	'test timeout touch tr true tty umount uname usleep wc xargs yes';
const HARDLINKED = 'cp md5sum rmdir';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
demo:x:1000:1000:Demo:/home/demo:/bin/sh
`;
const GROUP = `root:x:0:
daemon:x:1:
www-data:x:33:
extra:x:44:demo
demo:x:1000:
`;

/** Debian's static busybox with its applets: the base of every fixture that runs. */
export function busyboxLayer(): Layer {
	return layerOf([
		...['bin/', 'etc/', 'dev/', 'proc/', 'sys/', 'home/', 'usr/', 'usr/sbin/', 'var/'].map((name) => folder(name)),
		{ ...folder('root/'), mode: 0o700 },
		{ ...folder('tmp/'), mode: 0o1777 },
		{ ...folder('home/demo/'), uid: 1000, gid: 1000 },
		{ name: 'bin/busybox', content: fs.readFileSync('/bin/busybox'), mode: 0o755 },
		...SYMLINKED.split(' ').map((name): Entry => ({ name: `bin/${name}`, type: 'symlink', target: 'busybox' })),
		...HARDLINKED.split(' ').map((name): Entry => ({
			name: `bin/${name}`,
			type: 'hardlink',
			target: 'bin/busybox',
			mode: 0o755,
		})),
		{ name: 'etc/passwd', content: PASSWD },
		{ name: 'etc/group', content: GROUP },
		{ name: 'etc/not-executable', content: '#!/bin/sh\n' },
	]);
}

/** Two layers on busybox that hide, replace and keep; `whiteoutTree` is what a container must see. */
export function whiteoutLayers(): readonly [Layer, Layer] {
	const long = `data/${'long-name-'.repeat(11)}.txt`;
	const lower = layerOf([
		folder('data/'),
		{ name: 'data/gone', content: 'gone' },
		{ name: 'data/kept', content: 'kept', mode: 0o4755, uid: 1000, gid: 44, time: 1_234_567_890 },
		{ name: 'data/changed', content: 'old' },
		{ name: 'data/file-to-folder', content: 'file' },
		folder('data/folder-to-file/'),
		{ name: 'data/folder-to-file/inner', content: 'inner' },
		folder('data/folder-to-link/'),
		{ name: 'data/folder-to-link/inner', content: 'inner' },
		folder('data/gone-folder/'),
		{ name: 'data/gone-folder/inner', content: 'inner' },
		folder('data/opaque/'),
		{ name: 'data/opaque/old', content: 'old' },
		folder('data/opaque/sub/'),
		{ name: 'data/opaque/sub/old', content: 'old' },
		folder('data/merged/'),
		{ name: 'data/merged/lower', content: 'lower' },
		folder('data/again/'),
		{ name: 'data/again/old', content: 'old' },
		{ name: long, content: 'long' },
		{ name: 'data/grüße-日本', content: 'unicode' },
		{ name: 'data/link', type: 'symlink', target: 'kept' },
		{ name: 'data/dangling', type: 'symlink', target: '/no/such/../file' },
		{
			name: 'data/twin',
			type: 'hardlink',
			target: 'data/kept',
			mode: 0o4755,
			uid: 1000,
			gid: 44,
			time: 1_234_567_890,
		},
		{ name: 'data/pipe', type: 'fifo', mode: 0o600 },
		{ name: 'data/null', type: 'character', mode: 0o666, device: [1, 3] },
	]);
	const upper = layerOf([
		folder('data/'),
		{ name: 'data/.wh.gone' },
		{ name: 'data/.wh.gone-folder' },
		{ name: 'data/changed', content: 'new', mode: 0o600 },
		{ ...folder('data/file-to-folder/'), mode: 0o750 },
		{ name: 'data/file-to-folder/inner', content: 'now a folder' },
		{ name: 'data/folder-to-file', content: 'now a file' },
		{ name: 'data/folder-to-link', type: 'symlink', target: 'merged' },
		folder('data/opaque/'),
		{ name: 'data/opaque/new', content: 'new' },
		{ name: 'data/opaque/.wh..wh..opq' },
		folder('data/merged/'),
		{ name: 'data/merged/upper', content: 'upper' },
		{ name: 'data/.wh.again' },
		folder('data/again/'),
		{ name: 'data/again/fresh', content: 'fresh' },
	]);
	return [lower, upper];
}

/** `find data | sort` in a container of busybox with both `whiteoutLayers`. */
export const whiteoutTree = `data
data/again
data/again/fresh
data/changed
data/dangling
data/file-to-folder
data/file-to-folder/inner
data/folder-to-file
data/folder-to-link
data/grüße-日本
data/kept
data/link
data/${'long-name-'.repeat(11)}.txt
data/merged
data/merged/lower
data/merged/upper
data/null
data/opaque
data/opaque/new
data/pipe
data/twin
`;

/** A layer of noise that does not compress, so that its transfer takes as long as the test wants. */
export function noiseLayer(bytes: number, name = 'noise'): Layer {
	return layerOf([{ name, content: randomBytes(bytes) }]);
}

function folder(name: string): Entry {
	return { name, type: 'directory' };
}

function json(value: object): Buffer {
	return Buffer.from(JSON.stringify(value));
}
