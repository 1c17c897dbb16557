import * as fs from 'node:fs';
import { findProgram } from '../exec';
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
	/** Whole sentences: what is missing, what does not work without it, and which package has it. */
	readonly problems: readonly string[];
}

/** Looks at the machine's files; starts no program, since every start of the engine pays for it. */
export function probeNetwork(place: NetworkPlace): NetworkFacts {
	const isMissing = (...programs: string[]): boolean =>
		programs.some((program) => findProgram(program) === undefined);
	const hasIptables = !isMissing('iptables-save', 'iptables-restore');
	const firewall = hasIptables ? 'iptables' : isMissing('nft') ? 'none' : 'nftables';
	const isAllowed = place.command.length > 0 || mayChangeNetworks();
	const problems = [
		...(isAllowed ? [] : ['Without the right to change networks (root with CAP_NET_ADMIN)']),
		...(isMissing('ip') ? ['The program "ip" is missing (package iproute2):'] : []),
		...(firewall === 'none' ? ['Neither iptables nor nft is installed (package iptables):'] : []),
	].map((reason) => `${reason} only the networks host and none work`);
	return { hasBridge: problems.length === 0, firewall, problems };
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

/** capabilities(7): CAP_NET_ADMIN in the effective set; root in a container often lacks it. */
function mayChangeNetworks(): boolean {
	const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
	return (BigInt(`0x${effective}`) & (1n << 12n)) !== 0n;
}
