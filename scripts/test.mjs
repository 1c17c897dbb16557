#!/usr/bin/env node
// Runs the tests.
//   node scripts/test.mjs [TIER…]     all tiers by default
// Sets the machine up, builds, runs each tier as a program of its own and ends with "N passed, N failed, N skipped" and
// an honest exit code: a tier that crashes, hangs or runs no test counts as a failure.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { interruption, startBackground } from './background.mjs';
import { setup } from './setup.mjs';

const root = path.resolve(import.meta.dirname, '..');
const bin = (name) => path.join(root, 'node_modules/.bin', name);
const packagedNode = bin('node');
const mochaArguments = ['node_modules/mocha/bin/mocha.js', '--reporter', 'scripts/mocha-reporter.cjs'];
const vsix = path.join(root, 'out/mydocker-test.vsix');

// Unit tests write small files only, and wait for none of them in memory.
const memory = fs.existsSync('/dev/shm') ? { TMPDIR: '/dev/shm' } : {};
// One after the other: of twenty parallel runs one waited for its own server for ever, in another test each time.
const unitArguments = [...mochaArguments, '--timeout', '10000', 'out/test/unit/**/*.test.js'];

const engineTests = (...files) => [packagedNode, ...mochaArguments, '--timeout', '60000', ...files];

// The programs of a tier run at the same time; what the first says is seen at once. A tier with `counts` says through mocha how many tests passed;
// the others only succeed or fail. `minutes` end a tier that hangs.
const tiers = {
	check: {
		minutes: 3,
		programs: () => [
			[bin('tsc'), '--noEmit'],
			[bin('tsc'), '--noEmit', '-p', 'src/webview'],
		],
	},
	lint: {
		minutes: 5,
		programs: () => [
			[bin('eslint'), '.'],
			[bin('depcruise'), 'src', '--config', '.dependency-cruiser.cjs'],
			[bin('prettier'), '--check', '.'],
		],
	},
	unit: {
		minutes: 3,
		counts: true,
		env: memory,
		programs: () => [[packagedNode, ...unitArguments]],
	},
	'unit-machine': {
		minutes: 3,
		counts: true,
		// The same tests as in `unit`, so only what fails is worth reading.
		env: { ...memory, MYDOCKER_TEST_REPORTER: 'Dot' },
		programs: () => [[machineNode(), ...unitArguments]],
	},
	engine: {
		minutes: 25,
		counts: true,
		// Half of their time goes by in waiting. The contract takes as long as all the others.
		programs: () => [
			engineTests('out/test/engine/contract.test.js'),
			engineTests('--exclude', 'out/test/engine/contract.test.js', 'out/test/engine/**/*.test.js'),
		],
	},
	// The engine's contract once more, kept by an ordinary user's engine.
	rootless: {
		minutes: 20,
		counts: true,
		programs: () => [engineTests('out/test/rootless/**/*.test.js')],
	},
	host: { minutes: 8, counts: true, needsRegistry: true, programs: () => [[packagedNode, 'test/runTest.mjs']] },
	// The rest runs what users get: the package, installed.
	vsix: {
		minutes: 8,
		counts: true,
		needsRegistry: true,
		needsPackage: true,
		programs: () => [[packagedNode, ...mochaArguments, '--timeout', '120000', 'test/vsix/*.test.mjs']],
	},
	ui: {
		minutes: 12,
		counts: true,
		needsRegistry: true,
		needsPackage: true,
		// What goes wrong once only (a window that loses the focus on a busy machine) is told at the end.
		programs: () => [
			[packagedNode, ...mochaArguments, '--timeout', '120000', '--retries', '1', 'test/ui/*.ui.mjs'],
		],
	},
};

const interrupted = interruption();
process.chdir(root);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in tiers));
if (unknown.length > 0) {
	console.error(`Cannot run "${unknown.join(' ')}": the tiers are ${Object.keys(tiers).join(', ')}`);
	process.exit(2);
}
process.exit((await main(wanted.length > 0 ? wanted : Object.keys(tiers))) ? 0 : 1);

