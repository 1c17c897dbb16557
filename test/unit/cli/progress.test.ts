import * as assert from 'node:assert/strict';
import type { ProgressMessage } from '../../../src/api/types';
import { ProgressView } from '../../../src/cli/progress';

const PULL: readonly ProgressMessage[] = [
	{ status: 'Pulling from library/busybox', id: 'latest' },
	{ status: 'Pulling fs layer', id: 'aaa', progressDetail: {} },
	{ status: 'Pulling fs layer', id: 'bbb', progressDetail: {} },
	{ status: 'Downloading', id: 'aaa', progressDetail: { current: 1_110_047, total: 2_220_094 } },
	{ status: 'Pull complete', id: 'aaa', progressDetail: {} },
	{ status: 'Status: Downloaded newer image for busybox:latest' },
];

function shown(columns: number, messages = PULL): string[] {
	const view = new ProgressView({ isTerminal: columns > 0, columns });
	return messages.map((message) => view.render(message));
}

describe('pull progress', () => {
	it('no terminal: plain lines, without the bars', () => {
		assert.deepEqual(shown(0), [
			'latest: Pulling from library/busybox\n',
			'aaa: Pulling fs layer\n',
			'bbb: Pulling fs layer\n',
			'',
			'aaa: Pull complete\n',
			'Status: Downloaded newer image for busybox:latest\n',
		]);
	});

	it('a terminal: a layer keeps its line, the cursor comes back below the last', () => {
		const bar = `[${'='.repeat(25)}>${' '.repeat(25)}]`;
		assert.deepEqual(shown(120), [
			'latest: Pulling from library/busybox\n',
			'\n\u001b[1A\u001b[2K\raaa: Pulling fs layer\r\u001b[1B',
			'\n\u001b[1A\u001b[2K\rbbb: Pulling fs layer\r\u001b[1B',
			`\u001b[2A\u001b[2K\raaa: Downloading ${bar}   1.11MB/2.22MB\r\u001b[2B`,
			'\u001b[2A\u001b[2K\raaa: Pull complete\r\u001b[2B',
			'Status: Downloaded newer image for busybox:latest\n',
		]);
	});

	it('a narrow terminal: numbers only, and never a second line', () => {
		assert.equal(shown(80)[3], '\u001b[2A\u001b[2K\raaa: Downloading   1.11MB/2.22MB\r\u001b[2B');
		assert.equal(shown(12)[3], '\u001b[2A\u001b[2K\raaa: Downlo\r\u001b[2B');
	});

	it('without a total only what is done; never more done than there is', () => {
		const view = new ProgressView({ isTerminal: true, columns: 80 });
		const render = (current: number, total?: number): string =>
			view.render({ id: 'a', status: 'S', progressDetail: { current, ...(total !== undefined && { total }) } });
		assert.match(render(1234), /S {2}1\.234kB\r/);
		assert.match(render(3000, 2000), /S {6}3kB\r/);
	});

	it('what a registry says cannot drive the terminal', () => {
		assert.deepEqual(shown(0, [{ id: 'a\u001b[2J', status: 'x\r\ny' }]), ['a\ufffd[2J: x\ufffd\ufffdy\n']);
	});
});
