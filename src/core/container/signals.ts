import * as os from 'node:os';
import { EngineError } from '../errors';

// signal(7): the C library keeps 32 and 33 to itself, so that programs see 34 as SIGRTMIN.
const RTMIN = 34;
const RTMAX = 64;

/** Number of a signal given as "TERM", "SIGTERM", "15" or "RTMIN+3"; EngineError "invalid" with docker's text. */
export function signalNumber(text: string): number {
	if (/^[0-9]{1,2}$/.test(text)) {
		const number = Number(text);
		if (number > 0 && number <= RTMAX) {
			return number;
		}
		throw invalidSignal(text);
	}
	const name = text.toUpperCase().replace(/^SIG/, '');
	const realTime = /^(RTMIN|RTMAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
	if (realTime) {
		const offset = Number(`${realTime[2] ?? '+'}${realTime[3] ?? '0'}`);
		const number = (realTime[1] === 'RTMIN' ? RTMIN : RTMAX) + offset;
		if (number >= RTMIN && number <= RTMAX) {
			return number;
		}
		throw invalidSignal(text);
	}
	const number = Object.entries(os.constants.signals).find(([signal]) => signal === `SIG${name}`)?.[1];
	if (number === undefined) {
		throw invalidSignal(text);
	}
	return number;
}

function invalidSignal(text: string): EngineError {
	return new EngineError('invalid', `invalid signal: ${text}`);
}
