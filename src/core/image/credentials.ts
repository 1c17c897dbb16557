/** What a client sends to log in to one registry (docker's X-Registry-Auth). The engine reads no credential file. */
export interface RegistryAuth {
	readonly username?: string;
	readonly password?: string;
	/** An OAuth 2 refresh token, given in place of a password. */
	readonly identitytoken?: string;
	/** A bearer token that is sent as it is. */
	readonly registrytoken?: string;
}
