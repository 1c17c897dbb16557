import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EngineError } from '../../../src/core/errors';
import {
	familiarName,
	formatReference,
	normalizedName,
	parseReference,
	withDefaultTag,
} from '../../../src/core/image/reference';

const HEX = 'a'.repeat(64);
const DIGEST = `sha256:${HEX}`;

describe('reference', () => {
	const valid: [text: string, normalized: string, tag?: string | undefined, digest?: string][] = [
		['nginx', 'docker.io/library/nginx'],
		['nginx:1.27', 'docker.io/library/nginx', '1.27'],
		['library/nginx', 'docker.io/library/nginx'],
		['docker.io/nginx', 'docker.io/library/nginx'],
		['index.docker.io/nginx', 'docker.io/library/nginx'],
		['index.docker.io/library/nginx:x', 'docker.io/library/nginx', 'x'],
		['user/app', 'docker.io/user/app'],
		['user/a/b', 'docker.io/user/a/b'],
		['localhost/app', 'localhost/app'],
		['localhost:5000/app', 'localhost:5000/app'],
		['localhost:5000/app:5000', 'localhost:5000/app', '5000'],
		['ghcr.io/org/app', 'ghcr.io/org/app'],
		['registry/app', 'docker.io/registry/app'],
		['Registry/app', 'Registry/app'],
		['a:5/b', 'a:5/b'],
		['127.0.0.1:5000/demo/web', '127.0.0.1:5000/demo/web'],
		['[::1]:5000/app:1', '[::1]:5000/app', '1'],
		['xn--n3h.com/app', 'xn--n3h.com/app'],
		['a__b/c---d', 'docker.io/a__b/c---d'],
		['nginx:T_.-9', 'docker.io/library/nginx', 'T_.-9'],
		[`nginx@${DIGEST}`, 'docker.io/library/nginx', undefined, DIGEST],
		[`a.io/b:c@${DIGEST}`, 'a.io/b', 'c', DIGEST],
		[`sha256:${'b'.repeat(63)}`, 'docker.io/library/sha256', 'b'.repeat(63)],
	];
	for (const [text, normalized, tag, digest] of valid) {
		it(`"${text.slice(0, 40)}" is ${normalized}`, () => {
			const reference = parseReference(text);
			assert.deepEqual([normalizedName(reference), reference.tag, reference.digest], [normalized, tag, digest]);
		});
	}

	const FORMAT = 'invalid reference format';
	const invalid: [text: string, message: string][] = [
		['', FORMAT],
		[' ', FORMAT],
		[':', FORMAT],
		['a:', FORMAT],
		['a@', FORMAT],
		['a//b', FORMAT],
		['/a', FORMAT],
		['a/', FORMAT],
		['a..b', FORMAT],
		['-a', FORMAT],
		['a-', FORMAT],
		['a___b', FORMAT],
		['a._b', FORMAT],
		['a b', FORMAT],
		['a\n', FORMAT],
		['a\u0000b', FORMAT],
		['../../etc/passwd', FORMAT],
		['https://a.io/b', FORMAT],
		['user:secret@a.io/b', FORMAT],
		['a.b__c-d---e/f_g', FORMAT],
		['-bad.io/a', FORMAT],
		['a.io:port/b', FORMAT],
		['a:.b', FORMAT],
		[`a:${'t'.repeat(129)}`, FORMAT],
		['a@sha256:abc', FORMAT],
		[`a@sha256:${'a'.repeat(63)}`, 'invalid checksum digest length'],
		[`a@sha256:${'A'.repeat(64)}`, 'invalid checksum digest length'],
		[`a@sha512:${'a'.repeat(128)}`, 'unsupported digest algorithm'],
		['Foo', `${FORMAT}: repository name (library/Foo) must be lowercase`],
		['user/Foo:1', `${FORMAT}: repository name (user/Foo) must be lowercase`],
		['a.io/Foo', `${FORMAT}: repository name (Foo) must be lowercase`],
		[HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
		[`a.io/${'a'.repeat(251)}`, 'repository name must not be more than 255 characters'],
	];
	for (const [text, message] of invalid) {
		it(`${JSON.stringify(text.slice(0, 30))} is refused with docker's text`, () => {
			assert.throws(() => parseReference(text), new EngineError('invalid', message));
		});
	}

	it('a name may have 255 characters', () => {
		assert.equal(normalizedName(parseReference(`a.io/${'a'.repeat(250)}`)).length, 255);
	});

	it('the tag "latest" is added where there is neither tag nor digest', () => {
		assert.equal(withDefaultTag(parseReference('a')).tag, 'latest');
		assert.equal(withDefaultTag(parseReference('a:b')).tag, 'b');
		assert.equal(withDefaultTag(parseReference(`a@${DIGEST}`)).tag, undefined);
	});

	it('the familiar name is the shortest that means the same', () => {
		assert.deepEqual(
			['docker.io/library/a', 'docker.io/a/b', 'docker.io/library/a/b', 'docker.io/my.org/a', 'a.io/b'].map(
				familiarName,
			),
			['a', 'a/b', 'library/a/b', 'docker.io/my.org/a', 'a.io/b'],
		);
	});

	const alphanumeric = fc.string({
		unit: fc.constantFrom(...'abcxyz019'.split('')),
		minLength: 1,
		maxLength: 6,
	});
	const component = fc
		.array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '--'), alphanumeric), { maxLength: 2 })
		.chain((rest) => alphanumeric.map((first) => first + rest.map((pair) => pair.join('')).join('')));
	const reference = fc.record(
		{
			registry: fc.constantFrom('docker.io', 'localhost', 'localhost:5000', 'Upper', 'a.io', '[::1]:1'),
			repository: fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
			tag: fc.constantFrom('latest', '1', 'A_.-b'),
			digest: fc.constant(DIGEST),
		},
		{ requiredKeys: ['registry', 'repository'] },
	);

	it('what is formatted parses to the same', () => {
		fc.assert(
			fc.property(reference, ({ registry, repository, ...rest }) => {
				const isBare = registry === 'docker.io' && !repository.includes('/');
				const original = { registry, repository: isBare ? `library/${repository}` : repository, ...rest };
				assert.deepEqual(parseReference(formatReference(original)), original);
			}),
		);
	});

	it('any text either parses to parts that stay in their grammar, or is refused as invalid', () => {
		fc.assert(
			fc.property(
				fc.string({ unit: fc.constantFrom(...'aA0./:@-_%?# \n\\[]'.split('')), maxLength: 20 }),
				(text) => {
					try {
						const { registry, repository, tag = 'x' } = parseReference(text);
						assert.match(registry, /^[A-Za-z0-9.[\]:-]+$/);
						assert.match(repository, /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/);
						assert.match(tag, /^\w[\w.-]*$/);
					} catch (error) {
						assert.ok(error instanceof EngineError && error.code === 'invalid', String(error));
					}
				},
			),
		);
	});
});
