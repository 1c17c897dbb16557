import * as assert from 'node:assert/strict';
import {
	booleanFilter,
	globToRegExp,
	hasLabels,
	matches,
	nameExpression,
	parseFilters,
} from '../../../src/api/filters';

describe('filters', () => {
	it('both encodings: mean the same', () => {
		const wanted = new Map([['label', ['a', 'b=1']]]);
		assert.deepEqual(parseFilters('{"label":["a","b=1"]}', ['label']), wanted);
		assert.deepEqual(parseFilters('{"label":{"a":true,"b=1":true,"c":false}}', ['label']), wanted);
	});

	it('none: everything passes', () => {
		for (const text of [null, '', '{}']) {
			assert.equal(
				matches(parseFilters(text, []), 'name', () => false),
				true,
			);
		}
	});

	it('an unknown name: is refused, since leaving it out would give too much', () => {
		assert.throws(() => parseFilters('{"nosuch":["a"]}', ['label']), {
			code: 'invalid',
			message: "invalid filter 'nosuch'",
		});
		assert.throws(() => parseFilters('{"__proto__":["a"]}', ['label']), { code: 'invalid' });
	});

	for (const text of ['{', '[]', '1', 'null', '"label"', '{"label":1}', '{"label":[1]}', '{"label":null}']) {
		it(`malformed ${text}: is refused`, () => {
			assert.throws(() => parseFilters(text, ['label']), { code: 'invalid' });
		});
	}

	it('values of one filter: one of them is enough', () => {
		const filters = parseFilters('{"name":["a","b"]}', ['name']);
		assert.deepEqual(
			['a', 'b', 'c'].map((name) => matches(filters, 'name', (value) => value === name)),
			[true, true, false],
		);
	});

	it('labels: all must be there, with their value when one is asked for', () => {
		const filters = parseFilters('{"label":["a","b=1=2"]}', ['label']);
		assert.deepEqual(
			[{ a: 'x', b: '1=2' }, { a: '', b: '1' }, { b: '1=2' }].map((labels) => hasLabels(filters, labels)),
			[true, false, false],
		);
		assert.equal(hasLabels(parseFilters('{"label":["toString"]}', ['label']), {}), false);
	});

	it('booleans: true, 1, false and 0; both at once or another word is refused', () => {
		const read = (values: string) =>
			booleanFilter(parseFilters(`{"dangling":${values}}`, ['dangling']), 'dangling');
		assert.deepEqual([read('["true"]'), read('["0"]'), read('[]')], [true, false, undefined]);
		assert.throws(() => read('["true","false"]'), { message: "invalid filter 'dangling=[true false]'" });
		assert.throws(() => read('["maybe"]'), { code: 'invalid' });
	});
});

describe('reference pattern', () => {
	const cases: [string, string, boolean][] = [
		['nginx', 'nginx', true],
		['ngin*', 'nginx', true],
		['*', 'library/nginx', false],
		['*/nginx', 'library/nginx', true],
		['ng?nx:1.[0-9]', 'nginx:1.5', true],
		['ng?nx:1.[^0-9]', 'nginx:1.5', false],
		['a.b', 'axb', false],
		['a\\*b', 'a*b', true],
		['[[]', '[', true],
		['\\[', '[', true],
		['(a|b)', 'a', false],
	];
	for (const [glob, text, passes] of cases) {
		it(`${glob}: ${passes ? 'takes' : 'leaves'} ${text}`, () => {
			assert.equal(globToRegExp(glob).test(text), passes);
		});
	}

	for (const glob of ['[', '[]', '[^]', '[a', '[-a]', '[a-]', 'a\\', '[]a]']) {
		it(`${glob}: is refused, as Go does`, () => {
			assert.throws(() => globToRegExp(glob), { code: 'invalid', message: 'syntax error in pattern' });
		});
	}

	it('many stars: do not take for ever', () => {
		assert.equal(globToRegExp('*'.repeat(5000)).test('a'.repeat(5000)), true);
	});
});

describe('name pattern', () => {
	it("parts, anchors and simple patterns: are docker's", () => {
		assert.deepEqual(
			['web', '^/web-1$', 'b-\\d', 'w.b'].map((text) => nameExpression(text).test('/web-1')),
			[true, true, true, true],
		);
	});

	for (const text of ['(a+)+$', 'a**', '[', '.*.*.*.*x', 'a'.repeat(300), '(?=a)']) {
		it(`${text.slice(0, 20)}: is refused, as it could run for long or is no pattern`, () => {
			assert.throws(() => nameExpression(text), { code: 'invalid' });
		});
	}
});
