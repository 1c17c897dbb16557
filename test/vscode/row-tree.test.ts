import assert from 'node:assert/strict';
import { RowTree, type Drawing, type RowSource } from '../../src/ui/row-tree';
import { until } from './extension';

/** Rows that a test changes; only the tree is under test. */
function rows(labels: Record<string, string>): RowSource {
	return {
		load: () => Promise.resolve(),
		keys: (parent) => (parent === undefined ? Object.keys(labels) : []),
		draw: (key): Drawing => ({
			label: labels[key] ?? '',
			description: '',
			icon: 'circle',
			context: 'row',
			spoken: labels[key] ?? '',
		}),
		tooltip: () => undefined,
	};
}

describe('row tree', () => {
	let labels: Record<string, string>;
	let tree: RowTree;
	let changes: (string[] | undefined)[];

	/** What VS Code does when it shows the tree or was told of changes. */
	const show = async (keys?: string[]): Promise<void> => {
		for (const key of keys ?? (await tree.getChildren())) {
			tree.getTreeItem(key);
		}
	};

	beforeEach(async () => {
		labels = { a: 'one', b: 'two' };
		tree = new RowTree(rows(labels));
		changes = [];
		tree.onDidChangeTreeData((change) => changes.push(change));
		await show();
	});

	afterEach(() => {
		tree.dispose();
	});

	it('ids: do not depend on how a row looks', () => {
		labels['a'] = 'changed';
		assert.equal(tree.getTreeItem('a').id, 'a');
	});

	it('redraw of what looks the same: changes nothing', () => {
		tree.redraw();
		assert.deepEqual(changes, []);
	});

	it('redraw of one row that looks different: changes that row, at once', () => {
		labels['b'] = 'changed';
		tree.redraw();
		assert.deepEqual(changes, [['b']]);
	});

	it('a row that came or went: changes the list', () => {
		labels['c'] = 'three';
		tree.redraw();
		assert.deepEqual(changes, [undefined]);
	});

	it('what stands beside the rows: is told with them, not before', async () => {
		let told = '';
		const other = new RowTree(rows(labels), () => {
			told = labels['a'] ?? '';
		});
		other.onDidChangeTreeData((change) => changes.push(change));
		(await other.getChildren()).forEach((key) => other.getTreeItem(key));
		labels['a'] = 'first';
		other.redraw();
		assert.deepEqual([told, changes], ['first', [['a']]]);
		other.getTreeItem('a');
		labels['a'] = 'second';
		other.redraw();
		assert.equal(told, 'first');
		await until('the second change is told', () => changes.length === 2);
		assert.equal(told, 'second');
		other.dispose();
	});

	it('changes in a burst: are gathered, and none is lost', async () => {
		labels['a'] = 'first';
		tree.redraw();
		await show(['a']);
		for (const text of ['second', 'third', 'fourth']) {
			labels['b'] = text;
			tree.redraw();
		}
		assert.deepEqual(changes, [['a']]);
		await until('the rest is drawn', () => changes.length === 2, undefined, 1000);
		assert.deepEqual(changes, [['a'], ['b']]);
	});

	it('before anybody looks: draws nothing', () => {
		const unseen = new RowTree(rows(labels));
		unseen.onDidChangeTreeData((change) => changes.push(change));
		unseen.redraw();
		unseen.dispose();
		assert.deepEqual(changes, []);
	});
});
