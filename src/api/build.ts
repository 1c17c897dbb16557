declare const MYDOCKER_VERSION: string;
declare const MYDOCKER_BUILD_TIME: number;

export interface Build {
	/** package.json's version. */
	readonly version: string;
	/** Unix milliseconds when scripts/build.mjs ran. */
	readonly time: number;
}

/** Which build this is; the engine and its clients compare them (version handshake, api/connect). */
export const build: Build = {
	version: MYDOCKER_VERSION,
	time: MYDOCKER_BUILD_TIME,
};

/** Headers of every answer of our engine, which tell its build. */
export const BUILD_HEADERS = { version: 'mydocker-version', time: 'mydocker-build' } as const;

/** True when `one` is to be replaced by `other`: by version (semver 2.0, 11), then by build time. */
export function isOlderBuild(one: Build, other: Build): boolean {
	return (compareVersions(one.version, other.version) || one.time - other.time) < 0;
}

function compareVersions(one: string, other: string): number {
	const [oneCore, onePre] = splitVersion(one);
	const [otherCore, otherPre] = splitVersion(other);
	const core = compareLists(oneCore, otherCore);
	if (core !== 0) {
		return core;
	}
	// A pre-release comes before its release.
	if (onePre.length === 0 || otherPre.length === 0) {
		return otherPre.length - onePre.length;
	}
	return compareLists(onePre, otherPre);
}

function splitVersion(version: string): [core: string[], preRelease: string[]] {
	const [, core = '', preRelease] = /^([^-+]*)(?:-([^+]*))?/.exec(version) ?? [];
	return [core.split('.'), preRelease === undefined ? [] : preRelease.split('.')];
}

function compareLists(one: readonly string[], other: readonly string[]): number {
	for (let index = 0; index < Math.min(one.length, other.length); index++) {
		const order = compareIdentifiers(one[index] ?? '', other[index] ?? '');
		if (order !== 0) {
			return order;
		}
	}
	return one.length - other.length;
}

/** Numbers by value and before words; words by their characters. */
function compareIdentifiers(one: string, other: string): number {
	const [isNumber, isOtherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)];
	if (isNumber && isOtherNumber) {
		return Number(one) - Number(other);
	}
	if (isNumber !== isOtherNumber) {
		return isNumber ? -1 : 1;
	}
	return one < other ? -1 : one > other ? 1 : 0;
}
