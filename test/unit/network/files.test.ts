import assert from 'node:assert/strict';
import { hostsFile, parseExtraHost, replaceMembers } from '../../../src/core/network/hosts';
import { insideBatch, outsideBatch } from '../../../src/core/network/bridge';
import type { Endpoint, Network } from '../../../src/core/network/network';
import { isNetwork, parseNetworkMode } from '../../../src/core/network/network';
import { addressesOf, fullNames, membersOf } from '../../../src/core/network/names';
import type { ResolverPlan } from '../../../src/core/network/resolvconf';
import { formatResolvConf, parseResolvConf, planResolvConf } from '../../../src/core/network/resolvconf';

const endpoint: Endpoint = {
	id: 'e'.repeat(64),
	container_id: 'c'.repeat(64),
	container_name: 'web',
	address: '10.86.0.2',
	mac_address: '02:42:0a:56:00:02',
	interface: 'eth0',
	veth: 'mv-0123456789',
	aliases: ['www', 'Site'],
	dns: [],
	ports: [],
};
const network: Network = {
	id: 'a'.repeat(64),
	name: 'app',
	driver: 'bridge',
	created: '2026-11-24T12:00:00.000000000Z',
	internal: false,
	labels: {},
	options: {},
	subnet: '10.86.0.0/24',
	gateway: '10.86.0.1',
	ip_range: '',
	has_user_subnet: false,
	bridge: 'md-aaaaaaaa',
	endpoints: { [endpoint.container_id]: endpoint },
};
const inner: Network = { ...network, id: 'b'.repeat(64), name: 'inner', internal: true, bridge: 'md-bbbbbbbb' };

describe('/etc/hosts', () => {
	const members = [{ address: '10.86.0.3', names: ['db', 'evil\n1.2.3.4 x', 'database'] }];
	const file = hostsFile({
		extra: [parseExtraHost('host.docker.internal:host-gateway', '10.86.0.1')],
		own: [{ address: '10.86.0.2', names: ['0123456789ab'] }],
		members,
	});

	it('has local names, added hosts, the own name and the neighbours, and no name that is more than a word', () => {
		assert.equal(
			file,
			[
				'127.0.0.1\tlocalhost',
				'::1\tlocalhost ip6-localhost ip6-loopback',
				'fe00::\tip6-localnet',
				'ff00::\tip6-mcastprefix',
				'ff02::1\tip6-allnodes',
				'ff02::2\tip6-allrouters',
				'10.86.0.1\thost.docker.internal',
				'10.86.0.2\t0123456789ab',
				"# MyDocker: names on this container's networks",
				'10.86.0.3\tdb database',
				'# MyDocker: end of names',
				'',
			].join('\n'),
		);
	});

	it('keeps what the container wrote when neighbours change, and is the same when nothing changes', () => {
		const edited = file.replace('::1', '192.0.2.9\tmine\n::1') + '192.0.2.8\tlast\n';
		assert.equal(replaceMembers(edited, members), edited);
		assert.equal(
			replaceMembers(edited, [{ address: '10.86.0.9', names: ['new'] }]),
			edited.replace('10.86.0.3\tdb database', '10.86.0.9\tnew'),
		);
	});

	it('gets its names back when the container has taken the markers out', () => {
		const bare = '127.0.0.1\tlocalhost\n';
		assert.equal(replaceMembers(bare, members), bare + file.slice(file.indexOf('# MyDocker')));
		assert.equal(
			replaceMembers('', []),
			file.slice(file.indexOf('# MyDocker')).replace('10.86.0.3\tdb database\n', ''),
		);
	});

	it("reads --add-host in docker's forms", () => {
		assert.deepEqual(
			['a:1.2.3.4', 'a=1.2.3.4', 'b:::1', 'c=[fd00::1]'].map((text) => parseExtraHost(text, '')),
			[
				{ address: '1.2.3.4', names: ['a'] },
				{ address: '1.2.3.4', names: ['a'] },
				{ address: '::1', names: ['b'] },
				{ address: 'fd00::1', names: ['c'] },
			],
		);
		assert.throws(() => parseExtraHost('a', ''), { message: 'bad format for add-host: "a"' });
		assert.throws(() => parseExtraHost('a:b', ''), { message: 'invalid IP address in add-host: "b"' });
		assert.throws(() => parseExtraHost('a:1.2.3.4\n5.6.7.8 b', ''), { code: 'invalid' });
	});
});

describe('/etc/resolv.conf', () => {
	const host = parseResolvConf(
		'# made by x\nnameserver 127.0.0.53\nnameserver 192.0.2.53 # first\nnameserver fe80::1%eth0\nnameserver junk\n' +
			'domain old.example\nsearch example.org corp\noptions edns0 trust-ad\n',
	);
	const plan = (fields: Partial<ResolverPlan>) =>
		formatResolvConf(
			planResolvConf({
				host,
				gateway: '10.86.0.1',
				hasNames: true,
				internal: false,
				dns: { servers: [], search: [], options: [] },
				...fields,
			}),
		);

	it('of the host is read with comments, the last search and without what is no address', () => {
		assert.deepEqual(host, {
			nameservers: ['127.0.0.53', '192.0.2.53', 'fe80::1%eth0'],
			search: ['example.org', 'corp'],
			options: ['edns0', 'trust-ad'],
		});
	});

	it("on a user network asks us first, then what the container can reach of the host's", () => {
		assert.equal(
			plan({}),
			'search example.org corp\nnameserver 10.86.0.1\nnameserver 192.0.2.53\noptions edns0 trust-ad ndots:0\n',
		);
	});

	it("on the default bridge has the host's resolvers, or us when those are all on loopback", () => {
		const local = { ...host, nameservers: ['127.0.0.53'] };
		assert.match(plan({ hasNames: false }), /^search .*\nnameserver 192\.0\.2\.53\noptions edns0 trust-ad\n$/);
		assert.match(plan({ hasNames: false, host: local }), /\nnameserver 10\.86\.0\.1\noptions/);
	});

	it('on an internal network asks only us', () => {
		assert.match(plan({ internal: true }), /\nnameserver 10\.86\.0\.1\noptions/);
	});

	it('obeys --dns, --dns-search and --dns-option', () => {
		const dns = { servers: ['192.0.2.1'], search: ['.'], options: ['ndots:3'] };
		assert.equal(plan({ dns }), 'nameserver 10.86.0.1\nnameserver 192.0.2.1\noptions ndots:3\n');
		assert.equal(plan({ dns, hasNames: false }), 'nameserver 192.0.2.1\noptions ndots:3\n');
	});

	it('without our name server (its port is taken) still has the others', () => {
		assert.match(plan({ gateway: undefined }), /\nnameserver 192\.0\.2\.53\n/);
	});
});

