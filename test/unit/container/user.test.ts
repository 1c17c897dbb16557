import assert from 'node:assert/strict';
import { resolveUser } from '../../../src/core/container/user';

const PASSWD =
	'root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\nweb:x:33:34:www:/var/www:/bin/false\nweb2:x:33:99::/:\nhuge:x:99999999999:1::/:\n';
const GROUP = 'root:x:0:\nwheel:x:10:root,web\nwww:x:34:\nstaff:x:50:other,web\nbad\n';

describe('user of a container', () => {
	const cases: readonly (readonly [string, readonly [number, number, readonly number[], string]])[] = [
		['', [0, 0, [0, 10], '/root']],
		['root', [0, 0, [0, 10], '/root']],
		['web', [33, 34, [34, 10, 50], '/var/www']],
		['33', [33, 34, [34, 10, 50], '/var/www']],
		['1234', [1234, 0, [0], '/']],
		['1234:5678', [1234, 5678, [5678], '/']],
		['web:staff', [33, 50, [50], '/var/www']],
		['web:50', [33, 50, [50], '/var/www']],
		[':staff', [0, 50, [50], '/root']],
	];
	for (const [text, [uid, gid, additionalGids, home]] of cases) {
		it(`"${text}": is ${uid}:${gid} with groups ${additionalGids.join(', ')}`, () => {
			assert.deepEqual(resolveUser(text, PASSWD, GROUP), { uid, gid, additionalGids, home });
		});
	}

	const failures: readonly (readonly [string, string])[] = [
		['nosuch', 'unable to find user nosuch: no matching entries in passwd file'],
		['huge', 'unable to find user huge: no matching entries in passwd file'],
		['root:nosuch', 'unable to find group nosuch: no matching entries in group file'],
		['4294967296', 'uids and gids must be in range 0-2147483647'],
		['0:2147483648', 'uids and gids must be in range 0-2147483647'],
		['-1', 'unable to find user -1: no matching entries in passwd file'],
	];
	for (const [text, message] of failures) {
		it(`"${text}": is refused`, () => {
			assert.throws(() => resolveUser(text, PASSWD, GROUP), { code: 'invalid', message });
		});
	}

	it('an image without passwd: has root and numbers', () => {
		assert.deepEqual(resolveUser('', '', ''), { uid: 0, gid: 0, additionalGids: [0], home: '/' });
		assert.throws(() => resolveUser('root', '', ''), { code: 'invalid' });
	});
});
