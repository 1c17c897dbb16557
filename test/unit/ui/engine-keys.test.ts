import assert from 'node:assert/strict';
import { bare, beside, engineIn, engineOfRow, keyOn, lastingKey, OWN_ID, rowKey } from '../../../src/ui/engine-keys';
import { groupKey, groupOf, partKey, partOf, pullKey, repositoryKey } from '../../../src/ui/keys';
import { containerRow, imageRows, networkRows, volumeRows } from '../../../src/ui/rows';

const ENGINES = ['context workshop', 'socket /run/user/1000/podman/podman.sock', 'host ssh://me@box:22/run/d.sock'];
const IDS = ['5f0e', 'localhost:5000/demo/web:1@x', 'sha256:aa', 'data_1.x', ''];

describe('Keys of several engines', () => {
	it('our own are the ids and names as they are; others lead to their engine and back', () => {
		for (const id of IDS) {
			assert.deepEqual([keyOn(OWN_ID, id), bare(id), engineIn(id), engineOfRow(id)], [id, id, undefined, OWN_ID]);
			for (const engine of ENGINES) {
				const key = keyOn(engine, id);
				assert.deepEqual([bare(key), engineIn(key), engineOfRow(key)], [id, engine, engine]);
				assert.doesNotMatch(key, /[ ,]/);
			}
		}
	});

	it('an id that an engine made look like a key of another engine stays its own', () => {
		const id = keyOn('context workshop', 'web');
		const key = keyOn('context evil', id);
		assert.deepEqual([engineOfRow(key), bare(key)], ['context evil', id]);
	});

	it('what is beside a key is on the same engine', () => {
		assert.equal(beside('abc', 'def'), 'def');
		assert.equal(beside(keyOn('context workshop', 'abc'), 'def'), keyOn('context workshop', 'def'));
	});

	it('a document names our own engine, too, and finds the row', () => {
		for (const key of ['abc', keyOn('context workshop', 'abc')]) {
			assert.deepEqual(
				[lastingKey(lastingKey(key)), rowKey(lastingKey(key)), bare(lastingKey(key))],
				[lastingKey(key), key, 'abc'],
			);
			assert.notEqual(engineIn(lastingKey(key)), undefined);
		}
	});

	it('a key that a URI was edited to is no error', () => {
		assert.equal(engineIn('@%E0%A4%A/abc'), '%E0%A4%A');
		assert.equal(engineIn('@'), undefined);
	});

	it('rows with words before the name are of the same engine', () => {
		const key = keyOn('socket /run/podman.sock', 'web');
		const rows = [groupKey(key), repositoryKey(key), pullKey(key), partKey('port', key, '80/tcp → 80')];
		assert.deepEqual(
			rows.map(engineOfRow),
			rows.map(() => 'socket /run/podman.sock'),
		);
		assert.equal(groupOf(groupKey(key)), key);
		assert.equal(partOf(partKey('member', key, key), 'member')?.part, key);
		assert.equal(engineOfRow(groupKey('my web')), OWN_ID);
	});

	it('rows: the same answer of two engines gives keys that differ in all that rows are found by', () => {
		const keysOn = (engine: string): string[] => {
			const keyOf = (id: string): string => keyOn(engine, id);
			const container = {
				...{ Id: 'c1', Names: ['/web'], Image: 'web', ImageID: 'sha256:1', Command: '', Created: 1, Ports: [] },
				...{ Labels: {}, State: 'running', Status: 'Up 1 second', Mounts: [{ Type: 'volume', Name: 'data' }] },
			} as unknown as Parameters<typeof containerRow>[0];
			const image = { Id: 'sha256:1', RepoTags: ['web:1'], RepoDigests: [], Size: 1, Created: 1 };
			const network = { Id: 'n1', Name: 'net', Driver: 'bridge', Scope: 'local', IPAM: {}, Created: '' };
			const volume = { Name: 'data', Driver: 'local', Mountpoint: '/' };
			const { id, imageId, volumes, name } = containerRow(container, 0, keyOf);
			assert.equal(name, 'web');
			return [
				...[id, imageId, ...volumes],
				...imageRows([image as unknown as Parameters<typeof imageRows>[0][number]], keyOf).keys(),
				...networkRows([network as unknown as Parameters<typeof networkRows>[0][number]], keyOf).keys(),
				...volumeRows([volume as unknown as Parameters<typeof volumeRows>[0][number]], keyOf).keys(),
			];
		};
		const own = ['c1', 'sha256:1', 'data', 'web:1', 'n1', 'data'];
		assert.deepEqual(keysOn(OWN_ID), own);
		assert.deepEqual(
			keysOn('context workshop'),
			own.map((id) => `@context%20workshop/${id}`),
		);
	});
});
