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

	it('what is no change is refused with docker’s words', () => {
		const invalid = (text: string, message: RegExp): void => {
			assert.throws(
				() => applyChanges({}, [text]),
				(error) => error instanceof EngineError && error.code === 'invalid' && message.test(error.message),
			);
		};
		invalid('RUN ls', /^run is not a valid change command$/);
		invalid('FOO bar', /unknown instruction: FOO$/);
		invalid('CMD', /^CMD requires at least one argument$/);
		invalid('EXPOSE x', /^invalid containerPort: x\/tcp$/);
	});
});
