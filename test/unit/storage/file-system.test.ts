import assert from 'node:assert/strict';
import { fileSystemName, remoteFileSystem } from '../../../src/core/storage/file-system';

describe('file systems', () => {
	// f_type of statfs(2); the kernel's type is signed on some machines.
	for (const [name, type, expected] of [
		['NFS', 0x6969, 'NFS'],
		['9p', 0x01021997, '9p (a Windows or host folder)'],
		['CIFS', 0xff534d42, 'CIFS'],
		['CIFS, signed', 0xff534d42 | 0, 'CIFS'],
		['SMB 2', 0xfe534d42, 'SMB'],
		['a FUSE mount', 0x65735546, 'FUSE'],
		['Ceph', 0x00c36400, 'Ceph'],
	] as const) {
		it(`${name} cannot hold a store`, () => {
			assert.equal(remoteFileSystem(type), expected);
		});
	}

	it('local ones can, also those that nobody knows', () => {
		for (const type of [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x2fc12fc1, 0x12345678]) {
			assert.equal(remoteFileSystem(type), undefined);
		}
	});

	it('names are those of docker info; others are numbers', () => {
		assert.deepEqual([0xef53, 0x9123683e | 0, 0x12345678].map(fileSystemName), ['extfs', 'btrfs', '0x12345678']);
	});
});
