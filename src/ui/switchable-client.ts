import type { Client } from '../api/client';

/** The client of whichever engine is chosen when a call is made. What has begun goes on with the engine it began with. */
export class SwitchableClient implements Client {
	constructor(private readonly choose: () => Client) {}

	/** The client of the engine that is chosen now, for what has to stay with it. */
	get pinned(): Client {
		return this.choose();
	}

	get images(): Client['images'] {
		return this.choose().images;
	}

	get registries(): Client['registries'] {
		return this.choose().registries;
	}

	get containers(): Client['containers'] {
		return this.choose().containers;
	}

	get execs(): Client['execs'] {
		return this.choose().execs;
	}

	get networks(): Client['networks'] {
		return this.choose().networks;
	}

	get volumes(): Client['volumes'] {
		return this.choose().volumes;
	}

	readonly version: Client['version'] = (options) => this.choose().version(options);
	readonly info: Client['info'] = (options) => this.choose().info(options);
	readonly doctor: Client['doctor'] = (options) => this.choose().doctor(options);
	readonly diskUsage: Client['diskUsage'] = (options) => this.choose().diskUsage(options);
	readonly events: Client['events'] = (options) => this.choose().events(options);
}

/** The client of the engine that `client` leads to now, also when another engine is chosen later. */
export function pinned(client: Client): Client {
	return client instanceof SwitchableClient ? client.pinned : client;
}
