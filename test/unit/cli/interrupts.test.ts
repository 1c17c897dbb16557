import * as assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Interrupts } from '../../../src/cli/interrupts';

/** Signals come from an emitter instead of the process; `exits` is what would have ended it. */
function interrupts(): { subject: Interrupts; source: EventEmitter; exits: unknown[][] } {
	const source = new EventEmitter();
	const exits: unknown[][] = [];
	const subject = new Interrupts(source, (...parameters) => exits.push(parameters));
	return { subject, source, exits };
}

describe('interrupts', () => {
	it('the first Ctrl-C cancels, the second ends at once', () => {
		const { subject, source, exits } = interrupts();
		assert.equal(subject.signal.aborted, false);
		source.emit('SIGINT', 'SIGINT');
		assert.deepEqual([subject.signal.aborted, subject.exitCode, exits], [true, 130, []]);
		source.emit('SIGINT', 'SIGINT');
		assert.deepEqual(exits, [[130]]);
	});

	it('SIGTERM has its own exit code', () => {
		const { subject, source } = interrupts();
		source.emit('SIGTERM', 'SIGTERM');
		assert.equal(subject.exitCode, 143);
	});

	it('a container in the foreground gets them instead, and the third ends us', () => {
		const { subject, source, exits } = interrupts();
		const sent: string[] = [];
		const release = subject.proxy((name) => sent.push(name));
		for (const name of ['SIGINT', 'SIGUSR1', 'SIGHUP', 'SIGTERM']) {
			source.emit(name, name);
		}
		assert.deepEqual(
			[sent, subject.signal.aborted, exits],
			[['SIGINT', 'SIGUSR1', 'SIGHUP', 'SIGTERM'], false, []],
		);
		source.emit('SIGINT', 'SIGINT');
		assert.deepEqual(exits, [[1, 'got 3 SIGTERM/SIGINTs, forcefully exiting']]);
		release();
		source.emit('SIGINT', 'SIGINT');
		assert.equal(subject.signal.aborted, true);
		assert.equal(source.listenerCount('SIGUSR1'), 0);
	});
});
