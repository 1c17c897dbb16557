import assert from 'node:assert/strict';
import {
	choosePlatform,
	formatPlatform,
	hostPlatform,
	isRunnable,
	normalizePlatform,
	runnablePlatforms,
} from '../../../src/core/image/platform';
import type { Platform } from '../../../src/core/types';

function platform(text: string): Platform {
	const [os = '', architecture = '', variant] = text.split('/');
	return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

describe('platform', () => {
	it('aliases mean the same', () => {
		const same: Record<string, string> = {
			'linux/x86_64': 'linux/amd64',
			'Linux/AMD64/v1': 'linux/amd64',
			'linux/amd64/v3': 'linux/amd64/v3',
			'linux/i386': 'linux/386',
			'linux/aarch64': 'linux/arm64',
			'linux/arm64/v8': 'linux/arm64',
			'linux/arm64/8': 'linux/arm64',
			'linux/arm': 'linux/arm/v7',
			'linux/arm/6': 'linux/arm/v6',
			'linux/armhf': 'linux/arm/v7',
			'linux/armel': 'linux/arm/v6',
			'linux/riscv64': 'linux/riscv64',
		};
		for (const [text, normal] of Object.entries(same)) {
			assert.equal(formatPlatform(normalizePlatform(platform(text))), normal, text);
		}
	});

	it('a machine runs what its forerunners ran', () => {
		const runs: Record<string, string> = {
			'linux/amd64': 'linux/amd64 linux/386',
			'linux/amd64/v2': 'linux/amd64/v2 linux/amd64 linux/386',
			'linux/arm/v7': 'linux/arm/v7 linux/arm/v6 linux/arm/v5',
			'linux/arm64': 'linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5',
			'linux/s390x': 'linux/s390x',
		};
		for (const [text, expected] of Object.entries(runs)) {
			assert.equal(runnablePlatforms(platform(text)).map(formatPlatform).join(' '), expected);
		}
	});

	it('the best candidate is chosen, the first of equals', () => {
		const candidates = [
			'linux/386',
			'linux/arm/v6',
			'linux/arm/v7',
			'linux/amd64',
			'windows/amd64',
			'linux/amd64/v1',
		].map((text) => ({ text, platform: platform(text) }));
		const choose = (text: string): string | undefined => choosePlatform(candidates, platform(text))?.text;
		assert.deepEqual(
			['linux/amd64', 'linux/arm', 'linux/arm64', 'linux/386', 'linux/arm/v5', 'windows/amd64'].map(choose),
			['linux/amd64', 'linux/arm/v7', 'linux/arm/v7', 'linux/386', undefined, 'windows/amd64'],
		);
	});

	it('entries without a platform are never chosen', () => {
		assert.equal(choosePlatform([{}], platform('linux/amd64')), undefined);
	});

	it('this machine can run what is built for it', () => {
		assert.ok(isRunnable(hostPlatform(), hostPlatform()));
		assert.equal(hostPlatform().os, 'linux');
	});
});
