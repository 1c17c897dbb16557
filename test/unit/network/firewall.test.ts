import assert from 'node:assert/strict';
import { iptablesRules } from '../../../src/core/network/iptables';
import { nftablesRules } from '../../../src/core/network/nftables';
import type { FirewallNetwork } from '../../../src/core/network/rules';

const app: FirewallNetwork = {
	bridge: 'md-aaaaaaaa',
	subnet: '10.86.0.0/24',
	gateway: '10.86.0.1',
	internal: false,
	isConnected: true,
	isMasqueraded: true,
	ports: [
		{ host_ip: '0.0.0.0', host_port: 8080, container_port: 80, protocol: 'tcp', address: '10.86.0.2' },
		{ host_ip: '127.0.0.1', host_port: 8081, container_port: 53, protocol: 'udp', address: '10.86.0.2' },
	],
};
const inner: FirewallNetwork = {
	bridge: 'md-bbbbbbbb',
	subnet: '10.86.1.0/24',
	gateway: '10.86.1.1',
	internal: true,
	isConnected: false,
	isMasqueraded: true,
	ports: [],
};
const OWNER = { store: '0123abcd', family: 4 } as const;
const lines = (text: string) => text.split('\n').filter((line) => line !== '');

const RULES = [
	'*raw',
	':MYDOCKER-RAW-0123abcd - [0:0]',
	'-I PREROUTING -j MYDOCKER-RAW-0123abcd',
	'-A MYDOCKER-RAW-0123abcd -i md-aaaaaaaa -d 127.0.0.0/8 -j DROP',
	'-A MYDOCKER-RAW-0123abcd -i md-aaaaaaaa -s 127.0.0.0/8 -j DROP',
	'-A MYDOCKER-RAW-0123abcd -i md-bbbbbbbb -d 127.0.0.0/8 -j DROP',
	'-A MYDOCKER-RAW-0123abcd -i md-bbbbbbbb -s 127.0.0.0/8 -j DROP',
	'COMMIT',
	'*nat',
	':MYDOCKER-DNAT-0123abcd - [0:0]',
	':MYDOCKER-OUT-0123abcd - [0:0]',
	':MYDOCKER-POST-0123abcd - [0:0]',
	'-I PREROUTING -m addrtype --dst-type LOCAL -j MYDOCKER-DNAT-0123abcd',
	'-I OUTPUT -m addrtype --dst-type LOCAL -j MYDOCKER-OUT-0123abcd',
	'-I POSTROUTING -j MYDOCKER-POST-0123abcd',
	'-A MYDOCKER-OUT-0123abcd -d 127.0.0.1/32 -p udp -m udp --dport 8081 -j DNAT --to-destination 10.86.0.2:53',
	'-A MYDOCKER-OUT-0123abcd -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.86.0.2:80',
	'-A MYDOCKER-DNAT-0123abcd -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.86.0.2:80',
	'-A MYDOCKER-POST-0123abcd -s 10.86.0.0/24 ! -o md-aaaaaaaa -j MASQUERADE',
	'-A MYDOCKER-POST-0123abcd -s 127.0.0.0/8 -o md-aaaaaaaa -j MASQUERADE',
	'-A MYDOCKER-POST-0123abcd -s 10.86.0.0/24 -d 10.86.0.0/24 -m conntrack --ctstate DNAT -j MASQUERADE',
	'COMMIT',
	'*filter',
	':MYDOCKER-IN-0123abcd - [0:0]',
	':MYDOCKER-FWD-0123abcd - [0:0]',
	'-I INPUT -j MYDOCKER-IN-0123abcd',
	'-I FORWARD -j MYDOCKER-FWD-0123abcd',
	'-A MYDOCKER-IN-0123abcd -d 10.86.0.1/32 -i md-aaaaaaaa -p udp -m udp --dport 53 -j ACCEPT',
	'-A MYDOCKER-IN-0123abcd -d 10.86.0.1/32 -i md-aaaaaaaa -p tcp -m tcp --dport 53 -j ACCEPT',
	'-A MYDOCKER-IN-0123abcd -d 10.86.1.1/32 -i md-bbbbbbbb -p udp -m udp --dport 53 -j ACCEPT',
	'-A MYDOCKER-IN-0123abcd -d 10.86.1.1/32 -i md-bbbbbbbb -p tcp -m tcp --dport 53 -j ACCEPT',
	'-A MYDOCKER-FWD-0123abcd -i md-bbbbbbbb -o md-bbbbbbbb -j DROP',
	'-A MYDOCKER-FWD-0123abcd -o md-bbbbbbbb -j DROP',
	'-A MYDOCKER-FWD-0123abcd -i md-bbbbbbbb -j DROP',
	'-A MYDOCKER-FWD-0123abcd -o md-aaaaaaaa -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
	'-A MYDOCKER-FWD-0123abcd -o md-aaaaaaaa -m conntrack --ctstate DNAT -j ACCEPT',
	'-A MYDOCKER-FWD-0123abcd -i md-aaaaaaaa -o md-aaaaaaaa -j ACCEPT',
	'-A MYDOCKER-FWD-0123abcd -o md-aaaaaaaa -j DROP',
	'-A MYDOCKER-FWD-0123abcd -i md-aaaaaaaa ! -o md-+ -j ACCEPT',
	'COMMIT',
];

