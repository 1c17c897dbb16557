import { commands, env, l10n, type Disposable } from 'vscode';
import { commitContainer, exportContainer, importImage, loadImages, pushImage, saveImages } from './archives';
import { changeLimits, killContainers, renameContainer } from './container-changes';
import { compareContainers, compareImages } from './compare';
import { containersOfGroup } from './container-rows';
import { chooseEngines, copyEngineAddress, hideEngine, inspectEngine, refreshEngine } from './engine-commands';
import { showEngine, switchEngine, useEngine } from './engine-commands';
import { bare } from './engine-keys';
import { filterEvents, showContainerEvents } from './event-commands';
import { browseFiles, downloadFiles, uploadFiles } from './file-commands';
import { takeGroupDown } from './group-down';
import { imagesOfRepository } from './image-rows';
import { removeImages, tagImage } from './images';
import { engineOf, partOf } from './keys';
import { browseLayers, compareLayers, showLayers } from './layer-commands';
import { pauseContainers, removeContainers, restartContainers } from './lifecycle';
import { startContainers, stopContainers, unpauseContainers } from './lifecycle';
import { editHideRules, filterContainers, groupContainers, hideContainers, hideImages } from './narrow';
import { showAllContainers, showHidden, sortContainers, toggle } from './narrow';
import { connectContainer, createNetwork, disconnectContainer, removeNetworks } from './networks';
import { checkForNewer, copyDigests, pullNewer } from './newer';
import { partsOfOne } from './one-engine';
import { copyAddress, openInBrowser } from './open-port';
import {
	filterLog,
	openLogs,
	pauseLog,
	saveLog,
	showAllOfLog,
	showPart,
	togglePrettyJson,
	toggleTimestamps,
} from './log-commands';
import type { Parts } from './parts';
import { containersFor, imagesFor, networksFor, volumesFor } from './pick';
import { pruneContainers, pruneEverything, pruneImages, pruneNetworks, pruneVolumes } from './prune';
import { cancelPull, pullImage } from './pull';
import { recreateContainer } from './recreate';
import { loginToRegistry, logoutFromRegistry } from './registries';
import {
	addToRegistries,
	browseRegistries,
	copyRegistryDigest,
	copyRegistryName,
	forgetRegistry,
} from './registry-commands';
import { pullFromRegistry, refreshRegistries, showMoreOfRegistry } from './registry-commands';
import { runContainer } from './run';
import { showStats } from './stats-commands';
import { attachTerminals, openDebugShell, openTerminalAs, openTerminals } from './terminal-commands';
import { backUpVolume, cloneVolume, restoreVolume } from './volume-archives';
import { createVolume, removeVolumes } from './volumes';

type Handler = (parts: Parts, ...called: unknown[]) => unknown;

/**
 * Every command of the extension; package.json tells how each looks and when it is there. A handler gets what VS Code
 * hands to a command of a view: the row it was called on and all selected rows. Called without, from the palette, it
 * asks with a picker that lists only what fits.
 */
