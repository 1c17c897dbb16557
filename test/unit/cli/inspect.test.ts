import * as assert from 'node:assert/strict';
import { checkTime } from '../../../src/cli/containers';
import { CommandError } from '../../../src/cli/errors';
import { objectRenderer } from '../../../src/cli/inspect';

describe('inspect', () => {
	it('an array with docker’s indentation, empty when nothing was found', () => {
		assert.equal(
			objectRenderer(undefined)([{ Id: 'x', List: [1], Empty: {}, None: [] }]),
			'[\n    {\n        "Id": "x",\n        "List": [\n            1\n        ],\n        "Empty": {},\n        "None": []\n    }\n]\n',
		);
		assert.equal(objectRenderer(undefined)([]), '[]\n');
	});

	it('json on one line, a template a line each', () => {
		assert.equal(objectRenderer('json')([{ Id: 'x' }]), '[{"Id":"x"}]\n');
		assert.equal(objectRenderer('{{.Id}}')([{ Id: 'x' }, { Id: 'y' }]), 'x\ny\n');
	});

	it('a template that cannot be read is exit code 64, one that does not fit is 1', () => {
		assert.throws(
			() => objectRenderer('{{'),
			new CommandError('template parsing error: template: :1: unclosed action', 64),
		);
		assert.throws(
			() => objectRenderer('{{.Nope}}')([{}]),
			new CommandError(
				'template parsing error: template: :1: executing "" at <.Nope>: map has no entry for key "Nope"',
				1,
			),
		);
	});
});

describe('times of logs and events', () => {
	it('what the engine can take, else docker’s refusal', () => {
		assert.equal(checkTime('since', '1700000000.5'), '1700000000.500000000');
		assert.throws(
			() => checkTime('since', 'bad'),
			new CommandError('invalid value for "since": failed to parse value as time or duration: "bad"'),
		);
	});
});
