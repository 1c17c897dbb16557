import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
	formatAnswer,
	parseQuestion,
	reverseAddress,
	TYPE_A,
	TYPE_AAAA,
	TYPE_PTR,
} from '../../../src/core/network/dns';
import type { View } from '../../../src/core/network/resolver';
import { localAnswer } from '../../../src/core/network/resolver';

function query(name: string, type: number, id = 7): Buffer {
	const labels = name === '' ? [] : name.split('.').map((label) => Buffer.from(label, 'latin1'));
	const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
	const question = [
		...labels.flatMap((label) => [Buffer.from([label.length]), label]),
		Buffer.from([0, type >> 8, type & 255, 0, 1]),
	];
	return Buffer.concat([header, ...question]);
}

const name = fc
	.array(fc.stringMatching(/^[a-z0-9_-]{1,20}$/), { minLength: 0, maxLength: 5 })
	.map((labels) => labels.join('.'));

describe('DNS questions', () => {
	it('come back as they were asked', () => {
		fc.assert(
			fc.property(name, fc.nat({ max: 65535 }), fc.nat({ max: 65535 }), (asked, type, id) => {
				const packet = query(asked, type, id);
				assert.deepEqual(parseQuestion(packet), { id, name: asked, type, end: packet.length });
			}),
		);
	});

	it('are lower case whatever was sent', () => {
		assert.equal(parseQuestion(query('WEB.App', TYPE_A))?.name, 'web.app');
	});

	it('junk never throws', () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
				parseQuestion(bytes);
			}),
		);
	});

	it('a question with bytes changed or cut never throws, and never ends outside its packet', () => {
		const change = fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 255 }));
		fc.assert(
			fc.property(name, change, fc.nat({ max: 60 }), (asked, [index, value], cut) => {
				const packet = query(asked, TYPE_A);
				packet[index % packet.length] = value;
				const short = packet.subarray(0, Math.max(0, packet.length - (cut % packet.length)));
				const question = parseQuestion(short);
				assert.ok(question === undefined || question.end <= short.length);
				if (question !== undefined) {
					formatAnswer(short, question, { code: 'NXDOMAIN' });
				}
			}),
		);
	});

	it('are none when they are answers, have two questions, or point back into themselves', () => {
		const answer = query('a', TYPE_A);
		answer[2] = 0x81;
		const two = query('a', TYPE_A);
		two[5] = 2;
		const loop = Buffer.concat([query('a', TYPE_A).subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
		assert.deepEqual([answer, two, loop, Buffer.alloc(0)].map(parseQuestion), Array(4).fill(undefined));
	});
});

describe('DNS answers', () => {
	const answer = (asked: string, type: number, content: Parameters<typeof formatAnswer>[2]) => {
		const packet = query(asked, type);
		return formatAnswer(packet, parseQuestion(packet) ?? assert.fail(), content);
	};

	it('repeat the question and carry each address', () => {
		const packet = query('web', TYPE_A);
		assert.deepEqual(
			answer('web', TYPE_A, { code: 'NOERROR', addresses: ['10.86.0.2', '10.86.0.3'] }).toString('hex'),
			[
				'0007' + '8580' + '0001' + '0002' + '0000' + '0000',
				packet.subarray(12).toString('hex'),
				'c00c' + '0001' + '0001' + '00000005' + '0004' + '0a560002',
				'c00c' + '0001' + '0001' + '00000005' + '0004' + '0a560003',
			].join(''),
		);
	});

	it('carry IPv6 addresses in 16 bytes', () => {
		const packet = answer('web', TYPE_AAAA, { code: 'NOERROR', addresses: ['fd00::2'] });
		const record = 'c00c' + '001c' + '0001' + '00000005' + '0010' + 'fd00' + '0'.repeat(27) + '2';
		assert.ok(packet.toString('hex').endsWith(record));
		assert.equal(packet.readUInt16BE(6), 1);
	});

	it('that there is no such name say so', () => {
		assert.equal(answer('x', TYPE_A, { code: 'NXDOMAIN' }).readUInt16BE(2) & 15, 3);
	});

	it('fit into 512 bytes however many containers share a name', () => {
		const addresses = Array.from({ length: 200 }, (_, index) => `10.86.0.${index}`);
		const long = Array(4).fill('a'.repeat(60)).join('.');
		for (const type of [TYPE_A, TYPE_AAAA]) {
			assert.ok(answer(long, type, { code: 'NOERROR', addresses }).length <= 512);
		}
	});
});

describe('Names of containers', () => {
	const view: View = {
		lookup: (asked) => (asked === 'web' ? ['10.86.0.2'] : []),
		reverse: (address) => (address === '10.86.0.2' ? 'web.app' : undefined),
		forwarders: ['192.0.2.53'],
	};
	const asked = (text: string, type = TYPE_A, forwarders = view.forwarders) =>
		localAnswer(text, type, { ...view, forwarders });

	it('a known name has its address, and no other record', () => {
		assert.deepEqual(asked('web'), { code: 'NOERROR', addresses: ['10.86.0.2'] });
		assert.deepEqual(asked('web', TYPE_AAAA), { code: 'NOERROR', addresses: [] });
		assert.deepEqual(asked('web', 16), { code: 'NOERROR', addresses: [] });
	});

	it('a container with IPv6 has an address of each family, and a name for both', () => {
		const both = { ...view, lookup: () => ['10.86.0.2', 'fd00::2'], reverse: (address: string) => `of ${address}` };
		assert.deepEqual(localAnswer('web', TYPE_AAAA, both), { code: 'NOERROR', addresses: ['fd00::2'] });
		assert.deepEqual(localAnswer('web', TYPE_A, both), { code: 'NOERROR', addresses: ['10.86.0.2'] });
		const reversed = `2${'.0'.repeat(29)}.d.f.ip6.arpa`;
		assert.deepEqual(localAnswer(reversed, TYPE_PTR, both), { code: 'NOERROR', pointer: 'of fd00::2' });
	});

	it('an unknown name without a dot does not exist; nobody is asked', () => {
		assert.deepEqual([asked('wbe'), asked('wbe', TYPE_AAAA)], [{ code: 'NXDOMAIN' }, { code: 'NXDOMAIN' }]);
	});

	it('a name with a dot, the root and other records of a top-level domain are for the forwarders', () => {
		assert.deepEqual([asked('example.org'), asked(''), asked('org', 2)], [undefined, undefined, undefined]);
	});

	it('on an internal network there is nobody to ask', () => {
		assert.deepEqual(asked('example.org', TYPE_A, []), { code: 'NXDOMAIN' });
	});

	it('an address has the name of its container', () => {
		assert.deepEqual(asked('2.0.86.10.in-addr.arpa', TYPE_PTR), { code: 'NOERROR', pointer: 'web.app' });
		assert.equal(reverseAddress('2.0.86.10.in-addr.arpa'), '10.86.0.2');
		assert.equal(asked('1.1.1.1.in-addr.arpa', TYPE_PTR), undefined);
	});
});
