import * as assert from 'node:assert/strict';
import { checkTime } from '../../../src/cli/containers';
import { CommandError, TemplateError } from '../../../src/cli/errors';
import { objectRenderer } from '../../../src/cli/inspect';
import type { Found } from '../../../src/cli/inspect';
import { compileTemplate } from '../../../src/cli/template';
import { CONTAINER_TYPE, IMAGE_TYPE } from '../../../src/cli/template-types';

describe('inspect', () => {
	it('an array with docker’s indentation, empty when nothing was found', () => {
		assert.equal(
			objectRenderer(undefined)([{ object: { Id: 'x', List: [1], Empty: {}, None: [] } }]),
			'[\n    {\n        "Id": "x",\n        "List": [\n            1\n        ],\n        "Empty": {},\n        "None": []\n    }\n]\n',
		);
		assert.equal(objectRenderer(undefined)([]), '[]\n');
	});

	it('json on one line, a template a line each', () => {
		assert.equal(objectRenderer('json')([{ object: { Id: 'x' } }]), '[{"Id":"x"}]\n');
		assert.equal(objectRenderer('{{.Id}}')([{ object: { Id: 'x' } }, { object: { Id: 'y' } }]), 'x\ny\n');
	});

	it('a template that cannot be read is exit code 64, one that does not fit is 1', () => {
		assert.throws(
			() => objectRenderer('{{'),
			new CommandError('template parsing error: template: :1: unclosed action', 64),
		);
		assert.throws(
			() => objectRenderer('{{.Nope}}')([{ object: {} }]),
			new CommandError(
				'template parsing error: template: :1: executing "" at <.Nope>: map has no entry for key "Nope"',
				1,
			),
		);
	});
});

// What docker 28.2.2 gives with dockerd 20.10, whose JSON leaves out as much or has null.
describe('inspect of what the JSON leaves out', () => {
	const fill = (template: string, { object, type }: Found): string => compileTemplate(template)(object, type);
	const same = (found: Found, cases: Readonly<Record<string, string>>): void => {
		assert.deepEqual(
			Object.fromEntries(Object.keys(cases).map((template) => [template, fill(template, found)])),
			cases,
		);
	};
	const config = { Env: null, Cmd: ['sh'], Labels: null };
	const image: Found = { object: { Id: 'i', Size: 5, Config: config }, type: IMAGE_TYPE };
	const container: Found = {
		object: {
			Id: 'c',
			State: { Status: 'created' },
			Config: { ...config, Labels: { a: 'b' } },
			HostConfig: { Dns: null },
			Mounts: [{ Type: 'bind', Source: '/a' }],
			NetworkSettings: { Networks: { none: { Links: null } } },
		},
		type: CONTAINER_TYPE,
	};

	it('an image: the empty value of the member’s type', () => {
		same(image, {
			'{{.Config.Volumes}} {{.Config.ExposedPorts}} {{.Config.Healthcheck}}': 'map[] map[] <nil>',
			'{{.Config.StopSignal}}{{.Config.Hostname}}{{.Variant}}{{.OsVersion}}': '',
			'{{.Config.Shell}} {{.Config.OnBuild}} {{.Config.ArgsEscaped}}': '[] [] false',
			'{{.ID}} {{.VirtualSize}}': 'i 5',
			'{{index .Config.Labels "q"}}|{{.Config.Labels.q}}|{{.Config.Labels.Q}}': '|<no value>|<no value>',
			'{{len .Config.Env}} {{.Config.Env}} {{json .Config.Env}} {{json .Config.Labels}}': '0 [] null null',
			'{{range .Config.Env}}x{{end}}{{if .Config.Labels}}y{{end}}{{join .Config.Env ","}}': '',
			'{{json .Config}}': '{"Env":null,"Cmd":["sh"],"Labels":null}',
		});
	});

	it('a container, also in its lists and maps', () => {
		same(container, {
			'{{.Config.Healthcheck}} {{.State.Health}} {{json .State.Health}}': '<nil> <nil> null',
			'{{.Config.ExposedPorts}} {{.HostConfig.Init}} {{.HostConfig.Dns}} {{.HostConfig.DNS}}':
				'map[] <nil> [] []',
			'{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}': 'none',
			'{{eq .State.Health nil}} {{ne .State.Health nil}} {{not .State.Health}}': 'true false true',
			'{{range .Mounts}}{{.Name}}|{{.Source}}{{end}}': '|/a',
			'{{range .NetworkSettings.Networks}}{{.Links}} {{.DriverOpts}} {{.IPAMConfig}}{{end}}': '[] map[] <nil>',
			'{{.NetworkSettings.Networks.Foo.IPAddress}} {{.Config.Labels.A}}': '<no value> <no value>',
		});
	});

	it('a name that the type does not have is an error, and so is what a nil pointer would hold', () => {
		const at = 'template: :1: executing ""';
		for (const [template, message] of [
			['{{.Nope}}', `${at} at <.Nope>: map has no entry for key "Nope"`],
			['{{.Config.Nope}}', `${at} at <.Config.Nope>: map has no entry for key "Nope"`],
			['{{.State.Health.Status}}', `${at} at <.State.Health.Status>: map has no entry for key "Health"`],
		] as const) {
			assert.throws(() => fill(template, container), new TemplateError(message), template);
		}
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
