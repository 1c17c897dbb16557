// The folders are import rules (docs/architecture.md); `npm run lint` holds them.
const only = (name, from, allowed) => ({
	name,
	severity: 'error',
	from: { path: from },
	to: { path: '^src/', pathNot: allowed },
});
module.exports = {
	forbidden: [
		only('core-imports-only-core', '^src/core/', '^src/core/'),
		only('image-imports-no-container', '^src/core/image/', '^src/core/(image/|storage/|[^/]+$)'),
		only('files-import-no-nouns', '^src/core/files/', '^src/core/(files/|image/(tar|inflate)|[^/]+$)'),
		only(
			'storage-imports-no-nouns',
			'^src/core/storage/',
			'^src/core/(storage/|files/tree|image/(tar|opaque|erofs|layer-(mounts|namespace))|[^/]+$)',
		),
		only('api-client-imports-only-api', '^src/api/(client|connect|types|stream|references)\\.ts$', '^src/api/'),
		only('cli-imports-only-api', '^src/cli', '^src/(cli|api/)'),
		only('ui-imports-only-api', '^src/ui/', '^src/(ui/|api/)'),
		only(
			'webview-imports-pure-parts-of-ui',
			'^src/webview/',
			'^src/(webview/|ui/(amounts|stats-messages|usage-points)\\.ts$)',
		),
		only('extension-imports-only-ui-and-api', '^src/extension\\.ts$', '^src/(ui/|api/)'),
		{
			name: 'only-ui-imports-vscode',
			severity: 'error',
			from: { path: '^src/', pathNot: '^src/(ui/|extension\\.ts$)' },
			to: { path: '(^|/)vscode($|/)|@types/vscode' },
		},
		{
			name: 'clients-do-not-import-the-server',
			severity: 'error',
			from: { path: '^src/(ui/|cli|extension\\.ts$)' },
			to: { path: '^src/api/(server|routes|shapes)' },
		},
		{ name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
	],
	options: {
		tsPreCompilationDeps: true,
		tsConfig: { fileName: 'tsconfig.json' },
		doNotFollow: { path: 'node_modules' },
	},
};
