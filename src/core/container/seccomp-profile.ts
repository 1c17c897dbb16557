import * as os from 'node:os';
import * as v from 'valibot';
import { EngineError } from '../errors';

const condition = v.object({
	caps: v.optional(v.nullable(v.array(v.string()))),
	arches: v.optional(v.nullable(v.array(v.string()))),
	minKernel: v.optional(v.nullable(v.string())),
});

const schema = v.object({
	defaultAction: v.string(),
	defaultErrnoRet: v.optional(v.number()),
	architectures: v.optional(v.nullable(v.array(v.string()))),
	archMap: v.optional(
		v.nullable(
			v.array(
				v.object({ architecture: v.string(), subArchitectures: v.optional(v.nullable(v.array(v.string()))) }),
			),
		),
	),
	flags: v.optional(v.array(v.string())),
	syscalls: v.optional(
		v.nullable(
			v.array(
				v.object({
					name: v.optional(v.string()),
					names: v.optional(v.array(v.string())),
					action: v.string(),
					errnoRet: v.optional(v.number()),
					args: v.optional(
						v.nullable(v.array(v.looseObject({ index: v.number(), value: v.number(), op: v.string() }))),
					),
					includes: v.optional(v.nullable(condition)),
					excludes: v.optional(v.nullable(condition)),
				}),
			),
		),
	),
});

type Condition = v.InferOutput<typeof condition>;

/** Go's names of processors, by Node's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: 'x86', ppc64: 'ppc64le' };
const SCMP: Readonly<Record<string, string>> = {
	x64: 'SCMP_ARCH_X86_64',
	ia32: 'SCMP_ARCH_X86',
	arm64: 'SCMP_ARCH_AARCH64',
	arm: 'SCMP_ARCH_ARM',
	ppc64: 'SCMP_ARCH_PPC64LE',
	riscv64: 'SCMP_ARCH_RISCV64',
	s390x: 'SCMP_ARCH_S390X',
};

/**
 * Turns a profile in docker's JSON form (moby, profiles/seccomp) into the runtime-spec's: rules that are for other
 * capabilities ("CAP_…"), processors or kernels fall away. Throws EngineError "invalid" with docker's words.
 */
export function parseSeccompProfile(
	text: string,
	capabilities: readonly string[],
): { readonly defaultAction: string; readonly [other: string]: unknown } {
	const profile = v.safeParse(schema, parseJson(text));
	if (!profile.success) {
		const [issue] = profile.issues;
		throw invalid(issue.message);
	}
	const { defaultAction, defaultErrnoRet, architectures, archMap, flags, syscalls } = profile.output;
	if ((architectures ?? []).length > 0 && (archMap ?? []).length > 0) {
		throw invalid(
			"both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
		);
	}
	const native = archMap?.find(({ architecture }) => architecture === SCMP[process.arch]);
	const mapped = native === undefined ? [] : [native.architecture, ...(native.subArchitectures ?? [])];
	const rules = (syscalls ?? []).filter(
		({ includes, excludes }) => isIncluded(includes, capabilities) && !isExcluded(excludes, capabilities),
	);
	return {
		defaultAction,
		...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
		architectures: (architectures ?? []).length > 0 ? architectures : mapped,
		...(flags === undefined ? {} : { flags }),
		syscalls: rules.map(({ name, names, action, errnoRet, args }) => ({
			names: names ?? (name === undefined ? [] : [name]),
			action,
			...(errnoRet === undefined ? {} : { errnoRet }),
			...((args ?? []).length > 0 ? { args } : {}),
		})),
	};
}

/** Every condition that is given holds. */
function isIncluded(condition: Condition | null | undefined, capabilities: readonly string[]): boolean {
	const { caps, arches, minKernel } = condition ?? {};
	return (
		((arches ?? []).length === 0 || arches?.includes(architecture()) === true) &&
		((caps ?? []).length === 0 || caps?.every((capability) => capabilities.includes(capability)) === true) &&
		(!minKernel || isKernelAtLeast(minKernel))
	);
}

/** One condition that is given holds. */
function isExcluded(condition: Condition | null | undefined, capabilities: readonly string[]): boolean {
	const { caps, arches, minKernel } = condition ?? {};
	return (
		arches?.includes(architecture()) === true ||
		caps?.some((capability) => capabilities.includes(capability)) === true ||
		(Boolean(minKernel) && isKernelAtLeast(minKernel ?? ''))
	);
}

function architecture(): string {
	return ARCHITECTURES[process.arch] ?? process.arch;
}

function isKernelAtLeast(wanted: string): boolean {
	const [major = 0, minor = 0] = wanted.split('.').map(Number);
	const [ownMajor = 0, ownMinor = 0] = os.release().split(/[.-]/).map(Number);
	return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		throw invalid(error instanceof Error ? error.message : String(error));
	}
}

function invalid(reason: string): EngineError {
	return new EngineError('invalid', `Decoding seccomp profile failed: ${reason}`);
}
