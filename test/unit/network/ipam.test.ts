import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { formatAddress, formatSubnet, overlaps, parseAddress, parseSubnet } from '../../../src/core/network/address';
import type { Pool } from '../../../src/core/network/ipam';
import {
	defaultInterface,
	defaultPools,
	hardwareAddress,
	lowestFree,
	parseRoutes,
	pickSubnet,
	staticAddress,
} from '../../../src/core/network/ipam';
import { choosePool } from '../../../src/core/network/pool';

const IPV4 = defaultPools(4, '');
const anyIpv4 = fc.nat({ max: 0xffffffff }).map((number) => (0xffffn << 32n) + BigInt(number));
const subnet = (text: string) => parseSubnet(text) ?? assert.fail(text);
const address = (text: string) => parseAddress(text) ?? assert.fail(text);
const pool = (fields: Partial<Pool> = {}): Pool => ({
	label: 'app (0123)',
	subnet: subnet('10.1.0.0/29'),
	range: subnet('10.1.0.0/29'),
	gateway: address('10.1.0.1'),
	used: new Set(),
	...fields,
});

const ROUTES = [
	'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
	'wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0',
	'eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
	'eth0\t0000560A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
	'',
].join('\n');

describe('IPv4 addresses', () => {
	it('every address survives formatting and parsing', () => {
		fc.assert(fc.property(anyIpv4, (number) => parseAddress(formatAddress(number)) === number));
	});

	for (const text of [
		'',
		'1.2.3',
		'1.2.3.4.5',
		'256.1.1.1',
		'01.2.3.4',
		'1.2.3.4 ',
		'1.2.3.-4',
		'::1%lo',
		':::',
		'fd00::g',
	]) {
		it(`"${text}" is none`, () => {
			assert.equal(parseAddress(text), undefined);
		});
	}

	it('a subnet loses its host bits', () => {
		assert.equal(formatSubnet(subnet('10.1.2.3/16')), '10.1.0.0/16');
	});

	for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', 'fd00::/129', 'fd00::']) {
		it(`"${text}" is no subnet`, () => {
			assert.equal(parseSubnet(text), undefined);
		});
	}
});

describe('IPv6 addresses', () => {
	it('every address survives formatting and parsing, in the notation of RFC 5952', () => {
		const anyIpv6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
		fc.assert(fc.property(anyIpv6, (number) => parseAddress(formatAddress(number)) === number));
		assert.equal(formatAddress(address('FD00:0:0:1:0:0:0:0002')), 'fd00:0:0:1::2');
		assert.equal(formatAddress(address('::ffff:10.1.2.3')), '10.1.2.3');
	});

	it('a subnet loses its host bits, and overlaps only its own family', () => {
		assert.equal(formatSubnet(subnet('fd00:1:2:3::4/48')), 'fd00:1:2::/48');
		assert.ok(overlaps(subnet('fd00::/48'), subnet('fd00:0:0:7::/64')));
		assert.ok(!overlaps(subnet('0.0.0.0/0'), subnet('fd00::/8')));
	});

	it('a subnet that nobody chose is a /64 of the store', () => {
		const pools = defaultPools(6, '0123456789abcdef');
		assert.deepEqual(pools.map(formatSubnet), ['fd01:2345:6789::/48']);
		assert.equal(formatSubnet(pickSubnet(pools, [subnet('fd01:2345:6789::/64')])), 'fd01:2345:6789:1::/64');
	});

	it('containers get the lowest free one, any but the first and the gateway on demand', () => {
		const six = pool({
			subnet: subnet('fd00::/64'),
			range: subnet('fd00::/64'),
			gateway: address('fd00::1'),
			used: new Set([address('fd00::2')]),
		});
		assert.equal(formatAddress(lowestFree(six)), 'fd00::3');
		assert.equal(staticAddress(six, 'fd00::ffff:ffff:ffff:ffff'), address('fd00::ffff:ffff:ffff:ffff'));
		assert.throws(() => staticAddress(six, 'fd00::'), { code: 'invalid' });
		assert.throws(() => staticAddress(six, '10.1.0.2'), { message: 'invalid IPv6 address: 10.1.0.2' });
	});
});

