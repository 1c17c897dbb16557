import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { digestOf, gzip } from '../test/engine/archive';
import { busyboxLayer, imageOf, type ImageFixture, type Layer } from '../test/engine/fixture';
import type { EngineProcess } from '../test/engine/subject';
import { hasProgram, type Workspace } from '../test/engine/workspace';
import { against, interleaved, timed, type Figure } from './figure';
import { execute, pull, type Rivals } from './rivals';

const ROUNDS = 7;

/** Folders of this machine that make layers like those of ordinary images: programs, libraries, many small files. */
const PARTS = [
	['usr/bin', 'usr/sbin'],
	['usr/share/perl', 'usr/lib/x86_64-linux-gnu/perl-base', 'usr/share/zoneinfo', 'usr/share/doc'],
	['usr/lib/python3', 'usr/lib/git-core', 'usr/share/mime'],
	['etc', 'usr/share/locale'],
];
/** Bytes of a layer at most, before compression. */
const LARGEST = 40_000_000;

/** Pulls an image that the engine has nothing of, until it could be run. */
export async function measurePull(workspace: Workspace, { registries, ours, docker }: Rivals): Promise<Figure[]> {
	const figures: Figure[] = [];
	const images: [string, ImageFixture][] = [
		['busybox', imageOf([busyboxLayer()])],
		['typical', imageOf(PARTS.map(layerOfFolders).filter((layer) => layer !== undefined))],
	];
	for (const [name, image] of images) {
		await registries.open.push(`bench/pull-${name}`, '1', image);
		const reference = `${registries.open.host}/bench/pull-${name}:1`;
		const cold = async (engine: EngineProcess): Promise<number> => {
			const milliseconds = await timed(() => pull(engine, reference));
			await engine.client.images.remove(reference, { force: true });
			return milliseconds;
		};
		const times = await interleaved(ROUNDS, {
			ours: () => cold(ours),
			docker: docker && (() => cold(docker)),
			skopeo: hasProgram('skopeo') ? () => copy(workspace, reference) : undefined,
		});
		const bytes = image.layers.reduce((sum, layer) => sum + layer.blob.length, 0);
		const common = { name: `pull ${name}`, unit: 'ms', ours: times.ours ?? NaN };
		figures.push({
			...common,
			...against(times.docker),
			target: { value: 1, of: 'ratio' },
			note: `${image.layers.length} layers, ${(bytes / 1e6).toFixed(1)} MB compressed, loopback registry, warm engines, one file system`,
		});
		if (times.skopeo !== undefined) {
			figures.push({ ...common, theirs: times.skopeo, rival: 'skopeo copy, not unpacked' });
		}
	}
	return figures;
}

/** `skopeo copy` to a folder: the download and its check, without unpacking. */
async function copy(workspace: Workspace, reference: string): Promise<number> {
	const target = workspace.folder('skopeo');
	try {
		return await timed(() =>
			execute(
				'skopeo',
				['copy', '--src-tls-verify=false', `docker://${reference}`, `oci:${target}:1`],
				process.env,
			),
		);
	} finally {
		fs.rmSync(target, { recursive: true });
	}
}

/** A layer of what this machine has of these folders; undefined when it has none. */
function layerOfFolders(names: readonly string[]): Layer | undefined {
	const there = names.filter((name) => fs.existsSync(path.join('/', name)));
	if (there.length === 0) {
		return undefined;
	}
	const script = `tar -C / --sort=name --exclude=*.sock -cf - "$@" 2>/dev/null | head -c ${LARGEST}`;
	const { stdout } = spawnSync('sh', ['-c', script, 'sh', ...there], { maxBuffer: LARGEST + 1_000_000 });
	const archive = wholeMembersOf(stdout);
	const blob = gzip(archive);
	return { entries: [], diffId: digestOf(archive), digest: digestOf(blob), blob, size: archive.length };
}

/** Cuts a broken-off archive behind its last whole member and ends it properly. */
function wholeMembersOf(archive: Buffer): Buffer {
	let end = 0;
	for (let offset = 0; offset + 512 <= archive.length;) {
		const header = archive.subarray(offset, offset + 512);
		const size = parseInt(header.toString('latin1', 124, 136), 8);
		if (Number.isNaN(size)) {
			break;
		}
		offset += 512 + Math.ceil(size / 512) * 512;
		// A name that is too long for its header stands in a member of its own, which belongs to the next.
		const belongsToNext = 'LKx'.includes(String.fromCharCode(header[156] ?? 0));
		if (offset <= archive.length && !belongsToNext) {
			end = offset;
		}
	}
	return Buffer.concat([archive.subarray(0, end), Buffer.alloc(1024)]);
}
