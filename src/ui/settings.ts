import { workspace } from 'vscode';
import type { Thresholds } from './usage-threshold';

/** The user's settings, read where they are used so that a change counts at once. */
export const settings = {
	/** Seconds until an unused engine leaves. */
	get idleTimeout(): number {
		return get('engine.idleTimeout', 30);
	},
	/** The only runtime to use, as the person wrote it; "auto" leaves it to MYDOCKER_RUNTIME and the engine. */
	get runtime(): string {
		return get('runtime', 'auto');
	},
	/** Storage driver of new containers; "" for the best that works. */
	get storageDriver(): string {
		return get('engine.storageDriver', '');
	},
	/** Lines that a log begins with. */
	get logTail(): number {
		return get('logs.tail', 1000);
	},
	/** Whether a log in an editor begins with its times. */
	get logTimestamps(): boolean {
		return get('logs.timestamps', false);
	},
	/** What Run… offers, by name; as a person wrote it. */
	get presets(): object {
		return get('run.presets', {});
	},
	/** Whether agents that use MCP are offered our tools. */
	get isMcpOffered(): boolean {
		return get('mcp', false);
	},
	/** Whether rows of running containers say what they use. */
	get isUsageShown(): boolean {
		return get('containers.showUsage', false);
	},
	/** What a container may use before a person is told. */
	get thresholds(): Thresholds {
		return {
			cpu: get('alerts.cpu', 0),
			memory: get('alerts.memory', 0),
			samples: Math.max(get('alerts.samples', 10), 1),
		};
	},
	/** Whether registries are asked for newer images by themselves. */
	get areNewerLookedFor(): boolean {
		return get('images.checkForNewer', false);
	},
	/** Whether containers in trouble are told of. */
	get areNoticesShown(): boolean {
		return get('notifications', true);
	},
	get isInStatusBar(): boolean {
		return get('statusBar', true);
	},
	get showLogsOnRun(): boolean {
		return get('logs.showOnRun', true);
	},
	/** By the beginning of an image's name. */
	get registryMirrors(): Readonly<Record<string, readonly string[]>> | null {
		return get('registries.mirrors', null);
	},
	get insecureRegistries(): readonly string[] | null {
		return get('registries.insecure', null);
	},
	/** Folders like /etc/docker/certs.d. */
	get registryCertificates(): readonly string[] | null {
		return get('registries.certificates', null);
	},
} as const;

/** package.json gives the same defaults; these hold when a person cleared the value. */
function get<T>(name: string, otherwise: T): T {
	return workspace.getConfiguration('mydocker').get<T>(name) ?? otherwise;
}
