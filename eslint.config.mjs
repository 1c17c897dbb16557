import tseslint from 'typescript-eslint';

export default tseslint.config(
	{ ignores: ['dist', 'out', 'node_modules', 'test/host/server', '**/*.mjs', '**/*.cjs', '**/*.js'] },
	...tseslint.configs.strictTypeChecked,
	{
		languageOptions: { parserOptions: { projectService: true } },
		rules: {
			'@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
			'@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
			'no-empty': 'error',
			eqeqeq: 'error',
		},
	},
);
