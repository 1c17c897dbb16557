import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { busyboxLayer, imageOf, noiseLayer, type ImageFixture } from '../test/engine/fixture';
import { startRegistry, type Registry } from '../test/engine/registry';
import { hasProgram, type Workspace } from '../test/engine/workspace';

export const imageNames = ['tiny', 'typical', 'many', 'huge', 'zstd'] as const;
/** "other" is for an engine that has pulled something before. */
export type ImageName = (typeof imageNames)[number] | 'other';

/** An image that the registry has. */
export interface BenchImage {
	readonly reference: string;
	readonly layers: number;
	readonly files: number;
	/** Bytes of the layers as they are downloaded, and unpacked. */
	readonly compressed: number;
	readonly unpacked: number;
}

/** What a layer is made of: files of this machine. */
interface Source {
	readonly folders: readonly string[];
	/** Bytes at most: then no more files are taken. */
	readonly most: number;
	/** Only files of at least, or at most, so many bytes. */
	readonly from?: number;
	readonly to?: number;
	/** A folder of the layer that everything is put in. */
	readonly below?: string;
}

type Packer = 'gzip' | 'zstd';

const MB = 1e6;
/** Another one when the sources change. */
const CACHE = path.join(os.tmpdir(), 'mydocker-bench-images-1');
const REPOSITORY_MODULES = path.resolve('node_modules').slice(1);

/** Programs, libraries, interpreters, documents: like Debian with python, perl and git in it. */
const typical: readonly Source[] = [
	{ folders: ['usr/lib/x86_64-linux-gnu'], most: 190 * MB, to: 24 * MB },
	{ folders: ['usr/bin'], most: 150 * MB, to: 24 * MB },
	{ folders: ['usr/sbin', 'etc', 'usr/share/locale'], most: 110 * MB, to: 24 * MB },
	{ folders: ['usr/lib/python3', 'usr/lib/python3.11'], most: 120 * MB },
	{ folders: ['usr/share/perl', 'usr/share/zoneinfo', 'usr/share/doc'], most: 110 * MB, to: 4 * MB },
	{ folders: ['usr/lib/git-core', 'usr/share/vim', 'usr/share/mime', 'usr/share/man'], most: 90 * MB },
];
/** Trees of npm packages. */
const many: readonly Source[] = ['first', 'second', 'third', 'fourth'].map((name) => ({
	folders: [REPOSITORY_MODULES],
	most: 400 * MB,
	to: 40_000,
	below: `srv/${name}`,
}));
const huge: readonly Source[] = [
	{ folders: ['usr/bin', 'usr/libexec'], most: 500 * MB, from: 8 * MB },
	{ folders: ['usr/lib'], most: 800 * MB, from: 8 * MB },
];

const recipes: Readonly<Record<Exclude<ImageName, 'tiny' | 'other'>, { sources: readonly Source[]; packer: Packer }>> =
	{
		typical: { sources: typical, packer: 'gzip' },
		many: { sources: many, packer: 'gzip' },
		huge: { sources: huge, packer: 'gzip' },
		zstd: { sources: typical, packer: 'zstd' },
	};

/** A registry that has all images it was ever asked for: they are made once and kept in the machine's temporary folder. */
export async function startImages(workspace: Workspace): Promise<(name: ImageName) => Promise<BenchImage>> {
	fs.mkdirSync(CACHE, { recursive: true, mode: 0o700 });
	const registry = await startRegistry(workspace, { data: path.join(CACHE, 'registry') });
	return async (name) => {
		const file = path.join(CACHE, `${name}.json`);
		if (!fs.existsSync(file)) {
			fs.writeFileSync(`${file}.tmp`, JSON.stringify(await make(workspace, registry, name)));
			fs.renameSync(`${file}.tmp`, file);
		}
		const made = JSON.parse(fs.readFileSync(file, 'utf8')) as Omit<BenchImage, 'reference'>;
		return { ...made, reference: `${registry.host}/bench/${name}:1` };
	};
}

async function make(workspace: Workspace, registry: Registry, name: ImageName): Promise<Omit<BenchImage, 'reference'>> {
	process.stderr.write(`Making the image ${name}…\n`);
	if (name === 'tiny' || name === 'other') {
		const layer = name === 'tiny' ? busyboxLayer() : noiseLayer(500_000);
		await registry.push(`bench/${name}`, '1', imageOf([layer]));
		return { layers: 1, files: layer.entries.length, compressed: layer.blob.length, unpacked: layer.size };
	}
	const { sources, packer } = recipes[name];
	const layers: PackedLayer[] = [];
	const folder = workspace.folder('layers');
	for (const source of sources) {
		const layer = await pack(source, packer, path.join(folder, String(layers.length)));
		await pushFile(registry, `bench/${name}`, layer);
		fs.rmSync(layer.file);
		layers.push(layer);
	}
	await registry.push(`bench/${name}`, '1', imageWith(layers, packer));
	const sum = (of: (layer: PackedLayer) => number): number => layers.reduce((total, layer) => total + of(layer), 0);
	return {
		layers: layers.length,
		files: sum((layer) => layer.files),
		compressed: sum((layer) => layer.size),
		unpacked: sum((layer) => layer.unpacked),
	};
}

