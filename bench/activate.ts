import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Workspace } from '../test/engine/workspace';
import { median, type Figure } from './figure';
import type { Product } from './product';

const ROUNDS = 9;

interface Sample {
	/** Milliseconds of CPU. */
	readonly load: number;
	readonly activate: number;
	/** Bytes that the heap has more afterwards. */
	readonly heap: number;
}

/**
 * CPU time to load the extension's bundle and to run activate(), in a fresh Node process each time, with a stand-in for
 * the `vscode` module that does nothing. What VS Code itself does on activation is not in it.
 */
export function measureActivate(workspace: Workspace, product: Product): Figure[] {
	const script = path.join(workspace.root, 'activate.cjs');
	fs.writeFileSync(script, SCRIPT);
	const empty = path.join(workspace.root, 'empty.cjs');
	fs.writeFileSync(empty, "require('vscode'); exports.activate = () => undefined;");
	const own = path.join(product.bundles, 'extension.js');
	const sample = (mode: 'fresh' | 'warm', bundle: string): Sample => {
		const args = ['--expose-gc', script, bundle, product.folder, path.join(workspace.root, 'storage'), mode];
		const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
		if (status !== 0) {
			throw new Error(`activate() fails with the stand-in of vscode: ${stderr}`);
		}
		return JSON.parse(stdout) as Sample;
	};
	const samples = Array.from({ length: ROUNDS }, () => ({
		fresh: sample('fresh', own),
		warm: sample('warm', own),
		empty: sample('warm', empty),
	}));
	const theirs = median(samples.map(({ empty: { load, activate } }) => load + activate));
	const figureOf = (name: string, mode: 'fresh' | 'warm', what: string): Figure => {
		const load = median(samples.map((pair) => pair[mode].load));
		const activate = median(samples.map((pair) => pair[mode].activate));
		const note = `loading extension.js ${load.toFixed(1)} ms + activate() ${activate.toFixed(1)} ms, ${what}`;
		const rival = mode === 'warm' ? { theirs, rival: 'empty extension' } : {};
		return { name, unit: 'ms CPU', ours: load + activate, target: { value: 50, of: 'ours' }, note, ...rival };
	};
	return [
		figureOf('activate()', 'fresh', 'fresh Node process, vscode module replaced by a stand-in'),
		figureOf(
			'activate(), Node warm',
			'warm',
			"the same with Node's http, crypto and child_process loaded before, as VS Code's extension host has them",
		),
		{
			name: 'heap after activate()',
			unit: 'MB',
			ours: median(samples.map(({ warm }) => warm.heap)) / 1e6,
			theirs: median(samples.map(({ empty: { heap } }) => heap)) / 1e6,
			rival: 'empty extension',
			target: { value: 5, of: 'ours' },
			note: 'what the heap has more than before loading, after a collection on both sides',
		},
	];
}

const SCRIPT = `'use strict';
const Module = require('node:module');
const path = require('node:path');
const [bundle, folder, storage, mode] = process.argv.slice(2);
if (mode === 'warm') {
	for (const name of ['http', 'https', 'crypto', 'child_process', 'fs/promises', 'net', 'os']) require('node:' + name);
}
const defaults = {};
for (const [key, value] of Object.entries(require(path.join(folder, 'package.json')).contributes.configuration?.properties ?? {})) {
	defaults[key] = value.default;
}
// Any member of it is a class, a function and a namespace at once, and does nothing.
function standIn() {
	const made = new Map();
	return new Proxy(class {}, {
		get(target, name, receiver) {
			if (name === 'prototype') return target.prototype;
			if (name === 'then') return undefined;
			if (name === Symbol.iterator) return function* () {};
			if (name === Symbol.toPrimitive) return () => '';
			if (!made.has(name)) made.set(name, standIn());
			return made.get(name);
		},
		set: (_target, name, value) => Boolean(made.set(name, value)),
		apply: () => standIn(),
		construct: (target, args, newTarget) => {
			const object = Reflect.construct(target, args, newTarget);
			return new Proxy(object, { get: (it, name) => (name in it ? it[name] : name === 'then' ? undefined : standIn()) });
		},
	});
}
const vscode = standIn();
const configuration = (section) => ({
	get: (name, fallback) => defaults[[section, name].filter(Boolean).join('.')] ?? fallback,
	inspect: () => undefined,
	update: async () => {},
	has: () => true,
});
const load = Module._load;
Module._load = function (request, ...rest) {
	if (request !== 'vscode') return load.call(this, request, ...rest);
	return new Proxy(vscode, {
		get: (target, name) =>
			name === 'workspace'
				? new Proxy(target.workspace, { get: (it, key) => (key === 'getConfiguration' ? configuration : it[key]) })
				: target[name],
	});
};
const uri = (fsPath) => ({ fsPath, path: fsPath, scheme: 'file', toString: () => 'file://' + fsPath });
const memento = { get: (_, fallback) => fallback, update: async () => {}, keys: () => [], setKeysForSync() {} };
const context = {
	subscriptions: [],
	extensionPath: folder,
	extensionUri: uri(folder),
	globalStorageUri: uri(storage),
	storageUri: uri(storage),
	logUri: uri(storage),
	globalState: memento,
	workspaceState: memento,
	secrets: standIn(),
	environmentVariableCollection: standIn(),
	extension: { packageJSON: require(path.join(folder, 'package.json')), id: 'mydocker.mydocker' },
	extensionMode: 1,
	asAbsolutePath: (name) => path.join(folder, name),
};
const cpu = (since) => { const { user, system } = process.cpuUsage(since); return (user + system) / 1000; };
const heapUsed = () => { global.gc(); return process.memoryUsage().heapUsed; };
const heap = heapUsed();
const start = process.cpuUsage();
const extension = require(bundle);
const loaded = cpu(start);
const middle = process.cpuUsage();
Promise.resolve(extension.activate(context)).then(
	() => {
		const activate = cpu(middle);
		const sample = { load: loaded, activate, heap: heapUsed() - heap };
		process.stdout.write(JSON.stringify(sample), () => process.exit(0));
	},
	(error) => {
		console.error(error);
		process.exit(1);
	},
);
`;
