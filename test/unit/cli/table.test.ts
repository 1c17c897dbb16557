import * as assert from 'node:assert/strict';
import { CommandError } from '../../../src/cli/errors';
import { renderList, renderTable } from '../../../src/cli/table';

const listing = {
	headers: { ID: 'CONTAINER ID', Names: 'NAMES', Status: 'STATUS' },
	columns: ['ID', 'Status', 'Names'],
};
const items = [
	{ ID: '4fcccde24bd8', Label: (name: string) => `${name}!`, Names: 'web', Status: 'Up 5 seconds' },
	{ ID: '41b139adb9e0', Label: () => '', Names: 'a-long-name', Status: 'Created' },
];

describe('table', () => {
	it('columns are as wide as docker’s: widest cell and three, at least ten', () => {
		assert.equal(
			renderTable([
				['TAG', 'CONTAINER ID', 'NAMES'],
				['latest', 'x', 'web'],
			]),
			'TAG       CONTAINER ID   NAMES\nlatest    x              web\n',
		);
	});

	it('characters count, not bytes', () => {
		assert.equal(
			renderTable([
				['A', 'B'],
				['ünïcödé…', 'x'],
			]),
			'A          B\nünïcödé…   x\n',
		);
	});

	it('control characters of a hostile name do not reach the terminal', () => {
		assert.equal(renderTable([['\u001b[31mred\n', '\u009b2J']]), '\ufffd[31mred\ufffd   \ufffd2J\n');
	});

	it('without a format, and with "table", the usual columns', () => {
		const expected = [
			'CONTAINER ID   STATUS         NAMES',
			'4fcccde24bd8   Up 5 seconds   web',
			'41b139adb9e0   Created        a-long-name',
			'',
		].join('\n');
		assert.equal(renderList(undefined, items, listing), expected);
		assert.equal(renderList('table', items, listing), expected);
		assert.equal(renderList(undefined, [], listing), 'CONTAINER ID   STATUS    NAMES\n');
	});

	it('a template, "table" with a template, "json"', () => {
		assert.equal(renderList('{{.Names}} {{.Label "x"}}', items, listing), 'web x!\na-long-name \n');
		assert.equal(
			renderList('table {{.Names}}\\t{{.Label "x"}}\\t{{.Status}}', items, listing),
			'NAMES         x         STATUS\nweb           x!        Up 5 seconds\na-long-name             Created\n',
		);
		assert.equal(
			renderList('json', items.slice(0, 1), listing),
			'{"ID":"4fcccde24bd8","Names":"web","Status":"Up 5 seconds"}\n',
		);
		assert.equal(renderList('{{.Names}}', [], listing), '');
	});

	it('a wrong template is told in docker’s words', () => {
		assert.throws(
			() => renderList('{{.Names', items, listing),
			new CommandError('failed to parse template: template: :1: unclosed action'),
		);
		assert.throws(
			() => renderList('{{.Nope}}', items, listing),
			/^CommandError: failed to execute template: .*"Nope"$/,
		);
	});
});