const table: Readonly<Record<string, Handler>> = {
	'mydocker.image.pull': onOne(pullImage),
	'mydocker.image.cancelPull': cancelPull,
	'mydocker.image.run': async (parts, image) => {
		const here = await partsOfOne(parts, [image]);
		// The row's selection is no answer to the questions that a run asks.
		return here && runContainer(here, image);
	},
	'mydocker.image.tag': tagImage,
	'mydocker.image.inspect': inspectImage,
	'mydocker.image.compareInspect': compareImages,
	'mydocker.image.layers': showLayers,
	'mydocker.image.compareLayers': compareLayers,
	'mydocker.image.browseLayers': browseLayers,
	'mydocker.image.push': pushImage,
	'mydocker.image.save': saveImages,
	'mydocker.image.load': onOne(loadImages),
	'mydocker.image.import': onOne(importImage),
	'mydocker.image.checkNewer': checkForNewer,
	'mydocker.image.pullNewer': pullNewer,
	'mydocker.image.copyDigest': copyDigests,
	'mydocker.image.copyName': copyImageName,
	'mydocker.image.remove': removeImages,
	'mydocker.image.prune': onOne(pruneImages),
	'mydocker.container.run': onOne(runContainer),
	'mydocker.container.recreate': recreateContainer,
	'mydocker.container.start': startContainers,
	'mydocker.container.stop': stopContainers,
	'mydocker.container.restart': restartContainers,
	'mydocker.container.pause': pauseContainers,
	'mydocker.container.unpause': unpauseContainers,
	'mydocker.container.kill': killContainers,
	'mydocker.container.rename': renameContainer,
	'mydocker.container.limits': changeLimits,
	'mydocker.container.changes': showChanges,
	'mydocker.container.commit': commitContainer,
	'mydocker.container.export': exportContainer,
	'mydocker.container.openTerminal': openTerminals,
	'mydocker.container.openTerminalAs': openTerminalAs,
	'mydocker.container.debugShell': openDebugShell,
	'mydocker.container.attachTerminal': attachTerminals,
	'mydocker.container.logs': showLogs,
	'mydocker.container.openLogs': openLogs,
	'mydocker.container.stats': showStats,
	'mydocker.container.events': showContainerEvents,
	'mydocker.system.events': ({ events }) => events.show(),
	'mydocker.events.filter': filterEvents,
	'mydocker.system.diskUsage': ({ diskUsage }) => diskUsage.show(),
	'mydocker.container.browseFiles': browseFiles('container'),
	'mydocker.container.upload': uploadFiles('container'),
	'mydocker.container.download': downloadFiles('container'),
	'mydocker.log.filter': filterLog,
	'mydocker.log.timestamps': toggleTimestamps,
	'mydocker.log.json': togglePrettyJson,
	'mydocker.log.pause': pauseLog(true),
	'mydocker.log.resume': pauseLog(false),
	'mydocker.log.showAll': showAllOfLog,
	'mydocker.log.beginning': showPart('beginning'),
	'mydocker.log.earlier': showPart('earlier'),
	'mydocker.log.later': showPart('later'),
	'mydocker.log.latest': showPart('latest'),
	'mydocker.log.save': saveLog,
	'mydocker.container.inspect': inspectContainer,
	'mydocker.container.compareInspect': compareContainers,
	'mydocker.container.copyId': copyContainerId,
	'mydocker.container.remove': removeContainers,
	'mydocker.container.prune': onOne(pruneContainers),
	'mydocker.group.down': takeGroupDown,
	'mydocker.container.openInBrowser': openInBrowser,
	'mydocker.container.copyAddress': copyAddress,
	'mydocker.containers.filter': filterContainers,
	'mydocker.containers.showAll': showAllContainers,
	'mydocker.containers.sort': sortContainers,
	'mydocker.containers.group': groupContainers,
	'mydocker.containers.runningOnly': (parts) => {
		toggle('isRunningOnly', parts);
	},
	'mydocker.containers.workspaceOnly': (parts) => {
		toggle('isWorkspaceOnly', parts);
	},
	'mydocker.container.hide': hideContainers,
	'mydocker.image.hide': hideImages,
	'mydocker.hidden.show': showHidden(true),
	'mydocker.hidden.hide': showHidden(false),
	'mydocker.hidden.edit': editHideRules,
	'mydocker.network.create': onOne(createNetwork),
	'mydocker.network.inspect': inspectNetwork,
	'mydocker.network.connect': connectContainer,
	'mydocker.network.disconnect': disconnectContainer,
	'mydocker.network.remove': removeNetworks,
	'mydocker.network.prune': onOne(pruneNetworks),
	'mydocker.volume.create': onOne(createVolume),
	'mydocker.volume.inspect': inspectVolume,
	'mydocker.volume.copyName': copyVolumeName,
	'mydocker.volume.browseFiles': browseFiles('volume'),
	'mydocker.volume.upload': uploadFiles('volume'),
	'mydocker.volume.download': downloadFiles('volume'),
	'mydocker.files.upload': uploadFiles(),
	'mydocker.files.download': downloadFiles(),
	'mydocker.volume.backup': backUpVolume,
	'mydocker.volume.restore': restoreVolume,
	'mydocker.volume.clone': cloneVolume,
	'mydocker.volume.remove': removeVolumes,
	'mydocker.volume.prune': onOne(pruneVolumes),
	'mydocker.system.prune': onOne(pruneEverything),
	'mydocker.registries.browse': browseRegistries,
	'mydocker.registries.add': addToRegistries,
	'mydocker.registries.forget': forgetRegistry,
	'mydocker.registries.more': showMoreOfRegistry,
	'mydocker.registries.refresh': refreshRegistries,
	'mydocker.registries.pull': pullFromRegistry,
	'mydocker.registries.copyName': copyRegistryName,
	'mydocker.registries.copyDigest': copyRegistryDigest,
	'mydocker.registries.login': loginToRegistry,
	'mydocker.registries.logout': logoutFromRegistry,
	'mydocker.refresh': ({ model }) => model.reload(),
	'mydocker.engine.doctor': async ({ doctor, views }) => {
		await doctor.run();
		await views.openChecks();
	},
	'mydocker.engine.copyRemedy': ({ doctor }, key) => doctor.copyRemedy(key),
	'mydocker.engine.copyReport': ({ doctor }) => doctor.copy(),
	'mydocker.engine.switch': switchEngine,
	'mydocker.engine.use': useEngine,
	'mydocker.engine.show': showEngine,
	'mydocker.engine.hide': hideEngine,
	'mydocker.engine.choose': chooseEngines,
	'mydocker.engine.refresh': refreshEngine,
	'mydocker.engine.inspect': inspectEngine,
	'mydocker.engine.copyAddress': copyEngineAddress,
	'mydocker.engine.showLog': ({ log }) => {
		log.show();
	},
};

