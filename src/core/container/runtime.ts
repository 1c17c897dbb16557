import { EngineError } from '../errors';

/** What runs containers, in the order in which they are tried: crun starts quicker than runc and stays smaller. */
export const RUNTIME_NAMES = ['crun', 'runc', 'youki', 'minimal'] as const;
export type RuntimeName = (typeof RUNTIME_NAMES)[number];

export interface RuntimeInfo {
	readonly name: RuntimeName;
	/** Absolute path of the program. */
	readonly path: string;
	readonly version: string;
}

/** The part of runtime-spec's linux.resources that is set and changed here. */
export interface CgroupResources {
	readonly memory?: {
		readonly limit?: number;
		readonly swap?: number;
		readonly reservation?: number;
		readonly swappiness?: number;
		readonly disableOOMKiller?: boolean;
	};
	readonly cpu?: {
		readonly shares?: number;
		readonly quota?: number;
		readonly period?: number;
		readonly cpus?: string;
		readonly mems?: string;
	};
	readonly pids?: { readonly limit?: number };
	readonly blockIO?: { readonly weight?: number };
	readonly devices?: readonly {
		readonly allow: boolean;
		readonly type?: string;
		readonly major?: number;
		readonly minor?: number;
		readonly access?: string;
	}[];
}

/** What annotations depend on, of a container's specification. */
export interface Annotated {
	readonly annotations: Readonly<Record<string, string>>;
	readonly linux: { readonly seccomp?: { readonly defaultAction: string } };
}

/** One kind of runtime. All that lasts is its state on the disk, so that any engine can go on with a container. */
export interface ContainerRuntime {
	readonly name: RuntimeName;
	/** Debian's, which brings it. */
	readonly package: string;
	/** Absolute path of its program; undefined when it is not installed. */
	find(): string | undefined;
	/** What the program says of itself. */
	version(program: string): Promise<string>;
	/** Runs a throw-away container; throws EngineError "unsupported" with the reason when this machine does not let it. */
	probe(program: string): Promise<void>;
	/** Annotations of the runtime's own that let it start the container quicker. */
	annotations?(id: string, spec: Annotated): Readonly<Record<string, string>>;
	/** Is told that a container, whose state is there, runs now. */
	hasStarted?(id: string): void;
	/**
	 * Program and arguments that run a bundle, which is written, in the foreground and report into the shim folder, which
	 * may not be there yet. With `keep` the cgroups stay after the exit, for a look at why, until `delete`, where the
	 * runtime can do that. With `tty` the command may name CONSOLE as its console socket (see console.ts).
	 */
	command(
		id: string,
		options: { readonly bundle: string; readonly shim: string; readonly keep: boolean; readonly tty: boolean },
	): Promise<readonly string[]>;
	/** Program and arguments that run `process.json` of the folder in a running container, in the foreground; `tty` as above. */
	execCommand(id: string, options: { readonly folder: string; readonly tty: boolean }): Promise<readonly string[]>;
	/** Freezes all processes of a container, or lets them go on; EngineError "runtime" with its reason. */
	setPaused(id: string, isPaused: boolean): Promise<void>;
	/** Changes the limits of a container that runs; `resources` as in the runtime-spec. Throws "runtime" with its reason. */
	update(id: string, resources: CgroupResources): Promise<void>;
	/** True when it still keeps state of the container, as it does when it was killed itself. */
	hasState(id: string): boolean;
	/** Kills what is left of the container and removes its cgroups and the runtime's state. Gone already is no error. */
	delete(id: string): Promise<void>;
	/** Drops the state of a container that ran before the machine was restarted. */
	forget(id: string): void;
}

/** The name of a runtime as a person or a client wrote it; EngineError "invalid" with docker's words for any other. */
export function parseRuntimeName(text: string): RuntimeName {
	// What docker's clients call runc.
	const name = text === 'io.containerd.runc.v2' ? 'runc' : text;
	const known = RUNTIME_NAMES.find((one) => one === name);
	if (known === undefined) {
		throw new EngineError('invalid', `Unknown runtime specified ${text}`);
	}
	return known;
}
