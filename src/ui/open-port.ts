import { env, l10n, ThemeIcon, Uri, window } from 'vscode';
import { portOfKey } from './container-rows';
import { Notice } from './failure';
import type { Parts } from './parts';
import { containersFor } from './pick';
import { browserUrl, localAddress, portText, publishedPorts, webPorts } from './port';
import type { PortRow } from './rows';

/** Open in Browser: the page of a container, or of one of its ports when it was called on one. */
export async function openInBrowser({ model }: Pick<Parts, 'model'>, ...called: unknown[]): Promise<void> {
	const port = await portFor(
		{ model },
		called,
		{ title: l10n.t('Open in Browser'), none: l10n.t('No running container has a published port with a page.') },
		webPorts,
	);
	const url = port && browserUrl(port);
	if (url !== undefined) {
		// In a remote window the port is on the other machine; VS Code knows the way.
		await env.openExternal(await env.asExternalUri(Uri.parse(url)));
	}
}

/** Copy Address: "localhost:8080" of a published port. */
export async function copyAddress({ model }: Pick<Parts, 'model'>, ...called: unknown[]): Promise<void> {
	const port = await portFor(
		{ model },
		called,
		{ title: l10n.t('Copy Address'), none: l10n.t('No running container has a published port.') },
		publishedPorts,
	);
	const address = port && localAddress(port);
	if (address !== undefined) {
		await env.clipboard.writeText(address);
	}
}

async function portFor(
	{ model }: Pick<Parts, 'model'>,
	called: readonly unknown[],
	{ title, none }: { readonly title: string; readonly none: string },
	portsOf: typeof publishedPorts,
): Promise<PortRow | undefined> {
	const [first] = called;
	if (typeof first === 'string') {
		await model.load();
		const port = portOfKey(model, first);
		if (port !== undefined) {
			return port;
		}
	}
	const [id] = await containersFor(model, typeof first === 'string' ? [first] : [], {
		title,
		none,
		fits: (row) => portsOf(row).length > 0,
	});
	const row = id === undefined ? undefined : model.container(id);
	if (row === undefined) {
		return undefined;
	}
	const ports = portsOf(row);
	if (ports.length === 0) {
		throw new Notice(none);
	}
	return ports.length === 1 ? ports[0] : pickPort(ports, `${title}: ${row.name}`);
}

async function pickPort(ports: readonly PortRow[], title: string): Promise<PortRow | undefined> {
	const choices = ports.map((port) => ({
		port,
		label: localAddress(port) ?? '',
		description: portText(port).replace(/^.*→/, '→ '),
		iconPath: new ThemeIcon(browserUrl(port) === undefined ? 'plug' : 'globe'),
	}));
	return (await window.showQuickPick(choices, { title }))?.port;
}