/** Registers the table. Whatever a command throws becomes one message (failure.ts). */
export function registerCommands(parts: Parts): Disposable[] {
	return Object.entries(table).map(([id, handler]) =>
		commands.registerCommand(id, async (...called: unknown[]) => {
			try {
				return await handler(parts, ...ungrouped(parts, await keyed(parts, called)));
			} catch (error) {
				if (parts.model.isOnRow(error)) {
					parts.log.error(String(error));
				} else {
					parts.failures.show(error);
				}
				return undefined;
			}
		}),
	);
}

/** A key of package.json names the view that it was pressed in: the command is for its rows. */
async function keyed({ views }: Parts, called: unknown[]): Promise<unknown[]> {
	const [first] = called;
	if (typeof first !== 'object' || first === null || !('view' in first) || typeof first.view !== 'string') {
		return called;
	}
	const keys = await views.rowsForKey(first.view);
	// The row of an engine stands for itself and for none of its rows.
	const rows = keys.filter((key) => engineOf(key) === undefined);
	return rows.length === 0 ? [] : [rows[0], rows];
}

/** A row of a group stands for the rows in it, and in a selection of several a row's parts do not count. */
function ungrouped({ scope }: Parts, called: unknown[]): unknown[] {
	const [first, all, ...rest] = called;
	if (typeof first !== 'string') {
		return called;
	}
	const expand = (key: string): readonly string[] =>
		containersOfGroup(scope, key) ?? imagesOfRepository(scope, key) ?? [key];
	const selected: readonly unknown[] = Array.isArray(all) && all.includes(first) ? all : [first];
	const keys = selected
		.filter((key): key is string => typeof key === 'string')
		.filter((key) => key === first || (partOf(key, 'port') ?? engineOf(key)) === undefined)
		.flatMap(expand);
	const isPlain = keys.length === 1 && keys[0] === first;
	return isPlain ? called : [expand(first)[0] ?? first, [...new Set(keys)], ...rest];
}

/**
 * A command that makes or pulls something on one engine. VS Code hands a button in a view's title the row that has the
 * focus, which has nothing to do with it unless it is an engine's. What another caller hands in counts.
 */
function onOne(handler: Handler): Handler {
	return async (parts, ...called) => {
		const given = fromCaller(parts, called);
		const isRoot = typeof called[0] === 'string' && engineOf(called[0]) !== undefined;
		const here = await partsOfOne(parts, isRoot ? called : given);
		return here === undefined ? undefined : handler(here, ...given);
	};
}

function fromCaller({ model, views }: Parts, called: readonly unknown[]): readonly unknown[] {
	const [first] = called;
	const isRow =
		typeof first === 'string' &&
		(views.isSelected(first) || first.includes(' ') || model.container(first)?.id === first);
	return isRow ? [] : called;
}

async function showLogs({ model, logs }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Show Logs');
	for (const id of await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') })) {
		await logs.show(id);
	}
}

async function inspectContainer({ model, inspections }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Inspect Container');
	for (const id of await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') })) {
		await inspections.showContainer(id);
	}
}

async function showChanges({ model, inspections }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Show Changed Files');
	for (const id of await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') })) {
		await inspections.showChanges(id);
	}
}

async function inspectImage({ model, inspections }: Parts, ...called: unknown[]): Promise<void> {
	for (const name of await imagesFor(model, called, { title: l10n.t('Inspect Image') })) {
		await inspections.showImage(name);
	}
}

async function inspectNetwork({ model, inspections }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Inspect Network');
	for (const id of await networksFor(model, called, { title, none: l10n.t('There are no networks.') })) {
		await inspections.showNetwork(id);
	}
}

async function inspectVolume({ model, inspections }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Inspect Volume');
	for (const name of await volumesFor(model, called, { title, none: l10n.t('There are no volumes yet.') })) {
		await inspections.showVolume(name);
	}
}

async function copyVolumeName({ model }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Copy Volume Name');
	const names = await volumesFor(model, called, { title, none: l10n.t('There are no volumes yet.') });
	await copyLines(names.map(bare));
}

async function copyContainerId({ model }: Parts, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Copy Container ID');
	const ids = await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') });
	await copyLines(ids.map(bare));
}

async function copyImageName({ model }: Parts, ...called: unknown[]): Promise<void> {
	const names = await imagesFor(model, called, { title: l10n.t('Copy Image Name') });
	await copyLines(names.map(bare));
}

async function copyLines(lines: readonly string[]): Promise<void> {
	if (lines.length > 0) {
		await env.clipboard.writeText(lines.join('\n'));
	}
}
