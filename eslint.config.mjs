import tseslint from 'typescript-eslint';

const always = { 'no-empty': 'error', eqeqeq: 'error' };
const node =
	'AbortController AbortSignal Buffer URL URLSearchParams clearInterval clearTimeout console process setInterval setTimeout';
const mocha = 'after afterEach before beforeEach describe it';
const browser = 'requestAnimationFrame';

export default tseslint.config(
	{ ignores: ['dist', 'out', 'coverage', 'node_modules', 'test/host/server'] },
	{
		files: ['**/*.ts'],
		extends: [tseslint.configs.strictTypeChecked],
		languageOptions: { parserOptions: { projectService: true } },
		rules: {
			...always,
			'@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
			'@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
		},
	},
	{
		// The scripts are plain JavaScript, so that the first of them runs before anything is installed.
		files: ['**/*.mjs'],
		languageOptions: {
			globals: Object.fromEntries(`${node} ${mocha} ${browser}`.split(' ').map((name) => [name, 'readonly'])),
		},
		rules: {
			...always,
			'no-undef': 'error',
			'no-unused-vars': ['error', { ignoreRestSiblings: true }],
			'no-shadow': 'error',
			'prefer-const': 'error',
		},
	},
);
