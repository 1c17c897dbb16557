import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { TemplateError } from '../../../src/cli/errors';
import { compileTemplate } from '../../../src/cli/template';

const DATA = {
	Name: '/web',
	State: { Status: 'running', Running: true, Paused: false, ExitCode: 137, Error: '' },
	Config: { Cmd: ['sh', '-c', 'x'], Labels: { b: '2', a: '1' }, Env: null, Empty: {} },
	Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }] },
	Label: (name: string) => `<${name}>`,
};

function fill(template: string): string {
	return compileTemplate(template)(DATA);
}

function same(cases: Readonly<Record<string, string>>): void {
	assert.deepEqual(Object.fromEntries(Object.keys(cases).map((template) => [template, fill(template)])), cases);
}

function refused(cases: Readonly<Record<string, string>>): void {
	for (const [template, message] of Object.entries(cases)) {
		assert.throws(() => fill(template), new TemplateError(message), template);
	}
}

// What docker 28.2.2 gives for the same templates.
describe('template', () => {
	it('text and fields', () => {
		same({
			'': '',
			plain: 'plain',
			'{{.Name}}: {{ .State.Status }} ({{.State.ExitCode}})': '/web: running (137)',
			'{{.State.Running}}{{.State.Error}}': 'true',
			'{{.Label "x"}}': '<x>',
		});
	});

	it('values are shown as Go does', () => {
		same({
			'{{.Config.Cmd}}': '[sh -c x]',
			'{{.Config.Labels}}': 'map[a:1 b:2]',
			'{{.Config.Env}}': '<nil>',
			'{{.Config.Labels.nosuch}}': '<no value>',
		});
	});

	it('json, also of everything', () => {
		same({
			'{{json .Config.Cmd}}': '["sh","-c","x"]',
			'{{.State | json}}': JSON.stringify(DATA.State),
			'{{json .Config.Labels.nosuch}}': 'null',
		});
		assert.equal(fill('{{json .}}'), JSON.stringify(DATA));
	});

	it('index into lists and maps, fields of what a parenthesis gives', () => {
		same({
			'{{index .Config.Cmd 1}}': '-c',
			'{{index .Config.Labels "a"}}|{{index .Config.Labels "nosuch"}}': '1|',
			'{{(index (index .Ports "80/tcp") 0).HostPort}}': '8080',
			'{{index .Ports "80/tcp" 0 | json}}': '{"HostIp":"0.0.0.0","HostPort":"8080"}',
		});
	});

	it('if, else if, with', () => {
		same({
			'{{if .State.Running}}up{{else}}down{{end}}': 'up',
			'{{if .State.Paused}}a{{else if eq .State.ExitCode 137}}b{{else}}c{{end}}': 'b',
			'{{if .State.Health}}y{{else}}n{{end}}': 'n',
			'{{if not .Config.Empty}}empty{{end}}': 'empty',
			'{{with .Config}}{{len .Cmd}} of {{$.Name}}{{end}}': '3 of /web',
			'{{with .Config.Env}}x{{else}}none{{end}}': 'none',
		});
	});

	it('range over lists and maps, with variables', () => {
		same({
			'{{range .Config.Cmd}}<{{.}}>{{end}}': '<sh><-c><x>',
			'{{range $i, $word := .Config.Cmd}}{{$i}}={{$word}};{{end}}': '0=sh;1=-c;2=x;',
			'{{range $word := .Config.Cmd}}{{$word}},{{end}}': 'sh,-c,x,',
			'{{range $key, $value := .Config.Labels}}{{$key}}={{$value}};{{end}}': 'a=1;b=2;',
			'{{range $port, $to := .Ports}}{{$port}}->{{(index $to 0).HostPort}}{{end}}': '80/tcp->8080',
			'{{range .Config.Empty}}x{{else}}none{{end}}': 'none',
			'{{$name := .Name}}{{with .State}}{{$name}} {{.Status}}{{end}}': '/web running',
		});
	});

	it('functions, alone and in a pipeline', () => {
		same({
			'{{upper .Name}} {{.Name | lower}} {{title "a b"}}': '/WEB /web A B',
			'{{join .Config.Cmd ","}} {{len .Name}} {{split "a,b" ","}}': 'sh,-c,x 4 [a b]',
			'{{printf "%-5s|%5d|%q|%.2s|%v%%" "ab" 12 "x" "abc" true}}': 'ab   |   12|"x"|ab|true%',
			'{{.Name | printf "%.3s"}} {{truncate .Name 2}} {{pad "x" 1 2}}|': '/we /w  x  |',
			'{{println .Name}}|': '/web\n|',
			'{{slice .Name 1}} {{slice .Name 1 3}}': 'web we',
			'{{and .State.Running .Name}} {{or .State.Paused "x"}} {{ne 1 2}} {{lt 1 2}} {{ge "a" "b"}}':
				'/web x true true false',
			'{{eq .State.Status "a" "running"}}': 'true',
		});
	});

	it('trim markers and comments', () => {
		same({
			'a {{- " b " -}} c': 'a b c',
			'a{{/* said "}}" */}}b': 'ab',
			'{{"}}"}}{{`a"b`}}{{"\\n"}}': '}}a"b\n',
		});
	});

	it('what does not fit the data is an error', () => {
		const at = 'template: :1: executing ""';
		refused({
			'{{.Nope}}': `${at} at <.Nope>: map has no entry for key "Nope"`,
			'{{.State.Health.Status}}': `${at} at <.State.Health.Status>: map has no entry for key "Health"`,
			'{{.Name.X}}': `${at} at <.Name.X>: can't evaluate field X in type string`,
			'{{index .Config.Cmd 9}}': `${at}: error calling index: index out of range: 9`,
			'{{range .Name}}{{end}}': `${at}: range can't iterate over /web`,
			'{{.Name "x"}}': `${at}: can't give argument to non-function /web`,
		});
	});

	it('what cannot be read is an error', () => {
		refused({
			'{{.Name': 'template: :1: unclosed action',
			'{{if .Name}}x': 'template: :1: unexpected EOF',
			'x{{end}}': 'template: :1: unexpected {{end}}',
			'{{nosuch .Name}}': 'template: :1: function "nosuch" not defined',
			'{{}}': 'template: :1: missing value for command',
			'{{(.Name}}': 'template: :1: unclosed left paren',
			'{{.Name)}}': 'template: :1: unexpected ")" in operand',
			'{{%}}': 'template: :1: unexpected "%" in operand',
			'{{$x}}': 'template: :1: undefined variable "$x"',
		});
	});

	it('objects have no fields that are not theirs', () => {
		assert.equal(
			fill('{{.toString}} {{.Config.Labels.constructor}} {{index .Config.Labels "__proto__"}}'),
			'<no value> <no value> ',
		);
	});

	it('any template gives text or a TemplateError', () => {
		const word = fc.constantFrom(
			'{{',
			'}}',
			'.',
			'.A',
			'$x',
			':=',
			'|',
			'(',
			')',
			'"',
			'`',
			'if',
			'end',
			'range',
			'json',
			' ',
			'-',
			'1',
		);
		fc.assert(
			fc.property(fc.array(word, { maxLength: 30 }), (words) => {
				try {
					assert.equal(typeof compileTemplate(words.join(''))(DATA), 'string');
				} catch (error) {
					assert.ok(error instanceof TemplateError, String(error));
				}
			}),
		);
	});
});
