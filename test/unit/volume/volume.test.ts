import assert from 'node:assert/strict';
import { checkVolumeName, checkVolumeOptions, isVolume, sourceOf, volumeKey } from '../../../src/core/volume/volume';
import type { Volume } from '../../../src/core/volume/volume';

const volume: Volume = {
	name: 'data',
	created: '2026-11-24T12:00:00.000000000Z',
	labels: {},
	options: {},
	is_anonymous: false,
	is_new: true,
};

describe('Volume names', () => {
	for (const name of ['data', 'My_Vol.1-x', '0a', 'a'.repeat(255)]) {
		it(`"${name.slice(0, 20)}" is one`, () => {
			assert.equal(checkVolumeName(name), name);
		});
	}

	for (const name of ['', '../x', '.hidden', '_x', 'a/b', 'a b', 'a\n', 'é', 'a'.repeat(256)]) {
		it(`"${name.slice(0, 20)}" is refused`, () => {
			assert.throws(() => checkVolumeName(name), { code: 'invalid', message: /includes invalid characters/ });
		});
	}

	it('one letter is too short', () => {
		assert.throws(() => checkVolumeName('a'), {
			message: 'create a: volume name is too short, names should be at least two alphanumeric characters',
		});
	});

	it('that differ by case only have different records', () => {
		assert.notEqual(volumeKey('data'), volumeKey('Data'));
		assert.match(volumeKey('A'.repeat(255)), /^volume-[0-9a-f]{64}$/);
	});
});

describe('Volume options', () => {
	it('none, or a folder of the host', () => {
		for (const options of [{}, { type: 'none', o: 'bind', device: '/srv' }, { o: 'rbind,ro', device: '/srv' }]) {
			checkVolumeOptions('data', options);
		}
	});

	for (const [options, code, message] of [
		[{ size: '1g' }, 'invalid', 'create data: invalid option: "size"'],
		[{ type: 'none', o: 'bind' }, 'invalid', 'create data: missing required option: "device"'],
		[{ type: 'none', o: 'bind', device: 'srv' }, 'invalid', /not an absolute path/],
		[{ type: 'nfs', o: 'addr=10.0.0.1', device: ':/srv' }, 'unsupported', /only type=none/],
		[{ type: 'nfs', o: 'addr=1.2.3.4', device: ':/x' }, 'unsupported', /only type=none/],
		[{ type: 'none', o: 'bind,suid', device: '/srv' }, 'unsupported', /only type=none/],
		[{ type: 'ext4', o: '', device: '/dev/sda1' }, 'unsupported', /only type=none/],
	] as const) {
		it(`${JSON.stringify(options)} is ${code}`, () => {
			assert.throws(
				() => {
					checkVolumeOptions('data', options);
				},
				{ code, message },
			);
		});
	}

	it("lead to the volume's own folder, or to the host's", () => {
		assert.deepEqual(sourceOf(volume, '/store/data'), { path: '/store/data', read_only: false });
		assert.deepEqual(sourceOf({ ...volume, options: { o: 'bind,ro', device: '/srv/../srv' } }, '/store/data'), {
			path: '/srv',
			read_only: true,
		});
	});
});

describe('Records of volumes', () => {
	it('are taken when whole, and set aside when the name would lead elsewhere', () => {
		assert.equal(isVolume(volume), true);
		for (const fields of [{ name: '../../etc' }, { is_new: 1 }, { labels: { a: 1 } }]) {
			assert.equal(isVolume({ ...volume, ...fields }), false);
		}
	});
});
