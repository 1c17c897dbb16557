#!/usr/bin/env node
// Bundles the extension, the command line, the engine and its workers into dist/ (CommonJS).
//   node scripts/build.mjs [--production] [--tests]
// `vscode` can be resolved by the extension's bundle only, so that a wrong import breaks the build of the others.
import * as esbuild from 'esbuild';
import fs from 'node:fs';

const production = process.argv.includes('--production');
const tests = process.argv.includes('--tests');
const { version } = JSON.parse(fs.readFileSync('package.json', 'utf8'));

const buildTime = Date.now();
const common = {
	bundle: true,
	platform: 'node',
	format: 'cjs',
	target: 'node20',
	sourcemap: production ? false : 'linked',
	sourcesContent: false,
	minify: production,
	logLevel: 'warning',
	legalComments: 'none',
	define: { MYDOCKER_VERSION: JSON.stringify(version), MYDOCKER_BUILD_TIME: String(buildTime) },
};

/** What `import('./name')` loads from a file of its own, the first time that it is called. */
function lazily(...names) {
	const lazy = {
		name: 'lazily',
		setup: (build) =>
			build.onResolve({ filter: new RegExp(`^\\./(${names.join('|')})$`) }, ({ kind, path }) =>
				kind === 'dynamic-import' ? { path: `${path}.js`, external: true } : undefined,
			),
	};
	// As `require`, which VS Code answers for the module `vscode` as well.
	return { plugins: [lazy], supported: { 'dynamic-import': false } };
}

const bundles = {
	extension: {
		entryPoints: ['src/extension.ts'],
		external: ['vscode'],
		...lazily('stats-page', 'agent-tool', 'layer-report', 'remade', 'engine-words'),
	},
	'layer-report': { entryPoints: ['src/ui/layer-report.ts'] },
	'engine-words': { entryPoints: ['src/ui/engine-words.ts'] },
	remade: { entryPoints: ['src/ui/remade.ts'] },
	'stats-page': { entryPoints: ['src/ui/stats-page.ts'], external: ['vscode'] },
	'agent-tool': { entryPoints: ['src/ui/agent-tool.ts'], external: ['vscode'] },
	cli: { entryPoints: ['src/cli-start.ts'], banner: { js: '#!/usr/bin/env -S node --' } },
	commands: { entryPoints: ['src/cli.ts'] },
	engine: { entryPoints: ['src/engine.ts'] },
	'socket-agent': { entryPoints: ['src/core/network/socket-agent.ts'] },
	'layer-worker': { entryPoints: ['src/core/image/layer-worker.ts'] },
	worker: { entryPoints: ['src/core/worker.ts'] },
};

if (!fs.existsSync('node_modules/uplot')) {
	console.error('Cannot build: the package "uplot" is not installed; run: npm install');
	process.exit(1);
}
// What runs in a webview, and how it looks: in the browser, with its library and the library's licence.
const pages = {
	'stats-panel.js': {
		entryPoints: ['src/webview/stats.ts'],
		platform: 'browser',
		format: 'iife',
		target: 'chrome120',
		banner: { js: `/*!\n${fs.readFileSync('node_modules/uplot/LICENSE', 'utf8')}*/` },
	},
	'stats-panel.css': { entryPoints: ['src/webview/stats.css'], target: 'chrome120', sourcemap: false },
};

fs.rmSync('dist', { recursive: true, force: true });
for (const [name, options] of Object.entries(bundles)) {
	if (fs.existsSync(options.entryPoints[0])) {
		await esbuild.build({ ...common, ...options, outfile: `dist/${name}.js` });
		useBuiltinsAsTheyAre(`dist/${name}.js`);
	}
}
for (const [name, options] of Object.entries(pages)) {
	await esbuild.build({ ...common, ...options, outfile: `dist/${name}` });
}
if (fs.existsSync('dist/cli.js')) {
	fs.chmodSync('dist/cli.js', 0o755);
	fs.writeFileSync(
		'dist/command.pl',
		fs.readFileSync('src/cli/command.pl', 'utf8').replace('@BUILD@', String(buildTime)),
	);
	fs.copyFileSync('src/cli/start-engine.pl', 'dist/start-engine.pl');
	fs.writeFileSync('dist/mydocker', fs.readFileSync('src/cli/mydocker.sh'), { mode: 0o755 });
}

if (tests) {
	fs.rmSync('out/test', { recursive: true, force: true });
	const entryPoints = ['test', 'bench']
		.filter((folder) => fs.existsSync(folder))
		.flatMap((folder) => fs.readdirSync(folder, { recursive: true }).map((file) => `${folder}/${file}`))
		.filter(
			(file) =>
				!file.includes('/server/') &&
				(/\.test\.ts$/.test(file) || /^bench\/[^/]+\.ts$/.test(file) || file === 'test/host/index.ts'),
		);
	await esbuild.build({
		...common,
		minify: false,
		sourcemap: 'linked',
		entryPoints,
		outdir: 'out',
		outbase: '.',
		external: ['vscode', 'mocha', 'dockerode', 'playwright-core', 'typescript'],
	});
}

/**
 * esbuild copies a module, getter by getter, for each file that has `import * as` of it. Node's own modules need no copy,
 * and some hundred copies of them took milliseconds of each command.
 */
function useBuiltinsAsTheyAre(file) {
	const text = fs.readFileSync(file, 'utf8');
	fs.writeFileSync(file, text.replace(/(?<![\w$.])[\w$]+\((require\("node:[\w/]+"\))(?:, ?1)?\)/g, '$1'));
}
