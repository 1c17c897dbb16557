import type { PublishedPort } from './ports';

/** What a firewall must know of a network that has a container on it. */
export interface FirewallNetwork {
	readonly bridge: string;
	readonly subnet: string;
	readonly gateway: string;
	readonly internal: boolean;
	/** False with the option com.docker.network.bridge.enable_icc=false: containers do not reach each other. */
	readonly isConnected: boolean;
	/** False with the option com.docker.network.bridge.enable_ip_masquerade=false. */
	readonly isMasqueraded: boolean;
	/** IPv4 ports of the containers whose published ports lead through this network. */
	readonly ports: readonly FirewallPort[];
}

export interface FirewallPort extends PublishedPort {
	/** The container's. */
	readonly address: string;
}
