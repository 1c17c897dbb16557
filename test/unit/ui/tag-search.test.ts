import assert from 'node:assert/strict';
import type { RegistryPage } from '../../../src/api/registry-client';
import { repositoryWithTag, TagSearch, type TagAnswer } from '../../../src/ui/tag-search';

describe('tags while a reference is typed', () => {
	it('repositoryWithTag: only after the colon of a tag', () => {
		const typed = [
			'nginx',
			'nginx:',
			'nginx:1.2',
			'localhost:5000',
			'localhost:5000/',
			'localhost:5000/a:b',
			'a@sha256:0',
		];
		assert.deepEqual(
			typed.map((text) => Object.values(repositoryWithTag(text) ?? {}).join(' ')),
			['', 'nginx ', 'nginx 1.2', '', '', 'localhost:5000/a b', ''],
		);
	});

	/** A registry whose pages and failures a test decides. */
	const registry = (answer: (repository: string, next?: string) => RegistryPage) => {
		const asked: string[] = [];
		return {
			asked,
			tags: (repository: string, options?: { readonly next?: string; readonly signal?: AbortSignal }) => {
				asked.push(`${repository} ${options?.next ?? ''}`.trim());
				options?.signal?.throwIfAborted();
				return Promise.resolve().then(() => answer(repository, options?.next));
			},
		};
	};
	const answered = async (registries: ReturnType<typeof registry>, repository: string): Promise<TagAnswer> => {
		let search: TagSearch | undefined;
		await new Promise<void>((resolve) => {
			search = new TagSearch(registries, resolve, 0);
			assert.deepEqual(search.look(repository), { state: 'asking' });
		});
		return search?.look(repository) ?? { state: 'none' };
	};

	it('pages are put together, latest first, then the highest version', async () => {
		const registries = registry((_, next) =>
			next === undefined ? { Items: ['1.9', '1.10'], Next: 'more' } : { Items: ['latest', '2.0-rc'], Next: '' },
		);
		assert.deepEqual(await answered(registries, 'web'), {
			state: 'found',
			tags: ['latest', '2.0-rc', '1.10', '1.9'],
		});
		assert.deepEqual(registries.asked, ['web', 'web more']);
	});

	it('a registry that refuses: its reason, and nobody asks again', async () => {
		const registries = registry(() => {
			throw new Error('denied');
		});
		assert.deepEqual(await answered(registries, 'web'), { state: 'failed', reason: 'denied' });
		assert.deepEqual(registries.asked, ['web']);
	});

	it('a repository that is typed over before the quiet time: is never asked for', async () => {
		const registries = registry(() => ({ Items: ['1'], Next: '' }));
		await new Promise<void>((resolve) => {
			const search = new TagSearch(registries, resolve, 1);
			search.look('we');
			search.look('web');
		});
		assert.deepEqual(registries.asked, ['web']);
	});
});