describe('Choice of a subnet', () => {
	it('takes the first /24 that neither a network nor a route of the host has', () => {
		assert.equal(formatSubnet(pickSubnet(IPV4, [subnet('10.86.1.0/24'), ...parseRoutes(ROUTES)])), '10.86.2.0/24');
	});

	it('goes round whatever is taken', () => {
		const taken = fc.array(fc.tuple(anyIpv4, fc.integer({ min: 12, max: 30 })), {
			maxLength: 8,
		});
		fc.assert(
			fc.property(taken, (entries) => {
				const subnets = entries.map(([base, bits]) => subnet(`${formatAddress(base)}/${bits}`));
				const picked = pickSubnet(IPV4, subnets);
				return !subnets.some((other) => overlaps(other, picked));
			}),
		);
	});

	it('says so when everything is taken', () => {
		assert.throws(() => pickSubnet(IPV4, [subnet('0.0.0.0/0')]), {
			code: 'conflict',
			message:
				'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
		});
	});

	it('the default route is no subnet, and the one with the lowest metric names the way out', () => {
		assert.deepEqual(parseRoutes(ROUTES).map(formatSubnet), ['10.86.0.0/24']);
		assert.equal(defaultInterface(ROUTES), 'eth0');
	});
});

describe('Pool of a network', () => {
	const chosen = (options: object) => () =>
		choosePool(
			{ subnet: '10.5.0.0/16', gateway: '', ip_range: '', ...options },
			{
				others: [subnet('10.6.0.0/16')],
				routes: [],
				store: '',
			},
		);

	it("has docker's gateway: the first address of the range", () => {
		assert.deepEqual(chosen({ ip_range: '10.5.7.0/24' })(), {
			subnet: '10.5.0.0/16',
			gateway: '10.5.7.0',
			ip_range: '10.5.7.0/24',
			has_user_subnet: true,
		});
		assert.equal(chosen({})().gateway, '10.5.0.1');
	});

	it("refuses what overlaps another network, with docker's text", () => {
		assert.throws(chosen({ subnet: '10.6.1.0/24' }), {
			code: 'conflict',
			message: 'Pool overlaps with other one on this address space',
		});
	});

	for (const [name, options, code] of [
		['no subnet', { subnet: 'x' }, 'invalid'],
		['too small a subnet', { subnet: '10.5.0.0/31' }, 'invalid'],
		['IPv6', { subnet: 'fd00::/64' }, 'invalid'],
		['a gateway elsewhere', { gateway: '10.9.0.1' }, 'invalid'],
		['a range elsewhere', { ip_range: '10.9.0.0/24' }, 'invalid'],
		['a range wider than the subnet', { ip_range: '10.5.0.0/8' }, 'invalid'],
		['a gateway without a subnet', { subnet: '', gateway: '10.5.0.1' }, 'invalid'],
	] as const) {
		it(`refuses ${name}`, () => {
			assert.throws(chosen(options), { code });
		});
	}
});

describe('Addresses of containers', () => {
	it("the lowest free one is taken, never the gateway, the network's or the broadcast address", () => {
		const used = new Set<bigint>();
		for (let count = 0; count < 5; count++) {
			used.add(lowestFree(pool({ used })));
		}
		assert.deepEqual([...used].map(formatAddress), ['10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', '10.1.0.6']);
		assert.throws(() => lowestFree(pool({ used })), {
			message: "no available IPv4 addresses on this network's address pools: app (0123)",
		});
	});

	it('one given back is taken again', () => {
		assert.equal(formatAddress(lowestFree(pool({ used: new Set([address('10.1.0.3')]) }))), '10.1.0.2');
	});

	it('come from the range when there is one', () => {
		assert.equal(formatAddress(lowestFree(pool({ range: subnet('10.1.0.4/30') }))), '10.1.0.4');
	});

	it('a static one must be free and inside', () => {
		assert.equal(staticAddress(pool(), '10.1.0.6'), address('10.1.0.6'));
		assert.throws(() => staticAddress(pool(), '10.1.0.1'), { code: 'conflict' }, 'the gateway');
		assert.throws(() => staticAddress(pool({ used: new Set([address('10.1.0.6')]) }), '10.1.0.6'), {
			code: 'conflict',
			message: 'Address already in use',
		});
		for (const text of ['10.1.0.0', '10.1.0.7', '10.2.0.1', 'x']) {
			assert.throws(() => staticAddress(pool(), text), { code: 'invalid' }, text);
		}
	});

	it("the hardware address is docker's: 02:42 and the four octets", () => {
		assert.equal(hardwareAddress(address('172.17.0.255')), '02:42:ac:11:00:ff');
	});
});
