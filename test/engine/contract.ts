import * as assert from 'node:assert/strict';
import { containerCases } from './containers';
import { apiCases } from './api';
import { execCases } from './exec';
import { copyCases } from './copy';
import { imageArchiveCases } from './image-archives';
import { imageCases } from './images';
import { healthCases } from './health';
import { logCases } from './logs';
import { pushCases } from './push';
import { registryCases } from './registries';
import { opaqueCases } from './opaque';
import { optionCases } from './options';
import { remadeCases } from './remade';
import { restartPolicyCases } from './restart';
import { statsCases } from './stats';
import { updateCases } from './update';
import { processesCases } from './processes';
import { terminalCases } from './tty';
import { volumeArchiveCases } from './volume-archives';
import { volumeCases } from './volumes';
import { pull, remove } from './run';
import { leaksOf, type EngineName, type EngineProcess, type Images, type Registries, type Subject } from './subject';
import { Workspace } from './workspace';

export interface Engine {
	readonly name: EngineName;
	readonly start: (workspace: Workspace) => EngineProcess | Promise<EngineProcess>;
}

export interface Given {
	readonly images: Images;
	readonly registries: Registries;
}

/** What every engine must do, on an engine that is started for it. */
export function contractOf(engine: Engine, given: () => Given): void {
	describe(engine.name, function () {
		// dockerd is the witness, not the accused: a case fails on it only when it says no twice.
		this.retries(engine.name === 'docker' ? 1 : 0);
		let workspace: Workspace;
		let subject: Subject;

		before(async () => {
			workspace = new Workspace(engine.name);
			const started = await engine.start(workspace);
			subject = { ...started, ...given(), name: engine.name, ids: new Set() };
			for (const image of [subject.images.busybox, subject.images.app, subject.images.whiteouts]) {
				await pull(subject, image.reference);
			}
		});

		afterEach('no container is left', async () => {
			const left = await subject.client.containers.list({ all: true });
			for (const container of left) {
				subject.ids.add(container.Id);
				await remove(subject, container.Id);
			}
		});

		after('nothing is left', async () => {
			let leaks: string[] = [];
			// First registered, last undone: looks when the engine has ended.
			const root = workspace.root;
			await workspace.dispose();
			leaks = leaksOf(root, subject.ids);
			assert.deepEqual(leaks, []);
		});

		imageCases(() => subject);
		pushCases(() => subject);
		registryCases(() => subject);
		containerCases(() => subject);
		execCases(() => subject);
		terminalCases(() => subject);
		processesCases(() => subject);
		logCases(() => subject);
		volumeCases(() => subject);
		if (engine.name === 'embedded') {
			volumeArchiveCases(() => subject);
		}
		copyCases(() => subject);
		opaqueCases(() => subject);
		imageArchiveCases(() => subject);
		apiCases(() => subject);
		restartPolicyCases(() => subject);
		statsCases(() => subject);
		optionCases(() => subject);
		updateCases(() => subject);
		remadeCases(() => subject);
		healthCases(() => subject);
	});
}
