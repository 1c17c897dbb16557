import * as fs from 'node:fs';
import { EngineError, systemCode } from '../errors';
import { run } from '../exec';
import { iptablesRules } from './iptables';
import { nftablesRules } from './nftables';
import type { NetworkPlace } from './place';
import { runIn } from './place';
import type { FirewallNetwork } from './rules';

/** What this machine can do for bridge networks; for Doctor and `info`. */
export interface NetworkFacts {
	/** Whether bridge networks work: the right to make them, the `ip` program and a firewall program are there. */
	readonly hasBridge: boolean;
	readonly firewall: 'iptables' | 'nftables' | 'none';
	/** As the program says it: "iptables v1.8.9 (nf_tables)"; "" without one. */
	readonly firewallVersion: string;
	readonly isForwarding: boolean;
	/** Whole sentences: what is missing, what does not work without it, and which package has it. */
	readonly problems: readonly string[];
}

/** Looks at the machine; starts `ip`, `iptables-restore` and `nft` with their version option and nothing else. */
export async function probeNetwork(place: NetworkPlace): Promise<NetworkFacts> {
	const ip = await version(place, ['ip', '-V']);
	const iptables = await version(place, ['iptables-restore', '-V']);
	const hasIptables = iptables !== '' && (await version(place, ['iptables-save', '-V'])) !== '';
	const nft = hasIptables ? '' : await version(place, ['nft', '-v']);
	const firewall = hasIptables ? 'iptables' : nft === '' ? 'none' : 'nftables';
	const isAllowed = place.command.length > 0 || mayChangeNetworks();
	return {
		hasBridge: ip !== '' && isAllowed && firewall !== 'none',
		firewall,
		firewallVersion: hasIptables ? iptables.replace('iptables-restore', 'iptables') : nft,
		isForwarding: isForwarding(),
		problems: [
			...(isAllowed
				? []
				: [
						'Without the right to change networks (root with CAP_NET_ADMIN) only the networks host and none work',
					]),
			...(ip === ''
				? ['The program "ip" is missing, so only the networks host and none work: install iproute2']
				: []),
			...(firewall === 'none'
				? ['Neither iptables nor nft is installed, so only the networks host and none work: install iptables']
				: []),
		],
	};
}

/**
 * Makes the kernel's rules those that `networks` need, no more and no less, in one transaction for each table; an empty
 * list removes every trace. Own chains hold all rules, named after `store` (8 hex digits), so that several stores live
 * side by side, and applying again heals what another program has flushed.
 */
export async function applyFirewall(
	facts: NetworkFacts,
	place: NetworkPlace,
	store: string,
	networks: readonly FirewallNetwork[],
): Promise<void> {
	if (facts.firewall === 'iptables') {
		const saved = await runIn(place, ['iptables-save']);
		const input = iptablesRules(store, networks, saved.stdout);
		if (input !== '') {
			await runIn(place, ['iptables-restore', '--noflush', '--wait'], { input });
		}
	} else if (facts.firewall === 'nftables') {
		await runIn(place, ['nft', '-f', '-'], { input: nftablesRules(store, networks) });
	}
}

async function version(place: NetworkPlace, argv: readonly [string, ...string[]]): Promise<string> {
	const [program, ...args] = [...place.command, ...argv];
	try {
		const result = await run(program ?? argv[0], args, { timeout: 10_000 });
		return result.code === 0 ? (result.stdout.split('\n')[0] ?? '').trim() : '';
	} catch (error) {
		if (error instanceof EngineError && error.code === 'unsupported') {
			return '';
		}
		throw error;
	}
}

/** capabilities(7): CAP_NET_ADMIN in the effective set; root in a container often lacks it. */
function mayChangeNetworks(): boolean {
	const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
	return (BigInt(`0x${effective}`) & (1n << 12n)) !== 0n;
}

function isForwarding(): boolean {
	try {
		return fs.readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return false;
		}
		throw error;
	}
}
