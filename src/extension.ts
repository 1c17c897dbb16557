import { window, type ExtensionContext, type LogOutputChannel } from 'vscode';
import type { Client } from './api/client';
import { connectEngine } from './api/connect';
import { registerCommands } from './ui/commands';
import { DiskUsageRows } from './ui/disk-usage';
import { Doctor } from './ui/doctor';
import { Engines } from './ui/engines';
import { EventRows } from './ui/events';
import { Failures, learnLanguage, refusal, sentence } from './ui/failure';
import { Files } from './ui/files';
import { Inspections } from './ui/inspect';
import { registerLanguageTools } from './ui/language-tools';
import { registerMcpServer } from './ui/mcp';
import { LayerFiles } from './ui/layer-files';
import { LayerReports } from './ui/layers';
import { LogEditors } from './ui/log-editor';
import { LogState } from './ui/log-state';
import { Logs } from './ui/logs';
import { NewerImages } from './ui/newer-images';
import { Notices } from './ui/notices';
import { Models } from './ui/model';
import { Logins } from './ui/logins';
import { Pulls } from './ui/pulls';
import { RegistryRows } from './ui/registry-rows';
import { RowUsage } from './ui/row-usage';
import { Scope } from './ui/scope';
import { SecondaryViews } from './ui/secondary-views';
import { StatsPanels } from './ui/stats-panel';
import { StatusBar } from './ui/status-bar';
import { settings } from './ui/settings';
import { contributeToTerminals } from './ui/terminal';
import { Terminals } from './ui/terminals';
import { UsageAlerts } from './ui/usage-alerts';
import { Views } from './ui/views';
import { VolumeSizes } from './ui/volume-sizes';

/** What other extensions and our tests get. */
export interface Api {
	readonly client: Client;
	readonly model: Models;
}

/** Wires the parts and returns: it starts nothing and waits for nothing. The first view or command starts the engine. */
export function activate(context: ExtensionContext): Api {
	const own = context.subscriptions;
	const log = window.createOutputChannel('MyDocker', { log: true });
	own.push(log);
	const logins = new Logins(context.secrets, log);
	const toOwn = connector(context, log);
	const engines = new Engines({ own: toOwn, registries: logins, memento: context.workspaceState, log });
	const { client } = engines;
	const model = new Models(engines, log);
	own.push(engines, model);
	const failures = new Failures(log);
	learnLanguage(context.extensionPath).catch((error: unknown) => {
		log.warn(`Cannot read what the engine says in this language: ${sentence(error)}`);
	});
	const scope = new Scope(model, context.workspaceState);
	own.push(scope);
	const volumeSizes = new VolumeSizes(client, model, log);
	own.push(volumeSizes);
	const doctor = new Doctor(client, model, log);
	own.push(doctor);
	const pulls = new Pulls(client);
	own.push(pulls);
	const rowUsage = new RowUsage(client, model, log);
	const newerImages = new NewerImages(client, model, context.globalState, log);
	const views = new Views({ model, engines, scope, volumeSizes, pulls, doctor, rowUsage, failures, newerImages });
	own.push(rowUsage, newerImages);
	own.push(views);
	const logs = new Logs(client, model, log);
	own.push(logs);
	const logEditors = new LogEditors(client, model, log);
	own.push(logEditors, new LogState(logEditors));
	const inspections = new Inspections(client, model, engines);
	own.push(inspections);
	const diskUsage = new DiskUsageRows(client, model, log);
	const events = new EventRows(client, model, log);
	const registryRows = new RegistryRows(client.registries, model, context.globalState);
	own.push(diskUsage, events, registryRows);
	own.push(new SecondaryViews({ engines, model, diskUsage, events, registryRows }));
	const statsPanels = new StatsPanels({ client, model, log, extension: context.extensionUri });
	own.push(statsPanels);
	const files = new Files(client, model);
	own.push(files);
	const layerReports = new LayerReports(client);
	own.push(layerReports, new LayerFiles(client));
	const terminals = new Terminals(client, model, context.workspaceState);
	own.push(terminals);
	own.push(...registerLanguageTools(context, { engines, model }), ...registerMcpServer(context, engines));
	own.push(new Notices(model, context.globalState), new UsageAlerts(rowUsage, model, context.globalState));
	own.push(new StatusBar(model, engines));
	own.push(
		...registerCommands({
			client,
			engines,
			model,
			models: model,
			logins,
			pulls,
			scope,
			volumeSizes,
			doctor,
			layerReports,
			logs,
			logEditors,
			inspections,
			statsPanels,
			diskUsage,
			events,
			registryRows,
			terminals,
			views,
			failures,
			files,
			memento: context.workspaceState,
			globalMemento: context.globalState,
			log,
		}),
	);
	contributeToTerminals(context, engines, log);
	own.push(
		engines.onDidSwitch(() => {
			for (const part of [volumeSizes, diskUsage, events]) {
				part.forget();
			}
			model.switchEngines();
			doctor.switchEngines();
		}),
	);
	return { client, model };
}

/** Gives the way to the engine; requests that come together while it starts wait for one start, not for one each. */
function connector(context: ExtensionContext, log: LogOutputChannel): (signal?: AbortSignal) => Promise<string> {
	let connecting: Promise<string> | undefined;
	return async (signal) => {
		const refused = refusal(true);
		if (refused !== undefined) {
			throw refused;
		}
		connecting ??= connectEngine({
			root: context.globalStorageUri.fsPath,
			engine: context.asAbsolutePath('dist/engine.js'),
			idleTimeout: settings.idleTimeout,
			runtime: settings.runtime,
			...(settings.storageDriver === '' ? {} : { storageDriver: settings.storageDriver }),
			log: (message) => {
				log.info(message);
			},
		}).finally(() => {
			connecting = undefined;
		});
		const socketPath = await connecting;
		signal?.throwIfAborted();
		return socketPath;
	};
}
