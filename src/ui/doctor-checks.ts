import type { DoctorFinding, Info, Version } from '../api/types';

export type CheckStatus = 'good' | 'warning' | 'bad';

/** What was looked at: the engine itself, the parts that it needs, and what it warns of. */
export type CheckName =
	'engine' | 'runtime' | 'user' | 'limits' | 'storage' | 'network' | 'outbound' | 'disk' | 'security' | 'folder';

/** A fact about the engine, in its own words; the view puts a title before it. */
export interface Check {
	readonly name: CheckName | `warning-${number}`;
	readonly status: CheckStatus;
	readonly value: string;
	/** The same in the language of the window, where that is known. */
	readonly local?: string;
	/** The one command that mends it; "" when there is none to give. */
	readonly remedy: string;
}

const STATUSES = { ok: 'good', warning: 'warning', problem: 'bad' } as const;

/**
 * What our engine has tried on its machine, as a list of what works and what does not; `translate` gives a sentence in
 * the language of the window.
 */
export function checksOfFindings(
	findings: readonly DoctorFinding[],
	info: Info,
	version: Version,
	translate: (text: string, ...values: string[]) => string,
): Check[] {
	return [
		engineCheck(version),
		...findings.map(({ Subject, Status, Message, Sentences, Remedy }): Check => ({
			name: Subject,
			status: STATUSES[Status],
			value: Message,
			...(Sentences && { local: Sentences.map(({ Text, Values }) => translate(Text, ...Values)).join(' ') }),
			remedy: Remedy,
		})),
		check('folder', 'good', info.DockerRootDir),
	];
}

/** The same of an engine that has no doctor: what it tells of itself. */
export function checksOf(info: Info, version: Version): Check[] {
	const runtime = version.Components?.find(({ Name }) => Name === info.DefaultRuntime);
	const networks = info.Plugins?.Network ?? [];
	const security = (info.SecurityOptions ?? []).map((option) => option.replace(/^name=/, '').replace(/,.*$/, ''));
	return [
		engineCheck(version),
		check(
			'runtime',
			info.DefaultRuntime === '' ? 'bad' : 'good',
			`${info.DefaultRuntime} ${runtime?.Version ?? ''}`.trim(),
		),
		check('network', networks.includes('bridge') ? 'good' : 'warning', networks.join(', ')),
		check('storage', 'good', info.Driver),
		check(
			'limits',
			info.CgroupDriver === 'none' ? 'warning' : 'good',
			`cgroup ${info.CgroupVersion ?? ''}, ${info.CgroupDriver ?? ''}`,
		),
		check('security', 'good', security.join(', ')),
		check('folder', 'good', info.DockerRootDir),
		...(info.Warnings ?? []).map((value, index) => check(`warning-${index}`, 'warning', value)),
	];
}

/** Why there is no engine; it names the command that helps where there is one. */
export function failedCheck(message: string): Check {
	const [, remedy = ''] = /"(sudo [^"]+)"/.exec(message) ?? [];
	return { name: 'engine', status: 'bad', value: message, remedy };
}

/** For a bug report: one line a check, the command that mends it below. */
export function reportText(checks: readonly Check[]): string {
	const lines = checks.flatMap(({ status, name, value, remedy }) => [
		`${status}: ${name}: ${value}`,
		...(remedy === '' ? [] : [`  → ${remedy}`]),
	]);
	return lines.map((line) => `${line}\n`).join('');
}

function engineCheck(version: Version): Check {
	// Docker's component is called "Engine"; Podman's platform is the machine's.
	const component = version.Components?.[0]?.Name ?? '';
	const engine = /^Podman/.test(component) ? component : version.Platform?.Name || `Docker ${component}`;
	return check('engine', 'good', `${engine} ${version.Version}`.trim());
}

function check(name: Check['name'], status: CheckStatus, value: string): Check {
	return { name, status, value, remedy: '' };
}
