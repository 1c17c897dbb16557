import * as assert from 'node:assert/strict';
import { account } from './registry';
import { ask, type Subject } from './subject';

/** What an engine does with registries beside pulling and pushing. */
export function registryCases(subjectOf: () => Subject): void {
	describe('log in to a registry', () => {
		loginCases(subjectOf);
	});
}

function loginCases(subjectOf: () => Subject): void {
	const wrong = { ...account, password: 'wrong' };

	it('Basic: right credentials are accepted, wrong and missing ones are told', async () => {
		const subject = subjectOf();
		const serveraddress = subject.registries.basic.host;
		assert.equal((await subject.client.registries.login({ ...account, serveraddress })).Status, 'Login Succeeded');
		for (const auth of [wrong, {}]) {
			const answer = await ask(subject, 'POST', '/auth', { ...auth, serveraddress });
			assert.ok(answer.status === 401 || answer.status === 500, `status ${answer.status}`);
			assert.match(answer.body.toString(), /unauthorized|401|no basic auth credentials/i);
			assert.ok(!answer.body.includes('wrong'), 'the password is not repeated');
		}
	});

	it('Bearer: right credentials are accepted, wrong ones are told', async () => {
		const subject = subjectOf();
		const serveraddress = `http://${subject.registries.bearer.host}/v2/`;
		assert.equal((await subject.client.registries.login({ ...account, serveraddress })).Status, 'Login Succeeded');
		const answer = await ask(subject, 'POST', '/auth', { ...wrong, serveraddress });
		assert.ok(answer.status === 401 || answer.status === 500, `status ${answer.status}`);
	});

	it('a registry without accounts takes anything; one that is not there is told', async () => {
		const subject = subjectOf();
		const { open } = subject.registries;
		await subject.client.registries.login({ ...account, serveraddress: open.host });
		const answer = await ask(subject, 'POST', '/auth', { ...account, serveraddress: '127.0.0.1:1' });
		assert.equal(answer.status, 500);
		assert.match(answer.body.toString(), /connection refused|ECONNREFUSED/);
	});
}
