import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { limitsProblem } from '../../../src/core/container/cgroup';
import { CONSOLE_PROBLEM } from '../../../src/core/container/console';
import { MINIMAL_PROBLEM } from '../../../src/core/container/minimal-runtime';
import { networkProblems } from '../../../src/core/network/firewall';
import { probeOutbound } from '../../../src/core/network/outbound';

type Strings = Record<string, string>;

const read = (file: string): string => fs.readFileSync(file, 'utf8');
const strings = (file: string): Strings => JSON.parse(read(file)) as Strings;
const difference = (from: Iterable<string>, without: Iterable<string>): string[] => {
	const other = new Set(without);
	return [...new Set(from)].filter((key) => !other.has(key)).sort();
};

describe('languages', () => {
	const sources = fs
		.readdirSync('src', { recursive: true, encoding: 'utf8' })
		.filter((file) => file.endsWith('.ts'))
		.map((file) => read(path.join('src', file)));
	const calls = sources.flatMap((source) => [...source.matchAll(/\bl10n\.t\(/g)]);
	const literals = (call: string): string[] =>
		sources
			.flatMap((source) => [...source.matchAll(new RegExp(`\\b${call}\\(\\s*'((?:[^'\\\\]|\\\\.)*)'`, 'g'))])
			.map((match) => (match[1] ?? '').replaceAll(/\\(.)/g, '$1'));
	const used = literals('l10n\\.t');
	/** Of the engine, whose sentences the Doctor shows. */
	const found = [
		...literals('say'),
		...[MINIMAL_PROBLEM, CONSOLE_PROBLEM, limitsProblem(true, true), limitsProblem(false, false)],
		...[false, true]
			.map((mayUse) =>
				probeOutbound(
					() => undefined,
					() => mayUse,
				),
			)
			.map(({ problem }) => problem),
		...networkProblems({ isAllowed: false, hasIp: false, hasFirewall: false }).map((problem) => `${problem}.`),
	];
	const bundle = strings('l10n/bundle.l10n.zh-cn.json');
	const english = strings('package.nls.json');
	const chinese = strings('package.nls.zh-cn.json');
	const placeholders = (text: string): string[] => [...text.matchAll(/\{\d+\}/g)].map(([match]) => match).sort();
	const links = (text: string): string[] => [...text.matchAll(/\(command:[^)]+\)/g)].map(([match]) => match).sort();

	it('every l10n.t call: begins with a literal, so that this test sees it', () => {
		assert.equal(used.length, calls.length);
	});

	it('sentences of the code: all are in the Chinese bundle, and none is there for nothing', () => {
		assert.deepEqual(
			{
				missing: difference([...used, ...found], Object.keys(bundle)),
				stale: difference(Object.keys(bundle), [...used, ...found]),
			},
			{
				missing: [],
				stale: [],
			},
		);
	});

	it('sentences of the code: a translation has the same places to fill', () => {
		const wrong = Object.entries(bundle).filter(
			([key, text]) => text === '' || placeholders(key).join() !== placeholders(text).join(),
		);
		assert.deepEqual(wrong, []);
	});

	it('package.json: every %key% is in both languages, and none is there for nothing', () => {
		const keys = [...read('package.json').matchAll(/"%([^"%]+)%"/g)].map((match) => match[1] ?? '');
		assert.deepEqual(
			[english, chinese].map((texts) => [
				difference(keys, Object.keys(texts)),
				difference(Object.keys(texts), keys),
			]),
			[
				[[], []],
				[[], []],
			],
		);
	});

	it('package.json: a translation has the same links', () => {
		const wrong = Object.keys(english).filter(
			(key) => links(english[key] ?? '').join() !== links(chinese[key] ?? '').join(),
		);
		assert.deepEqual(wrong, []);
	});
});
