import type { Family } from './address';
import type { PublishedPort } from './ports';

/** Whose rules. */
export interface FirewallOwner {
	/** 8 hex digits of the store. */
	readonly store: string;
	readonly family: Family;
}

/** What a firewall must know of one family of a network that has a container on it. */
export interface FirewallNetwork {
	readonly bridge: string;
	readonly subnet: string;
	readonly gateway: string;
	readonly internal: boolean;
	/** False with the option com.docker.network.bridge.enable_icc=false: containers do not reach each other. */
	readonly isConnected: boolean;
	/** False with the option com.docker.network.bridge.enable_ip_masquerade=false. */
	readonly isMasqueraded: boolean;
	/** Ports of the containers whose published ports lead through this network, at addresses of the family. */
	readonly ports: readonly FirewallPort[];
}

export interface FirewallPort extends PublishedPort {
	/** The container's. */
	readonly address: string;
}

export function isAnyAddress(host_ip: string): boolean {
	return host_ip === '0.0.0.0' || host_ip === '::';
}

/** "10.86.0.2:80", "[fd00::2]:80": where a port leads. */
export function formatTarget({ address, container_port }: FirewallPort): string {
	return address.includes(':') ? `[${address}]:${container_port}` : `${address}:${container_port}`;
}
