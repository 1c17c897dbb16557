import * as fs from 'node:fs';
import type { Platform } from '../types';

/** The platform of this machine in Go's words, as image indexes use them. */
export function hostPlatform(): Platform {
	if (process.arch === 'arm') {
		return { os: 'linux', architecture: 'arm', variant: armVariant() };
	}
	const architectures: Readonly<Record<string, Platform>> = {
		x64: { os: 'linux', architecture: 'amd64' },
		arm64: { os: 'linux', architecture: 'arm64' },
		ia32: { os: 'linux', architecture: '386' },
	};
	return architectures[process.arch] ?? { os: 'linux', architecture: process.arch };
}

/** The platform with the aliases of containerd's `platforms` resolved: "aarch64" is arm64, "arm64/v8" is "arm64". */
export function normalizePlatform(platform: Platform): Platform {
	const os = platform.os.toLowerCase();
	const given = platform.architecture.toLowerCase();
	const variant = platform.variant?.toLowerCase() ?? '';
	switch (given) {
		case 'x86_64':
		case 'x86-64':
		case 'amd64':
			return withVariant(os, 'amd64', variant === 'v1' ? '' : variant);
		case 'i386':
		case '386':
			return withVariant(os, '386', '');
		case 'aarch64':
		case 'arm64':
			return withVariant(os, 'arm64', variant === '8' || variant === 'v8' ? '' : variant);
		case 'armhf':
			return withVariant(os, 'arm', 'v7');
		case 'armel':
			return withVariant(os, 'arm', 'v6');
		case 'arm':
			return withVariant(os, 'arm', /^[0-9]$/.test(variant) ? `v${variant}` : variant || 'v7');
		default:
			return withVariant(os, given, variant);
	}
}

/** "linux/arm64/v8" */
export function formatPlatform(platform: Platform): string {
	return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

/** Docker's words of an image that is not made for this machine. */
export function platformWarning(platform: Platform): string {
	const [image, host] = [platform, hostPlatform()].map(formatPlatform);
	return `The requested image's platform (${image ?? ''}) does not match the detected host platform (${host ?? ''}) and no specific platform was requested`;
}

/** What a machine of this platform can run, best first: an amd64 machine runs 386, an arm v7 one runs v6 and v5. */
export function runnablePlatforms(platform: Platform): readonly Platform[] {
	const { os, architecture, variant } = normalizePlatform(platform);
	const level = /^v([0-9])/.exec(variant ?? '')?.[1];
	switch (architecture) {
		case 'amd64':
			return [...levels(os, 'amd64', Number(level ?? 1), 1), { os, architecture: '386' }];
		case 'arm':
			return levels(os, 'arm', Number(level ?? 7), 5);
		case 'arm64':
			return [
				withVariant(os, 'arm64', variant ?? ''),
				...(variant === undefined ? [] : [{ os, architecture }]),
				...levels(os, 'arm', 8, 5),
			];
		default:
			return [withVariant(os, architecture, variant ?? '')];
	}
}

/**
 * The candidate that runs best on `wanted`, the first of equals; undefined when none runs there.
 */
export function choosePlatform<T extends { readonly platform?: Platform }>(
	candidates: readonly T[],
	wanted: Platform,
): T | undefined {
	for (const runnable of runnablePlatforms(wanted)) {
		const found = candidates.find(({ platform }) => platform && isSamePlatform(platform, runnable));
		if (found) {
			return found;
		}
	}
	return undefined;
}

/** Whether a machine of platform `wanted` can run what was built for `platform`. */
export function isRunnable(platform: Platform, wanted: Platform): boolean {
	return choosePlatform([{ platform }], wanted) !== undefined;
}

function isSamePlatform(one: Platform, other: Platform): boolean {
	return formatPlatform(normalizePlatform(one)) === formatPlatform(normalizePlatform(other));
}

function levels(os: string, architecture: string, from: number, to: number): Platform[] {
	const platforms: Platform[] = [];
	for (let level = from; level >= to; level--) {
		platforms.push(normalizePlatform({ os, architecture, variant: `v${level}` }));
	}
	return platforms;
}

function withVariant(os: string, architecture: string, variant: string): Platform {
	return variant === '' ? { os, architecture } : { os, architecture, variant };
}

/** Node does not say which ARM it runs on; the kernel does. */
function armVariant(): string {
	const version = /^CPU architecture:\s*([0-9])/m.exec(fs.readFileSync('/proc/cpuinfo', 'latin1'))?.[1];
	return `v${Math.min(Number(version ?? 7), 7)}`;
}
