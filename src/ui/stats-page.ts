import { randomBytes } from 'node:crypto';
import { env, l10n, Uri, type Webview } from 'vscode';
import type { PanelWords } from './stats-messages';

/** The page of the stats panel: nothing from elsewhere, no script but ours. What it shows comes in messages. */
export function statsPage(
	webview: Webview,
	extension: Uri,
	container: { readonly id: string; readonly name: string; readonly title: string },
): string {
	const nonce = randomBytes(16).toString('base64');
	const file = (name: string): string => webview.asWebviewUri(Uri.joinPath(extension, 'dist', name)).toString();
	const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}';`;
	return `<!DOCTYPE html>
<html lang="${escape(env.language)}">
<head>
	<meta charset="UTF-8">
	<meta http-equiv="Content-Security-Policy" content="${policy}">
	<meta name="viewport" content="width=device-width, initial-scale=1.0">
	<title>${escape(container.title)}</title>
	<link rel="stylesheet" href="${file('stats-panel.css')}">
</head>
<body data-container="${escape(container.id)}" data-words="${escape(JSON.stringify(panelWords()))}">
	<main>
		<header>
			<h1>${escape(container.name)}</h1>
			<p id="state" role="status"></p>
			<button id="retry" type="button" hidden>${escape(l10n.t('Retry'))}</button>
			<span id="at"></span>
			<label>${escape(l10n.t('Time span'))}<select id="range">${ranges()}</select></label>
		</header>
		<div class="charts">
			${chart('cpu', l10n.t('CPU'), ['more'])}
			${chart('memory', l10n.t('Memory'), ['more'])}
			${chart('network', l10n.t('Network, received / sent'), ['key first', 'key second'])}
			${chart('block', l10n.t('Block devices, read / written'), ['key first', 'key second'])}
		</div>
		<div class="scroll" role="region" tabindex="0" aria-label="${escape(l10n.t('Processes'))}">
			<table id="processes"><caption>${escape(l10n.t('Processes'))}</caption><thead></thead><tbody></tbody></table>
		</div>
		<details id="figures">
			<summary>${escape(l10n.t('The charts as a table'))}</summary>
			<div class="scroll" role="region" tabindex="0" aria-label="${escape(l10n.t('The charts as a table'))}">
				<table><thead><tr>${headings()}</tr></thead><tbody id="rows"></tbody></table>
			</div>
		</details>
	</main>
	<script nonce="${nonce}" src="${file('stats-panel.js')}"></script>
</body>
</html>`;
}

function ranges(): string {
	const choices: readonly (readonly [number, string])[] = [
		[1, l10n.t('1 minute')],
		[5, l10n.t('5 minutes')],
		[15, l10n.t('15 minutes')],
		[60, l10n.t('1 hour')],
	];
	return choices.map(([minutes, words]) => `<option value="${minutes}">${escape(words)}</option>`).join('');
}

/** A chart with its figures; the arrow keys go over its points. */
function chart(id: string, heading: string, details: readonly string[]): string {
	const more = details.map((kind, index) => `<span class="${kind}" id="${id}-more-${index}"></span>`).join('');
	const hint = l10n.t('Arrow keys go from point to point.');
	return `<figure role="group" aria-labelledby="${id}-title">
				<figcaption>
					<h2 id="${id}-title">${escape(heading)}</h2>
					<span class="now" id="${id}-now">–</span>
					<span class="more">${more}</span>
				</figcaption>
				<div class="chart" id="${id}-chart" tabindex="0" role="img" aria-label="${escape(heading)}" aria-describedby="${id}-now" title="${escape(hint)}"></div>
			</figure>`;
}

function headings(): string {
	const { received, sent, read, written } = trafficWords();
	return [l10n.t('Time'), l10n.t('CPU'), l10n.t('Memory'), received, sent, read, written, l10n.t('Processes')]
		.map((words) => `<th scope="col">${escape(words)}</th>`)
		.join('');
}

function trafficWords(): Pick<PanelWords, 'received' | 'sent' | 'read' | 'written'> {
	return {
		received: l10n.t('received'),
		sent: l10n.t('sent'),
		read: l10n.t('read'),
		written: l10n.t('written'),
	};
}

/** Places like {0} stay: the page fills them. */
function panelWords(): PanelWords {
	return {
		...trafficWords(),
		cpuLimit: l10n.t('of {0} at most'),
		memoryOf: l10n.t('of {0}, {1}'),
		noLimit: l10n.t('no limit'),
		total: l10n.t('{0} {1} in all'),
		perSecond: l10n.t('{0}/s'),
		noProcesses: l10n.t('No processes'),
	};
}

function escape(text: string): string {
	return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
