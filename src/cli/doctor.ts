import { EngineNotStarted } from '../api/connect';
import type { DoctorFinding } from '../api/types';
import { plain } from './output';
import type { Action } from './row';

const MARKS = { ok: '✓', warning: '!', problem: '✗' } as const;

/** `mydocker system doctor`: exit code 1 when containers cannot run. */
export const doctor: Action<{ readonly format: string | undefined }> = async (session, _operands, { format }) => {
	const findings = await examine(session.client, session.signal);
	session.output.stdout.write(format === 'json' ? `${JSON.stringify(findings)}\n` : renderFindings(findings));
	return findings.some(({ Status }) => Status === 'problem') ? 1 : 0;
};

/** An engine that cannot even start says why; that is a finding as well. */
async function examine(
	client: { doctor(options: { signal: AbortSignal }): Promise<DoctorFinding[]> },
	signal: AbortSignal,
): Promise<DoctorFinding[]> {
	try {
		return await client.doctor({ signal });
	} catch (error) {
		if (error instanceof EngineNotStarted) {
			const [, remedy = ''] = /"(sudo [^"]+)"/.exec(error.message) ?? [];
			return [{ Subject: 'user', Status: 'problem', Message: error.message, Remedy: remedy }];
		}
		throw error;
	}
}

/** One line a finding, the command that mends it below. */
export function renderFindings(findings: readonly DoctorFinding[]): string {
	const lines = findings.flatMap(({ Subject, Status, Message, Remedy }) => [
		`${MARKS[Status]} ${Subject.padEnd(8)}  ${Message}`,
		...(Remedy === '' ? [] : [`            → ${Remedy}`]),
	]);
	return lines.map((line) => `${plain(line)}\n`).join('');
}