async function main(names) {
	const start = Date.now();
	const results = [];
	const shared = { temporary: fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-test-')) };
	try {
		prepare();
		for (const name of names) {
			results.push(await runTier(name, shared));
			interrupted.throwIfAborted();
		}
	} catch (error) {
		console.error(error.message);
		results.push({ name: 'set-up', passed: 0, failed: 1, skipped: 0, seconds: secondsSince(start) });
	} finally {
		await shared.registry?.stop();
		fs.rmSync(shared.temporary, { recursive: true, force: true });
	}
	return report(results, start);
}

/** The machine, and dist/ and out/ built from what is in the work tree now. */
function prepare() {
	setup({ tests: true });
	const built = spawnSync(packagedNode, ['scripts/build.mjs', '--tests'], {
		stdio: ['ignore', 'inherit', 'inherit'],
	});
	if (built.status !== 0) {
		throw new Error('Cannot build (see above)');
	}
}

async function runTier(name, shared) {
	const tier = tiers[name];
	const start = Date.now();
	const counts = path.join(shared.temporary, name);
	console.log(`\n━━ ${name}`);
	let problem;
	try {
		await provide(tier, shared);
		problem = await runPrograms(tier, {
			...process.env,
			PATH: `${path.dirname(packagedNode)}:${process.env.PATH}`,
			MYDOCKER_TEST_COUNTS: counts,
			MYDOCKER_TEST_VSIX: vsix,
			...(process.stdout.isTTY ? {} : { FORCE_COLOR: '0' }),
			...tier.env,
			...(shared.registry ? { MYDOCKER_TEST_REGISTRY: shared.registry.host } : {}),
		});
	} catch (error) {
		console.error(error.message);
		problem = 'could not begin';
	}
	const result = { ...readCounts(counts), name, seconds: secondsSince(start) };
	if (!problem && tier.counts && result.passed === 0) {
		problem = 'no test ran';
	}
	return { ...result, problem, failed: problem ? Math.max(result.failed, 1) : result.failed };
}

/** What several tiers use is made once, by the first that needs it. */
async function provide(tier, shared) {
	if (tier.needsRegistry) {
		const { startRegistry } = await import('./registry.mjs');
		shared.registry ??= await startRegistry();
	}
	if (tier.needsPackage && !shared.isPackaged) {
		const { packageExtension } = await import('./package.mjs');
		packageExtension(vsix);
		shared.isPackaged = true;
	}
}

/** Runs all programs of a tier at once, whatever they say; gives what went wrong, or undefined. */
async function runPrograms(tier, env) {
	const runs = tier.programs().map((program, index) => runProgram(program, { index, minutes: tier.minutes, env }));
	const problems = (await Promise.all(runs)).filter(Boolean);
	interrupted.throwIfAborted();
	return problems.length > 0 ? problems.join(', ') : undefined;
}

async function runProgram([program, ...args], { index, minutes, env }) {
	const name = path.basename(program);
	const counts = `${env.MYDOCKER_TEST_COUNTS}.${index}`;
	const log = index === 0 ? undefined : `${counts}.log`;
	const background = startBackground(name, program, args, {
		env: { ...env, MYDOCKER_TEST_COUNTS: counts },
		to: log === undefined ? 'inherit' : fs.openSync(log, 'w'),
	});
	const stop = () => void background.stop({ signal: 'SIGINT', grace: 30_000 });
	let isLate = false;
	const timer = setTimeout(() => {
		isLate = true;
		stop();
	}, minutes * 60_000);
	interrupted.addEventListener('abort', stop);
	const ending = await background.ended();
	interrupted.removeEventListener('abort', stop);
	clearTimeout(timer);
	if (log !== undefined) {
		process.stdout.write(fs.readFileSync(log));
	}
	if (isLate) {
		return `${name} did not end within ${minutes} minutes`;
	}
	return ending === 0 ? undefined : `${name} ended with ${ending}`;
}

/** What the programs of a tier left behind, together. */
function readCounts(file) {
	const total = { passed: 0, failed: 0, skipped: 0, failures: [], repeated: [] };
	for (let index = 0; fs.existsSync(`${file}.${index}`); index++) {
		const { counts, failures, repeated } = JSON.parse(fs.readFileSync(`${file}.${index}`, 'utf8'));
		for (const [name, count] of Object.entries(counts)) {
			total[name] += count;
		}
		total.failures.push(...failures);
		total.repeated.push(...repeated);
	}
	return total;
}

function report(results, start) {
	// Once more at the end: it stands far above otherwise, and whoever sees only the end must know it too.
	for (const { name, failures = [], repeated = [] } of results) {
		for (const attempt of repeated) {
			console.log(`\n━━ tried again in ${name}: ${attempt}`);
		}
		for (const failure of failures) {
			console.log(`\n━━ failed in ${name}: ${failure}`);
		}
	}
	console.log('\n━━ result');
	const total = { passed: 0, failed: 0, skipped: 0 };
	for (const { name, passed, failed, skipped, seconds, problem } of results) {
		const mark = failed === 0 ? '✓' : '✗';
		const counts = tiers[name]?.counts
			? `${passed} tests, ${failed} failing, ${skipped} skipped`
			: (problem ?? 'no problem');
		console.log(
			`${mark} ${name.padEnd(14)} ${seconds.padStart(6)} s   ${counts}${problem && tiers[name]?.counts ? ` (${problem})` : ''}`,
		);
		total.passed += passed;
		total.failed += failed;
		total.skipped += skipped;
	}
	console.log(`  ${'all'.padEnd(14)} ${secondsSince(start).padStart(6)} s\n`);
	console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
	return total.failed === 0;
}

/** The Node of the machine itself, which runs the command line and the engine outside VS Code (20 on Debian here). */
function machineNode() {
	const folder = process.env.PATH.split(':').find(
		(each) => !each.endsWith('node_modules/.bin') && fs.existsSync(path.join(each, 'node')),
	);
	return folder ? path.join(folder, 'node') : process.execPath;
}

function secondsSince(start) {
	return ((Date.now() - start) / 1000).toFixed(1);
}
