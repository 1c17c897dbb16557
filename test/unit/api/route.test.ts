import * as assert from 'node:assert/strict';
import { resolveTarget, statusOf } from '../../../src/api/server';
import { agreedVersion } from '../../../src/api/transport';
import { EngineError } from '../../../src/core/errors';
import type { ErrorCode } from '../../../src/core/errors';

describe('routes', () => {
	const cases: [string, string, Record<string, string>][] = [
		['GET', '/v1.41/containers/json?all=1', {}],
		['GET', '/containers/abc/json', { id: 'abc' }],
		['GET', '/images/json', {}],
		['GET', '/images/10.0.0.1:5000/a/b:1/json', { name: '10.0.0.1:5000/a/b:1' }],
		['GET', '/images/localhost%3A5000%2Fa/json', { name: 'localhost:5000/a' }],
		['GET', '/images/json/json', { name: 'json' }],
		['POST', '/images/a/tag/tag', { name: 'a/tag' }],
		['DELETE', '/v1.47/images/sha256:abc', { name: 'sha256:abc' }],
		['HEAD', '/_ping', {}],
		['POST', '/swarm/init', {}],
	];
	for (const [method, url, parameters] of cases) {
		it(`${method} ${url}: is found`, () => {
			assert.deepEqual(resolveTarget(method, url).parameters, parameters);
		});
	}

	for (const [method, url] of [
		['GET', '/'],
		['GET', '/nosuch'],
		['PUT', '/info'],
		['GET', '/v1.47'],
		['GET', '/vx/info'],
		['GET', '/containers/a/b/json'],
		['GET', '/containers//json'],
		['GET', 'http://elsewhere/info'],
		['GET', '*'],
	] as const) {
		it(`${method} ${url}: page not found`, () => {
			assert.throws(() => resolveTarget(method, url), { code: 'not-found', message: 'page not found' });
		});
	}

	it('version: of the path, else the newest', () => {
		assert.equal(resolveTarget('GET', '/v1.24/info').version, '1.24');
		assert.equal(resolveTarget('GET', '/info').version, '1.47');
	});

	it("too old or too new: docker's texts", () => {
		assert.throws(() => resolveTarget('GET', '/v1.23/info'), {
			message:
				'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
		});
		assert.throws(() => resolveTarget('GET', '/v1.100/info'), {
			message: 'client version 1.100 is too new. Maximum supported API version is 1.47',
		});
	});

	it('a broken escape: is refused', () => {
		assert.throws(() => resolveTarget('GET', '/images/%zz/json'), { code: 'invalid' });
		assert.throws(() => resolveTarget('GET', '/images/%ff/json'), { code: 'invalid' });
	});

	it('query: is kept apart from the path', () => {
		const { query } = resolveTarget('GET', '/containers/json?filters=%7B%22a%22%3A1%7D&x=1?2');
		assert.deepEqual([query.get('filters'), query.get('x')], ['{"a":1}', '1?2']);
	});
});

describe('API version', () => {
	for (const [engines, agreed] of [
		['1.41', '1.41'],
		['1.47', '1.47'],
		['1.50', '1.47'],
		['1.9', '1.9'],
		[undefined, '1.24'],
		['x', '1.24'],
	] as const) {
		it(`engine ${engines ?? 'that says none'}: ${agreed}`, () => {
			assert.equal(agreedVersion(engines), agreed);
		});
	}
});

describe('errors', () => {
	const statuses: [ErrorCode, number][] = [
		['invalid', 400],
		['not-found', 404],
		['conflict', 409],
		['not-modified', 304],
		['unauthorized', 401],
		['denied', 403],
		['unreachable', 500],
		['corrupt', 500],
		['unsupported', 501],
		['no-space', 500],
		['runtime', 500],
		['internal', 500],
	];
	for (const [code, status] of statuses) {
		it(`${code}: ${status}`, () => {
			assert.equal(statusOf(new EngineError(code, 'x')), status);
		});
	}

	it("a command that is not there or cannot run: the caller's mistake", () => {
		const statusFor = (exitCode: number) => statusOf(new EngineError('runtime', 'x', { exitCode }));
		assert.deepEqual([125, 126, 127].map(statusFor), [500, 400, 400]);
	});

	it('anything else: 500', () => {
		assert.equal(statusOf(new TypeError('x')), 500);
		assert.equal(statusOf('x'), 500);
	});
});
