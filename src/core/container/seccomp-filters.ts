import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { systemCode } from '../errors';
import { replaceFile } from '../store';
import type { Annotated } from './runtime';

/** crun's word for a filter that is compiled already, base64 of what seccomp(2) takes; it leaves the profile alone then. */
const ANNOTATION = 'run.oci.seccomp_bpf_data';

/** linux/bpf_common.h: a filter has at most 4096 instructions, each 8 bytes long. */
const INSTRUCTION = 8;
const LONGEST = 4096 * INSTRUCTION;

/** Profiles of one machine: the default one for a few sets of capabilities, and what people bring. */
const MOST = 64;

/**
 * Seccomp filters as crun compiled them, `<folder>/<hash>.bpf`. libseccomp takes a third of a container's start for one,
 * and it is the same each time: it depends on the profile, the program and the kernel, which are in the hash.
 */
export class SeccompFilters {
	/** Hashes of what containers were started without, by id. */
	private readonly missing = new Map<string, string>();

	constructor(private readonly folder: string) {}

	/** Annotations with which a container need not have its filter compiled. `key` changes with program, kernel and boot. */
	annotations(id: string, spec: Annotated, key: string): Readonly<Record<string, string>> {
		const profile = spec.linux.seccomp;
		this.missing.delete(id);
		// Who brings a filter decides himself; one that asks another program cannot be taken from its place.
		if (profile === undefined || ANNOTATION in spec.annotations || JSON.stringify(profile).includes('NOTIFY')) {
			return {};
		}
		const hash = createHash('sha256')
			.update(`${key}\n${JSON.stringify(profile)}`)
			.digest('hex');
		const filter = readFilter(this.file(hash));
		if (filter === undefined) {
			this.missing.set(id, hash);
			return {};
		}
		return { [ANNOTATION]: filter.toString('base64') };
	}

	/** Keeps the filter of a container that runs now, unless it is known. `compiled` is where crun has put it. */
	keep(id: string, compiled: string): void {
		const hash = this.missing.get(id);
		if (hash === undefined) {
			return;
		}
		this.missing.delete(id);
		const filter = readFilter(compiled);
		// A container that is over already has taken it along: the next one will do.
		if (filter !== undefined) {
			fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
			this.makeRoom();
			replaceFile(this.file(hash), filter);
		}
	}

	private makeRoom(): void {
		const names = fs.readdirSync(this.folder);
		for (const name of names.length < MOST ? [] : names) {
			fs.rmSync(path.join(this.folder, name), { force: true });
		}
	}

	private file(hash: string): string {
		return path.join(this.folder, `${hash}.bpf`);
	}
}

/** Undefined when there is none, or when it cannot be one. */
function readFilter(file: string): Buffer | undefined {
	try {
		const filter = fs.readFileSync(file);
		const isFilter = filter.length > 0 && filter.length <= LONGEST && filter.length % INSTRUCTION === 0;
		return isFilter ? filter : undefined;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return undefined;
		}
		throw error;
	}
}
