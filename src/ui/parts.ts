import type { LogOutputChannel, Memento } from 'vscode';
import type { Client } from '../api/client';
import type { DiskUsageRows } from './disk-usage';
import type { Doctor } from './doctor';
import type { Engines } from './engines';
import type { EventRows } from './events';
import type { Failures } from './failure';
import type { Files } from './files';
import type { Inspections } from './inspect';
import type { LayerReports } from './layers';
import type { LogEditors } from './log-editor';
import type { Logs } from './logs';
import type { Model, Models } from './model';
import type { Pulls } from './pulls';
import type { Logins } from './logins';
import type { RegistryRows } from './registry-rows';
import type { Scope } from './scope';
import type { StatsPanels } from './stats-panel';
import type { Terminals } from './terminals';
import type { Views } from './views';
import type { VolumeSizes } from './volume-sizes';

/** What extension.ts made and commands work with. A command's function takes only those it names. */
export interface Parts {
	/** Leads to the engines of this window; for a command that is about one engine, to that one. */
	readonly client: Client;
	readonly engines: Engines;
	/** What the same engines hold. */
	readonly model: Model;
	/** The model of each engine. */
	readonly models: Models;
	readonly logins: Logins;
	readonly pulls: Pulls;
	readonly scope: Scope;
	readonly volumeSizes: VolumeSizes;
	readonly layerReports: LayerReports;
	readonly logs: Logs;
	readonly logEditors: LogEditors;
	readonly doctor: Doctor;
	readonly inspections: Inspections;
	readonly statsPanels: StatsPanels;
	readonly diskUsage: DiskUsageRows;
	readonly events: EventRows;
	readonly registryRows: RegistryRows;
	readonly terminals: Terminals;
	readonly views: Views;
	readonly failures: Failures;
	readonly files: Files;
	/** What is kept for this workspace. */
	readonly memento: Memento;
	/** What is kept for all windows. */
	readonly globalMemento: Memento;
	readonly log: LogOutputChannel;
}
