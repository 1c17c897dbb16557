import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CommandError } from '../../../src/cli/errors';
import { filters, integer, list, parseFlags, text, toggle } from '../../../src/cli/flags';

const flags = {
	all: toggle('-a, --all', ''),
	interactive: toggle('-i, --interactive', ''),
	proxy: toggle('--proxy', '', true),
	name: text('--name', 'string', ''),
	env: list('-e, --env', 'list', ''),
	last: integer('-n, --last', ''),
	filter: filters(''),
	network: { ...text('--network', 'string', ''), alias: '--net' },
};
const unset = {
	all: false,
	interactive: false,
	proxy: true,
	name: undefined,
	env: [],
	last: undefined,
	filter: {},
	network: undefined,
};

function parsed(...args: string[]): object {
	const { operands, values } = parseFlags(flags, args, false);
	const set = Object.entries(values).filter(([key, value]) => value !== unset[key as keyof typeof unset]);
	return {
		...Object.fromEntries(
			set.filter(([, value]) => JSON.stringify(value) !== '[]' && JSON.stringify(value) !== '{}'),
		),
		operands,
	};
}

function refusal(...args: string[]): string {
	try {
		parseFlags(flags, args, false);
	} catch (error) {
		assert.ok(error instanceof CommandError);
		assert.equal(error.exitCode, 125);
		return error.message;
	}
	return assert.fail('nothing was refused');
}

describe('flags', () => {
	it('a switch: bare, grouped, with a value, taken back', () => {
		assert.deepEqual(parsed('-a'), { all: true, operands: [] });
		assert.deepEqual(parsed('-ai'), { all: true, interactive: true, operands: [] });
		assert.deepEqual(parsed('--proxy=false', '-a=1'), { all: true, proxy: false, operands: [] });
		assert.deepEqual(parsed('--all', '--all=false'), { operands: [] });
	});

	it('a switch takes no following word', () => {
		assert.deepEqual(parsed('--all', 'false'), { all: true, operands: ['false'] });
	});

	it('a value: apart, after "=", glued to the letter, at the end of a group', () => {
		assert.deepEqual(parsed('--name', 'x', '-n', '2', 'y'), { name: 'x', last: 2, operands: ['y'] });
		assert.deepEqual(parsed('--name=a=b', '-n=2'), { name: 'a=b', last: 2, operands: [] });
		assert.deepEqual(parsed('-an2', '-eA=1', '-e=B'), { all: true, last: 2, env: ['A=1', 'B'], operands: [] });
	});

	it('a value may look like a flag', () => {
		assert.deepEqual(parsed('-n', '-1', '--name', '--all'), { last: -1, name: '--all', operands: [] });
	});

	it('a hidden name sets the same value', () => {
		assert.deepEqual(parsed('--net', 'host'), { network: 'host', operands: [] });
	});

	it('the last of several counts, but a list keeps all', () => {
		assert.deepEqual(parsed('--name', 'a', '--name', 'b', '-e', '1', '-e', '2'), {
			name: 'b',
			env: ['1', '2'],
			operands: [],
		});
	});

	it('filters: several values of one name are alternatives', () => {
		assert.deepEqual(parsed('-f', 'name=a', '-f', 'name=b', '--filter', 'label=k=v'), {
			filter: { name: ['a', 'b'], label: ['k=v'] },
			operands: [],
		});
		assert.deepEqual(Object.entries(parseFlags(flags, ['-f', '__proto__=x'], false).values['filter'] as object), [
			['__proto__', ['x']],
		]);
	});

	it('flags stand anywhere, up to "--"', () => {
		assert.deepEqual(parsed('x', '-a', '-', '--', '-i', '--name'), {
			all: true,
			operands: ['x', '-', '-i', '--name'],
		});
	});

	it("flags end at the first operand when what follows is the container's", () => {
		const { operands, values } = parseFlags(flags, ['-a', 'busybox', 'ls', '-i', '--'], true);
		assert.deepEqual(
			[operands, values['all'], values['interactive']],
			[['busybox', 'ls', '-i', '--'], true, false],
		);
	});

	it('numbers are as Go reads them', () => {
		assert.deepEqual(
			['7', '-1', '+3', '0x10', '010', '0'].map(
				(value) => parseFlags(flags, ['-n', value], false).values['last'],
			),
			[7, -1, 3, 16, 8, 0],
		);
	});

	it("what is wrong is told in docker's words", () => {
		const cases: readonly (readonly [string[], string])[] = [
			[['--x'], 'unknown flag: --x'],
			[['--x=1'], 'unknown flag: --x'],
			[['-Z'], "unknown shorthand flag: 'Z' in -Z"],
			[['-aZ'], "unknown shorthand flag: 'Z' in -Z"],
			[['-9'], "unknown shorthand flag: '9' in -9"],
			[['--name'], 'flag needs an argument: --name'],
			[['-ae'], "flag needs an argument: 'e' in -e"],
			[['---'], 'bad flag syntax: ---'],
			[['--=a'], 'bad flag syntax: --=a'],
			[
				['--all=maybe'],
				'invalid argument "maybe" for "-a, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
			],
			[['-n', 'x'], 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
			[['-f', 'x'], 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'],
		];
		assert.deepEqual(
			cases.map(([args]) => refusal(...args)),
			cases.map(([, message]) => message),
		);
	});

	it('any value comes through unchanged, in each spelling', () => {
		fc.assert(
			fc.property(fc.string(), (value) => {
				for (const args of [['--env', value], [`--env=${value}`], ['-e', value], [`-e=${value}`]]) {
					assert.deepEqual(parseFlags(flags, args, false).values['env'], [value]);
				}
			}),
		);
	});

	it('any words give an answer or a UsageError', () => {
		const word = fc.oneof(fc.string(), fc.constantFrom('-', '--', '-a', '-e', '-ie', '--name', '--all=', '-n=1'));
		fc.assert(
			fc.property(fc.array(word), (args) => {
				try {
					parseFlags(flags, args, false);
				} catch (error) {
					assert.ok(error instanceof CommandError);
				}
			}),
		);
	});
});
