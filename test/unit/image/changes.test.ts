import assert from 'node:assert/strict';
import { applyChanges } from '../../../src/core/image/changes';
import { EngineError } from '../../../src/core/errors';

describe('changes of an image', () => {
	it('each instruction changes its member', () => {
		const changed = applyChanges({ Env: ['A=1', 'B=2'], WorkingDir: '/srv', Cmd: ['old'] }, [
			'CMD ["ls", "-l"]',
			'ENTRYPOINT echo hi',
			'ENV B=3 C="d e"',
			'ENV OLD form of it',
			'EXPOSE 80 53/udp',
			'LABEL a=b "c"=d',
			'USER demo',
			'VOLUME /v /w',
			'WORKDIR sub',
			'STOPSIGNAL SIGQUIT',
			'ONBUILD RUN true',
		]);
		assert.deepEqual(changed, {
			Cmd: ['ls', '-l'],
			Entrypoint: ['/bin/sh', '-c', 'echo hi'],
			Env: ['A=1', 'B=3', 'C=d e', 'OLD=form of it'],
			ExposedPorts: { '80/tcp': {}, '53/udp': {} },
			Labels: { a: 'b', c: 'd' },
			User: 'demo',
			Volumes: { '/v': {}, '/w': {} },
			WorkingDir: '/srv/sub',
			StopSignal: 'SIGQUIT',
			OnBuild: ['RUN true'],
		});
	});

	it('an entrypoint without a command takes the old command away', () => {
		assert.deepEqual(applyChanges({ Cmd: ['old'] }, ['ENTRYPOINT ["sh"]']), { Cmd: null, Entrypoint: ['sh'] });
	});

	it('variables have the values that they have before the instruction, but not in commands and single quotes', () => {
		const changed = applyChanges({ Env: ['A=zz', 'S=a b'] }, [
			'ENV Q=$A/x $A=1',
			`ENV R=$Q T='$Q' U="$Q d" V=\\$Q W="\\$Q" X=\${N:-de} Y=\${A:+yes} Z=\${N:+no}z D=$ E=\${N:-\${A}x}`,
			'LABEL q=$A "k$A"=v',
			'LABEL old $A x "y"',
			'WORKDIR ${A}',
			'EXPOSE ${P:-80}',
			'USER "$A"',
			'VOLUME ["/$A","/c d"]',
			'STOPSIGNAL SIG${N:-TERM}',
			'CMD echo $A',
			'ENTRYPOINT ["$A"]',
			'ONBUILD RUN $A',
		]);
		assert.deepEqual(changed, {
			Env: [
				...['A=zz', 'S=a b', 'Q=zz/x', 'zz=1', 'R=zz/x', 'T=$Q', 'U=zz/x d', 'V=$Q', 'W=$Q', 'X=de', 'Y=yes'],
				...['Z=z', 'D=$', 'E=zzx'],
			],
			Labels: { q: 'zz', kzz: 'v', old: 'zz x y' },
			WorkingDir: '/zz',
			ExposedPorts: { '80/tcp': {} },
			User: 'zz',
			Volumes: { '/zz': {}, '/c d': {} },
			StopSignal: 'SIGTERM',
			Cmd: ['/bin/sh', '-c', 'echo $A'],
			Entrypoint: ['$A'],
			OnBuild: ['RUN $A'],
		});
	});

	it('health checks', () => {
		const check = (text: string) => applyChanges({}, [`HEALTHCHECK ${text}`]).Healthcheck;
		assert.deepEqual(check('--interval=5s CMD true'), { Test: ['CMD-SHELL', 'true'], Interval: 5e9 });
		assert.deepEqual(check('--interval=5s --timeout=1m30s --start-period=2s --retries=4 CMD ["a","b"]'), {
			Test: ['CMD', 'a', 'b'],
			...{ Interval: 5e9, Timeout: 90e9, StartPeriod: 2e9, Retries: 4 },
		});
		assert.deepEqual(check('--interval=5s NONE'), { Test: ['NONE'] });
	});

	it('what is no change is refused with docker’s words', () => {
		const invalid = (text: string, message: RegExp): void => {
			assert.throws(
				() => applyChanges({}, [text]),
				(error) => error instanceof EngineError && error.code === 'invalid' && message.test(error.message),
			);
		};
		invalid('RUN ls', /^run is not a valid change command$/);
		invalid('FOO bar', /unknown instruction: FOO$/);
		invalid('', /^file with no instructions$/);
		invalid('# x', /^file with no instructions$/);
		invalid('ENV Q=${A', /^failed to process "\$\{A": syntax error: bad substitution$/);
		invalid('ENV Q=${N:?gone}', /^failed to process "\$\{N:\?gone\}": N: gone$/);
		invalid('HEALTHCHECK --interval=x CMD a', /^time: invalid duration "x"$/);
		invalid('HEALTHCHECK --interval=1us CMD a', /^Interval "interval" cannot be less than 1ms$/);
		invalid('HEALTHCHECK --retries=0 CMD a', /^--retries must be at least 1 \(not 0\)$/);
		invalid('HEALTHCHECK --foo=1 CMD a', /^Unknown flag: foo$/);
		invalid('HEALTHCHECK --interval CMD a', /^Missing a value on flag: interval$/);
		invalid('HEALTHCHECK FOO a', /^Unknown type "FOO" in HEALTHCHECK \(try CMD\)$/);
		invalid('HEALTHCHECK CMD', /^Missing command after HEALTHCHECK CMD$/);
		invalid('HEALTHCHECK NONE x', /^HEALTHCHECK NONE takes no arguments$/);
		invalid('CMD', /^CMD requires at least one argument$/);
		invalid('EXPOSE x', /^invalid containerPort: x\/tcp$/);
	});
});