/** What iptables-save prints once the rules are there: the jumps as -A, the chains declared. */
const SAVED = '\n' + RULES.map((line) => line.replace(/^-I /, '-A ')).join('\n') + '\n';

describe('iptables rules', () => {
	it('hold a network with ports and an internal one, all in chains of this store', () => {
		assert.deepEqual(lines(iptablesRules(OWNER, [app, inner], '')), RULES);
	});

	it('applied again do not repeat the jumps', () => {
		assert.deepEqual(
			lines(iptablesRules(OWNER, [app, inner], SAVED)),
			RULES.filter((line) => !line.startsWith('-I ')),
		);
	});

	it('without networks are removed to the last chain, a jump that is there twice included', () => {
		const twice = SAVED.replace(/(-A PREROUTING -j .*)/, '$1\n$1');
		assert.deepEqual(lines(iptablesRules(OWNER, [], twice)), [
			'*raw',
			'-D PREROUTING -j MYDOCKER-RAW-0123abcd',
			'-D PREROUTING -j MYDOCKER-RAW-0123abcd',
			'-F MYDOCKER-RAW-0123abcd',
			'-X MYDOCKER-RAW-0123abcd',
			'COMMIT',
			'*nat',
			'-D PREROUTING -m addrtype --dst-type LOCAL -j MYDOCKER-DNAT-0123abcd',
			'-D OUTPUT -m addrtype --dst-type LOCAL -j MYDOCKER-OUT-0123abcd',
			'-D POSTROUTING -j MYDOCKER-POST-0123abcd',
			'-F MYDOCKER-DNAT-0123abcd',
			'-F MYDOCKER-OUT-0123abcd',
			'-F MYDOCKER-POST-0123abcd',
			'-X MYDOCKER-DNAT-0123abcd',
			'-X MYDOCKER-OUT-0123abcd',
			'-X MYDOCKER-POST-0123abcd',
			'COMMIT',
			'*filter',
			'-D INPUT -j MYDOCKER-IN-0123abcd',
			'-D FORWARD -j MYDOCKER-FWD-0123abcd',
			'-F MYDOCKER-IN-0123abcd',
			'-F MYDOCKER-FWD-0123abcd',
			'-X MYDOCKER-IN-0123abcd',
			'-X MYDOCKER-FWD-0123abcd',
			'COMMIT',
		]);
	});

	it('of another store are neither seen nor touched, and where nothing is, nothing is done', () => {
		assert.equal(iptablesRules({ ...OWNER, store: 'ffffffff' }, [], SAVED), '');
	});
});

/** The same network's IPv6. */
const six: FirewallNetwork = {
	...app,
	subnet: 'fd00::/64',
	gateway: 'fd00::1',
	ports: [{ host_ip: '::', host_port: 8080, container_port: 80, protocol: 'tcp', address: 'fd00::2' }],
};

