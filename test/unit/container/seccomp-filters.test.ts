import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { SeccompFilters } from '../../../src/core/container/seccomp-filters';
import type { Spec } from '../../../src/core/container/spec';

const ANNOTATION = 'run.oci.seccomp_bpf_data';

describe('Compiled seccomp filters', () => {
	let folder: string;
	let compiled: string;

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-filters-'));
		compiled = path.join(folder, 'seccomp.bpf');
		fs.writeFileSync(compiled, Buffer.alloc(16, 7));
	});

	afterEach(() => {
		fs.rmSync(folder, { recursive: true });
	});

	const filters = (): SeccompFilters => new SeccompFilters(path.join(folder, 'kept'));
	const specOf = (defaultAction: string, annotations = {}): Spec =>
		({ annotations, linux: { seccomp: { defaultAction } } }) as unknown as Spec;
	const keep = (spec: Spec): void => {
		const first = filters();
		first.annotations('a', spec, 'key');
		first.keep('a', compiled);
	};

	it('are given to the next container with the same profile, by another engine too', () => {
		keep(specOf('SCMP_ACT_ERRNO'));
		const given = filters().annotations('b', specOf('SCMP_ACT_ERRNO'), 'key');
		assert.deepEqual(given, { [ANNOTATION]: Buffer.alloc(16, 7).toString('base64') });
	});

	it('are not given for another profile, nor after another program, kernel or boot', () => {
		keep(specOf('SCMP_ACT_ERRNO'));
		assert.deepEqual(filters().annotations('b', specOf('SCMP_ACT_KILL'), 'key'), {});
		assert.deepEqual(filters().annotations('b', specOf('SCMP_ACT_ERRNO'), 'another'), {});
	});

	it('of a container that brings its own, or asks another program, are not kept', () => {
		const brought = specOf('SCMP_ACT_ERRNO', { [ANNOTATION]: 'AAAA' });
		keep(brought);
		keep(specOf('SCMP_ACT_NOTIFY'));
		assert.equal(fs.existsSync(path.join(folder, 'kept')), false);
		assert.deepEqual(filters().annotations('b', brought, 'key'), {});
	});

	for (const [what, content] of [
		['empty', Buffer.alloc(0)],
		['cut off', Buffer.alloc(15)],
		['too long', Buffer.alloc(8 * 4097)],
	] as const) {
		it(`that are ${what}: are not used`, () => {
			keep(specOf('SCMP_ACT_ERRNO'));
			const [name = ''] = fs.readdirSync(path.join(folder, 'kept'));
			fs.writeFileSync(path.join(folder, 'kept', name), content);
			assert.deepEqual(filters().annotations('b', specOf('SCMP_ACT_ERRNO'), 'key'), {});
		});
	}

	it('that are gone with a short container: the next one leaves its own', () => {
		const some = filters();
		some.annotations('a', specOf('SCMP_ACT_ERRNO'), 'key');
		some.keep('a', path.join(folder, 'gone'));
		assert.equal(fs.existsSync(path.join(folder, 'kept')), false);
	});

	it('do not fill the disk', () => {
		for (let index = 0; index < 70; index++) {
			keep(specOf(`SCMP_ACT_ERRNO${index}`));
		}
		assert.ok(fs.readdirSync(path.join(folder, 'kept')).length <= 64);
	});
});