describe("Commands for a container's interfaces", () => {
	const second = { ...endpoint, interface: 'eth1', veth: 'mv-aaaaaaaaaa', address: '10.86.1.2' };

	it('outside: one pair for each network', () => {
		assert.equal(
			outsideBatch([[network, endpoint]], 1400),
			[
				'link add mv-0123456789 mtu 1400 type veth peer name eth0 mtu 1400 netns ./netns',
				'link set mv-0123456789 master md-aaaaaaaa',
				'link set mv-0123456789 type bridge_slave hairpin on',
				'link set mv-0123456789 up',
				'',
			].join('\n'),
		);
	});

	it('inside: the first network with a way out has the default route', () => {
		assert.equal(
			insideBatch([
				[inner, endpoint],
				[{ ...network, gateway: '10.86.1.1' }, second],
			]),
			[
				'link set lo up',
				'link set eth0 address 02:42:0a:56:00:02',
				'addr add 10.86.0.2/24 broadcast + dev eth0',
				'link set eth0 up',
				'link set eth1 address 02:42:0a:56:00:02',
				'addr add 10.86.1.2/24 broadcast + dev eth1',
				'link set eth1 up',
				'route add default via 10.86.1.1',
				'',
			].join('\n'),
		);
	});

	it('inside an internal network alone there is no default route', () => {
		assert.doesNotMatch(insideBatch([[inner, endpoint]]), /route/);
	});

	it('the option com.docker.network.driver.mtu counts', () => {
		const options = { 'com.docker.network.driver.mtu': '9000' };
		assert.match(outsideBatch([[{ ...network, options }, endpoint]], 1400), /mtu 9000/);
	});
});

describe('Members of a network', () => {
	it("are known by name, alias, short id and with the network's name, in any case", () => {
		for (const name of ['web', 'www', 'site', 'web.app', 'cccccccccccc']) {
			assert.deepEqual(addressesOf([network, endpoint], name), ['10.86.0.2'], name);
		}
		assert.deepEqual(addressesOf([network, endpoint], 'web.inner'), []);
		assert.deepEqual(fullNames(network, '10.86.0.2'), ['web.app']);
	});

	it('the default bridge gives no names', () => {
		assert.deepEqual(membersOf([[{ ...network, name: 'bridge' }, endpoint]]), []);
		assert.deepEqual(membersOf([[network, endpoint]]), [
			{ address: '10.86.0.2', names: ['web', 'www', 'Site', 'cccccccccccc'] },
		]);
	});

	it('a link is a name that only its owner knows, on the default bridge too', () => {
		const other = {
			...endpoint,
			container_id: 'd'.repeat(64),
			container_name: 'db',
			aliases: [],
			address: '10.86.0.3',
		};
		const linked = { ...endpoint, links: ['db:base'] };
		const both = {
			...network,
			name: 'bridge',
			endpoints: { [linked.container_id]: linked, [other.container_id]: other },
		};
		assert.deepEqual(membersOf([[both, linked]]), [
			{ address: '10.86.0.3', names: ['base', 'db', 'dddddddddddd'] },
		]);
		assert.deepEqual(membersOf([[both, other]]), []);
		assert.deepEqual(addressesOf([both, linked], 'base'), ['10.86.0.3']);
		assert.deepEqual(addressesOf([both, other], 'base'), []);
	});
});

describe('Records of networks', () => {
	it('are taken when whole, and set aside when a field is missing or would reach a command', () => {
		assert.equal(isNetwork(JSON.parse(JSON.stringify(network))), true);
		for (const fields of [
			{ id: 'x' },
			{ bridge: 'eth0; reboot' },
			{ endpoints: { x: {} } },
			{ labels: { a: 1 } },
			{ driver: 'x' },
			{ gateway: '10.86.0.1\nx' },
			{ endpoints: { x: { ...endpoint, veth: 'eth0' } } },
			{ endpoints: { x: { ...endpoint, address: '1.2.3.4 -j ACCEPT' } } },
		]) {
			assert.equal(isNetwork({ ...network, ...fields }), false, JSON.stringify(fields));
		}
	});
});

describe('Network mode', () => {
	it("is host, none, another container's, or the name of a network", () => {
		assert.deepEqual(['', 'default', 'bridge', 'host', 'none', 'container:web', 'app'].map(parseNetworkMode), [
			{ kind: 'network', network: 'bridge' },
			{ kind: 'network', network: 'bridge' },
			{ kind: 'network', network: 'bridge' },
			{ kind: 'host' },
			{ kind: 'none' },
			{ kind: 'container', container: 'web' },
			{ kind: 'network', network: 'app' },
		]);
	});
});