describe('rules of IPv6', () => {
	it('ip6tables: translate and masquerade, and leave ::1 to the relay', () => {
		assert.deepEqual(lines(iptablesRules({ ...OWNER, family: 6 }, [six], '')), [
			'*nat',
			':MYDOCKER-DNAT-0123abcd - [0:0]',
			':MYDOCKER-OUT-0123abcd - [0:0]',
			':MYDOCKER-POST-0123abcd - [0:0]',
			'-I PREROUTING -m addrtype --dst-type LOCAL -j MYDOCKER-DNAT-0123abcd',
			'-I OUTPUT ! -d ::1/128 -m addrtype --dst-type LOCAL -j MYDOCKER-OUT-0123abcd',
			'-I POSTROUTING -j MYDOCKER-POST-0123abcd',
			'-A MYDOCKER-OUT-0123abcd -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::2]:80',
			'-A MYDOCKER-DNAT-0123abcd -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::2]:80',
			'-A MYDOCKER-POST-0123abcd -s fd00::/64 ! -o md-aaaaaaaa -j MASQUERADE',
			'-A MYDOCKER-POST-0123abcd -s fd00::/64 -d fd00::/64 -m conntrack --ctstate DNAT -j MASQUERADE',
			'COMMIT',
			'*filter',
			':MYDOCKER-IN-0123abcd - [0:0]',
			':MYDOCKER-FWD-0123abcd - [0:0]',
			'-I INPUT -j MYDOCKER-IN-0123abcd',
			'-I FORWARD -j MYDOCKER-FWD-0123abcd',
			'-A MYDOCKER-FWD-0123abcd -o md-aaaaaaaa -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
			'-A MYDOCKER-FWD-0123abcd -o md-aaaaaaaa -m conntrack --ctstate DNAT -j ACCEPT',
			'-A MYDOCKER-FWD-0123abcd -i md-aaaaaaaa -o md-aaaaaaaa -j ACCEPT',
			'-A MYDOCKER-FWD-0123abcd -o md-aaaaaaaa -j DROP',
			'-A MYDOCKER-FWD-0123abcd -i md-aaaaaaaa ! -o md-+ -j ACCEPT',
			'COMMIT',
		]);
	});

	it('nftables: lie in a table of their own', () => {
		const rules = lines(nftablesRules({ ...OWNER, family: 6 }, [six])).map((line) => line.trim());
		assert.deepEqual(rules.slice(0, 3), [
			'add table ip6 mydocker_0123abcd',
			'delete table ip6 mydocker_0123abcd',
			'table ip6 mydocker_0123abcd {',
		]);
		for (const rule of [
			'tcp dport 8080 dnat to [fd00::2]:80',
			'ip6 daddr != ::1 fib daddr type local jump ports',
			'ip6 saddr fd00::/64 oifname != md-aaaaaaaa masquerade',
		]) {
			assert.ok(rules.includes(rule), rule);
		}
		assert.ok(!rules.some((rule) => / ip [sd]addr|127\./.test(rule)));
	});
});

describe('nftables rules', () => {
	it("replace the store's table in one transaction", () => {
		assert.deepEqual(lines(nftablesRules(OWNER, [app])), [
			'add table ip mydocker_0123abcd',
			'delete table ip mydocker_0123abcd',
			'table ip mydocker_0123abcd {',
			'\tchain ports {',
			'\t\ttcp dport 8080 dnat to 10.86.0.2:80',
			'\t}',
			'\tchain loopback_ports {',
			'\t\tip daddr 127.0.0.1 udp dport 8081 dnat to 10.86.0.2:53',
			'\t}',
			'\tchain raw {',
			'\t\ttype filter hook prerouting priority -300; policy accept;',
			'\t\tiifname md-aaaaaaaa ip daddr 127.0.0.0/8 drop',
			'\t\tiifname md-aaaaaaaa ip saddr 127.0.0.0/8 drop',
			'\t}',
			'\tchain prerouting {',
			'\t\ttype nat hook prerouting priority -100; policy accept;',
			'\t\tfib daddr type local jump ports',
			'\t}',
			'\tchain output {',
			'\t\ttype nat hook output priority -100; policy accept;',
			'\t\tfib daddr type local jump loopback_ports',
			'\t\tfib daddr type local jump ports',
			'\t}',
			'\tchain postrouting {',
			'\t\ttype nat hook postrouting priority 100; policy accept;',
			'\t\tip saddr 10.86.0.0/24 oifname != md-aaaaaaaa masquerade',
			'\t\tip saddr 127.0.0.0/8 oifname md-aaaaaaaa masquerade',
			'\t\tip saddr 10.86.0.0/24 ip daddr 10.86.0.0/24 ct status dnat masquerade',
			'\t}',
			'\tchain input {',
			'\t\ttype filter hook input priority 0; policy accept;',
			'\t\tiifname md-aaaaaaaa ip daddr 10.86.0.1 udp dport 53 accept',
			'\t\tiifname md-aaaaaaaa ip daddr 10.86.0.1 tcp dport 53 accept',
			'\t}',
			'\tchain forward {',
			'\t\ttype filter hook forward priority 0; policy accept;',
			'\t\toifname md-aaaaaaaa ct state established,related accept',
			'\t\toifname md-aaaaaaaa ct status dnat accept',
			'\t\tiifname md-aaaaaaaa oifname md-aaaaaaaa accept',
			'\t\toifname md-aaaaaaaa drop',
			'\t\tiifname md-aaaaaaaa oifname != "md-*" accept',
			'\t}',
			'}',
		]);
	});

	it('without networks only remove the table', () => {
		assert.deepEqual(lines(nftablesRules(OWNER, [])), [
			'add table ip mydocker_0123abcd',
			'delete table ip mydocker_0123abcd',
		]);
	});
});
