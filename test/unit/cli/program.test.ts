import * as assert from 'node:assert/strict';
import { globalFlags, nouns, rows } from '../../../src/cli/commands';
import { CommandError } from '../../../src/cli/errors';
import { parseCommandLine } from '../../../src/cli/program';

const program = { rows, nouns, flags: globalFlags };

/** The name, operands and flags that differ from their defaults; or the first line of the help. */
function request(line: string): unknown {
	const { request: found } = parseCommandLine(program, line === '' ? [] : line.split(' '));
	if ('help' in found) {
		return found.help.split('\n')[0];
	}
	const set = Object.entries(found.flags).filter(([key, value]) => value !== found.row.flags[key]?.initial);
	return [found.name, ...found.operands, ...(set.length > 0 ? [Object.fromEntries(set)] : [])];
}

function refusal(line: string): { readonly message: string; readonly exitCode: number } {
	try {
		parseCommandLine(program, line.split(' '));
	} catch (error) {
		assert.ok(error instanceof CommandError);
		return { message: error.message, exitCode: error.exitCode };
	}
	return assert.fail('nothing was refused');
}

describe('command line', () => {
	it('finds a command by its short verb, by its noun, and by an alias', () => {
		assert.deepEqual(['ps -a', 'container list -a', 'container ls -a', 'container ps -a'].map(request), [
			['ps', { all: true }],
			['container list', { all: true }],
			['container list', { all: true }],
			['container list', { all: true }],
		]);
		assert.deepEqual(['rmi x', 'image rm x', 'image remove x'].map(request), [
			['rmi', 'x'],
			['image remove', 'x'],
			['image remove', 'x'],
		]);
	});

	it("the flags of `run` end at the image: the rest is the container's", () => {
		assert.deepEqual(request('run --rm -it busybox ls -l --help'), [
			'run',
			'busybox',
			'ls',
			'-l',
			'--help',
			{ interactive: true, rm: true, tty: true },
		]);
	});

	it('flags may follow operands elsewhere', () => {
		assert.deepEqual(request('rm a -f b'), ['rm', 'a', 'b', { force: true }]);
	});

	it('global flags come before the command', () => {
		const { globals } = parseCommandLine(program, ['-D', '--root', '/store', 'ps']);
		assert.deepEqual([globals['debug'], globals['root'], globals['host']], [true, '/store', undefined]);
		assert.deepEqual(refusal('ps --root /store').message.split('\n')[0], 'unknown flag: --root');
	});

	it('help: of everything, of a noun, of a command', () => {
		assert.deepEqual(
			[
				'',
				'--help',
				'help',
				'container',
				'image --help',
				'help image',
				'ps --help',
				'help ps',
				'image help ls',
				'rm x --help',
			].map(request),
			[
				'Usage:  mydocker [OPTIONS] COMMAND',
				'Usage:  mydocker [OPTIONS] COMMAND',
				'Usage:  mydocker [OPTIONS] COMMAND',
				'Usage:  mydocker container COMMAND',
				'Usage:  mydocker image COMMAND',
				'Usage:  mydocker image COMMAND',
				'Usage:  mydocker ps [OPTIONS]',
				'Usage:  mydocker ps [OPTIONS]',
				'Usage:  mydocker image list [OPTIONS] [REPOSITORY[:TAG]]',
				'Usage:  mydocker rm [OPTIONS] CONTAINER [CONTAINER...]',
			],
		);
	});

	it("help is laid out as docker's", () => {
		const { request: found } = parseCommandLine(program, ['stop', '--help']);
		assert.deepEqual('help' in found && found.help.split('\n'), [
			'Usage:  mydocker stop [OPTIONS] CONTAINER [CONTAINER...]',
			'',
			'Stop one or more running containers',
			'',
			'Aliases:',
			'  mydocker container stop, mydocker stop',
			'',
			'Options:',
			'  -s, --signal string   Signal to send to the container',
			'  -t, --timeout int     Seconds to wait before killing the container',
			'',
		]);
	});

	it("wrong words get docker's sentence, usage and exit code", () => {
		assert.deepEqual(refusal('ps --x'), {
			message:
				"unknown flag: --x\n\nUsage:  mydocker ps [OPTIONS]\n\nRun 'mydocker ps --help' for more information",
			exitCode: 125,
		});
		assert.deepEqual(
			[
				'run',
				'rm',
				'tag a',
				'rename a b c',
				'ps a',
				'pull a b',
				'images a b',
				'nosuch',
				'container nosuch',
				'image --x',
			].map((line) => [refusal(line).message.split('\n')[0], refusal(line).exitCode]),
			[
				["mydocker: 'mydocker run' requires at least 1 argument", 1],
				["mydocker: 'mydocker rm' requires at least 1 argument", 1],
				["mydocker: 'mydocker tag' requires 2 arguments", 1],
				["mydocker: 'mydocker rename' requires 2 arguments", 1],
				["mydocker: 'mydocker ps' accepts no arguments", 1],
				["mydocker: 'mydocker pull' requires 1 argument", 1],
				["mydocker: 'mydocker images' requires at most 1 argument", 1],
				['mydocker: unknown command: mydocker nosuch', 1],
				['mydocker: unknown command: mydocker container nosuch', 1],
				['unknown flag: --x', 125],
			],
		);
	});

	it('the table: every name is found and stands once, every flag once in its row', () => {
		const names = rows.flatMap((row) => row.names);
		assert.deepEqual(names, [...new Set(names)]);
		for (const row of rows) {
			for (const name of row.names) {
				const [noun = ''] = name.split(' ');
				assert.ok(!name.includes(' ') || Object.hasOwn(nouns, noun), `${name} has no noun`);
				assert.match(String(request(`${name} --help`)), /^Usage: {2}mydocker \w/);
			}
			const spellings = Object.values(row.flags).flatMap((flag) => flag.spelling.split(', '));
			assert.deepEqual(spellings, [...new Set(spellings)], row.names[0]);
		}
	});

	it('the table: every row loads its action', async () => {
		for (const row of rows) {
			assert.equal(typeof (await row.load()), 'function', row.names[0]);
		}
	});
});