interface PackedLayer {
	readonly file: string;
	readonly digest: string;
	readonly diffId: string;
	readonly size: number;
	readonly files: number;
	readonly unpacked: number;
}

async function pack(source: Source, packer: Packer, file: string): Promise<PackedLayer> {
	const names = namesOf(source);
	const transform = source.below === undefined ? [] : [`--transform=s,^,${source.below}/,rSh`];
	const archive = spawnSync(
		'tar',
		['-C', '/', '--null', '--no-recursion', '--files-from=-', ...transform, '-cf', `${file}.tar`],
		{ input: names.join('\0'), encoding: 'utf8' },
	);
	// Status 1: a file changed while it was read.
	if (archive.status !== 0 && archive.status !== 1) {
		throw new Error(`tar: ${archive.stderr}`);
	}
	const program = packer === 'zstd' ? ['zstd', '-q', '-T0'] : [hasProgram('pigz') ? 'pigz' : 'gzip', '-n'];
	const script = '"$@" -c < "$FROM" > "$TO"';
	const packed = spawnSync('sh', ['-ec', script, 'sh', ...program], {
		env: { ...process.env, FROM: `${file}.tar`, TO: file },
		encoding: 'utf8',
	});
	if (packed.status !== 0) {
		throw new Error(`${program.join(' ')}: ${packed.stderr}`);
	}
	const diffId = await digestOfFile(`${file}.tar`);
	const unpacked = fs.statSync(`${file}.tar`).size;
	fs.rmSync(`${file}.tar`);
	const { size } = fs.statSync(file);
	return { file, digest: await digestOfFile(file), diffId, size, files: names.length, unpacked };
}

/** Files, folders and symlinks in a fixed order, up to the bytes that the layer may have. */
function namesOf({ folders, most, from = 0, to = Infinity }: Source): string[] {
	const names: string[] = [];
	let bytes = 0;
	const visit = (name: string): void => {
		const stat = fs.lstatSync(path.join('/', name));
		if (stat.isDirectory()) {
			if (from === 0) {
				names.push(name);
			}
			for (const child of fs.readdirSync(path.join('/', name)).sort()) {
				visit(`${name}/${child}`);
			}
			return;
		}
		const isWanted = stat.isSymbolicLink() ? from === 0 : stat.isFile() && stat.size >= from && stat.size <= to;
		if (isWanted && bytes + stat.size <= most) {
			bytes += stat.size;
			names.push(name);
		}
	};
	for (const folder of folders.filter((name) => fs.existsSync(path.join('/', name)))) {
		visit(folder);
	}
	return names;
}

async function digestOfFile(file: string): Promise<string> {
	const hash = createHash('sha256');
	await pipeline(fs.createReadStream(file), hash);
	return `sha256:${hash.digest('hex')}`;
}

function imageWith(layers: readonly PackedLayer[], packer: Packer): ImageFixture {
	// The blobs are in the registry already: the fixture's own are the digests only.
	const image = imageOf(
		layers.map(({ diffId, digest }) => ({ entries: [], diffId, digest, blob: Buffer.alloc(0), size: 0 })),
		{ format: packer === 'zstd' ? 'oci' : 'docker' },
	);
	const manifest = JSON.parse(image.manifest.toString()) as { layers: { mediaType: string; size: number }[] };
	manifest.layers = manifest.layers.map((layer, index) => ({
		...layer,
		mediaType: packer === 'zstd' ? 'application/vnd.oci.image.layer.v1.tar+zstd' : layer.mediaType,
		size: layers[index]?.size ?? 0,
	}));
	return { ...image, manifest: Buffer.from(JSON.stringify(manifest)), layers: [] };
}

async function pushFile({ port }: Registry, repository: string, { file, digest, size }: PackedLayer): Promise<void> {
	const started = await exchange({ port, method: 'POST', path: `/v2/${repository}/blobs/uploads/` });
	const url = new URL(started.headers.location ?? '', `http://127.0.0.1:${port}`);
	url.searchParams.set('digest', digest);
	const headers = { 'content-length': size, 'content-type': 'application/octet-stream' };
	const target = `${url.pathname}${url.search}`;
	const answer = await exchange({ port, method: 'PUT', path: target, headers }, fs.createReadStream(file));
	if (answer.statusCode !== 201) {
		throw new Error(`The registry refuses ${digest}: ${answer.statusCode}`);
	}
}

async function exchange(options: http.RequestOptions, body?: fs.ReadStream): Promise<http.IncomingMessage> {
	return new Promise((resolve, reject) => {
		const outgoing = http.request({ host: '127.0.0.1', agent: false, ...options }, (response) => {
			response.resume();
			response.once('end', () => {
				resolve(response);
			});
		});
		outgoing.once('error', reject);
		if (body === undefined) {
			outgoing.end();
		} else {
			body.once('error', reject).pipe(outgoing);
		}
	});
}
