import * as fs from 'node:fs';
import { findProgram } from '../exec';
import type { Family } from './address';
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
	/** Why networks cannot have IPv6 although bridges work; "" when they can. */
	readonly ipv6Problem: string;
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
	const problems = networkProblems({ isAllowed, hasIp: !isMissing('ip'), hasFirewall: firewall !== 'none' });
	const ipv6Problem = !fs.existsSync('/proc/net/if_inet6')
		? 'this kernel runs without IPv6'
		: firewall === 'iptables' && isMissing('ip6tables-save', 'ip6tables-restore')
			? 'the programs ip6tables-save and ip6tables-restore are missing (package iptables)'
			: '';
	return { hasBridge: problems.length === 0, firewall, ipv6Problem, problems };
}

/** Why networks do not work, each in a sentence without its full stop. */
export function networkProblems(can: {
	readonly isAllowed: boolean;
	readonly hasIp: boolean;
	readonly hasFirewall: boolean;
}): string[] {
	return [
		...(can.isAllowed ? [] : ['Without the right to change networks (root with CAP_NET_ADMIN)']),
		...(can.hasIp ? [] : ['The program "ip" is missing (package iproute2):']),
		...(can.hasFirewall ? [] : ['Neither iptables nor nft is installed (package iptables):']),
	].map((reason) => `${reason} only the networks host and none work`);
}

/** Whose rules, made where and by what. */
export interface FirewallPlace {
	readonly facts: NetworkFacts;
	readonly place: NetworkPlace;
	/** 8 hex digits. */
	readonly store: string;
	readonly family: Family;
}

/**
 * Makes the kernel's rules of one family those that `networks` need, no more and no less, in one transaction for each table; an empty
 * list removes every trace. Own chains hold all rules, named after the store, so that several stores live
 * side by side, and applying again heals what another program has flushed.
 */
export async function applyFirewall(
	{ facts, place, store, family }: FirewallPlace,
	networks: readonly FirewallNetwork[],
): Promise<void> {
	if (facts.firewall === 'iptables') {
		const program = family === 4 ? 'iptables' : 'ip6tables';
		const saved = await runIn(place, [`${program}-save`]);
		const input = iptablesRules({ store, family }, networks, saved.stdout);
		if (input !== '') {
			await runIn(place, [`${program}-restore`, '--noflush', '--wait'], { input });
		}
	} else if (facts.firewall === 'nftables') {
		await runIn(place, ['nft', '-f', '-'], { input: nftablesRules({ store, family }, networks) });
	}
}

/** capabilities(7): CAP_NET_ADMIN in the effective set; root in a container often lacks it. */
function mayChangeNetworks(): boolean {
	const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
	return (BigInt(`0x${effective}`) & (1n << 12n)) !== 0n;
}
