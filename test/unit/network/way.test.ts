import assert from 'node:assert/strict';
import { parseNetworkMode } from '../../../src/core/network/network';
import { bridgeWay, networkWay } from '../../../src/core/network/way';

const way = (mode: string, bridges: string) => networkWay(parseNetworkMode(mode), bridges);

describe('The way of a network', () => {
	it('of bridges: the programs that make it, and of an ordinary user that which leads out', () => {
		const network = { hasBridge: true, firewall: 'nftables' } as const;
		assert.equal(bridgeWay(network, undefined), 'ip, nftables');
		assert.equal(bridgeWay(network, { program: '/usr/bin/slirp4netns' }), 'ip, nftables, slirp4netns');
		assert.equal(bridgeWay(network, { program: '' }), 'ip, nftables, no way to other machines');
		assert.equal(bridgeWay({ hasBridge: false, firewall: 'none' }, undefined), '');
	});

	it("of a container: its driver; the machine's own network says why it is not a bridge", () => {
		assert.equal(way('', 'ip, iptables'), 'bridge (ip, iptables)');
		assert.equal(way('app', 'ip, iptables'), 'bridge (ip, iptables)');
		assert.equal(way('host', 'ip, iptables'), "host (this machine's own)");
		assert.equal(way('host', ''), "host (this machine's own; bridges do not work here)");
		assert.equal(way('none', ''), 'none');
		assert.equal(way('container:web', ''), 'container:web');
	});
});
