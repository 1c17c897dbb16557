import { formatAddress, parseAddress } from './address';

/** The part of DNS (RFC 1035, 4.1; RFC 3596) that a responder for addresses needs. Nothing here throws on hostile bytes. */

export interface Question {
	readonly id: number;
	/** Lower case, without the final dot; "" is the root. */
	readonly name: string;
	readonly type: number;
	/** Where the question ends in the packet. */
	readonly end: number;
}

export const TYPE_A = 1;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;

export type ResponseCode = 'NOERROR' | 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED';
const CODES: Readonly<Record<ResponseCode, number>> = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };

const HEADER = 12;
const CLASS_IN = 1;
const MAX_NAME = 255;
/** What every resolver takes over UDP. */
const MAX_MESSAGE = 512;
const RECORD_HEADER = 12;
/** Seconds; short, since a restarted container may have another address. */
const TIME_TO_LIVE = 5;

/** The one question of a standard query; undefined for all else: responses, other opcodes, several questions, junk. */
export function parseQuestion(packet: Uint8Array): Question | undefined {
	const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
	if (bytes.length < HEADER || (bytes.readUInt16BE(2) & 0xf800) !== 0 || bytes.readUInt16BE(4) !== 1) {
		return undefined;
	}
	const labels: string[] = [];
	let position = HEADER;
	for (;;) {
		const length = bytes[position];
		// The first name of a packet has nothing to point back to, so a compression pointer (>= 0xc0) is junk here.
		if (length === undefined || length > 63 || position + length - HEADER > MAX_NAME) {
			return undefined;
		}
		position++;
		if (length === 0) {
			break;
		}
		labels.push(bytes.toString('latin1', position, position + length).toLowerCase());
		position += length;
	}
	if (position + 4 > bytes.length || bytes.readUInt16BE(position + 2) !== CLASS_IN) {
		return undefined;
	}
	return {
		id: bytes.readUInt16BE(0),
		name: labels.join('.'),
		type: bytes.readUInt16BE(position),
		end: position + 4,
	};
}

export interface Answer {
	readonly code: ResponseCode;
	/** Of the family that the question's type wants. */
	readonly addresses?: readonly string[];
	/** A host name, for a question of type PTR. */
	readonly pointer?: string;
}

/** The response to the packet that `question` was parsed from. */
export function formatAnswer(packet: Uint8Array, question: Question, answer: Answer): Buffer {
	const header = Buffer.from(packet.subarray(0, question.end));
	const bytes = question.type === TYPE_A ? 4 : 16;
	const most = Math.floor((MAX_MESSAGE - question.end) / (RECORD_HEADER + bytes));
	const records = [
		...(answer.addresses ?? [])
			.slice(0, most)
			.map((address) => record(question.type, addressBytes(address).subarray(-bytes))),
		...(answer.pointer === undefined ? [] : [record(TYPE_PTR, nameBytes(answer.pointer))]),
	];
	const recursionDesired = header.readUInt16BE(2) & 0x0100;
	// QR, AA, RD as asked, RA.
	header.writeUInt16BE(0x8480 | recursionDesired | CODES[answer.code], 2);
	header.writeUInt16BE(records.length, 6);
	header.writeUInt16BE(0, 8);
	header.writeUInt16BE(0, 10);
	return Buffer.concat([header, ...records]);
}

/** "10.1.2.3" for "3.2.1.10.in-addr.arpa", "fd00::2" for 32 digits below ip6.arpa; undefined for other names. */
export function reverseAddress(name: string): string | undefined {
	const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
	if (match !== null) {
		return match.slice(1).reverse().join('.');
	}
	const digits = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1]?.split('.').reverse().join('');
	return digits === undefined ? undefined : formatAddress(BigInt(`0x${digits}`));
}

function record(type: number, data: Buffer): Buffer {
	const start = Buffer.alloc(RECORD_HEADER);
	// A pointer to the question's name, which every packet has at byte 12.
	start.writeUInt16BE(0xc000 | HEADER, 0);
	start.writeUInt16BE(type, 2);
	start.writeUInt16BE(CLASS_IN, 4);
	start.writeUInt32BE(TIME_TO_LIVE, 6);
	start.writeUInt16BE(data.length, 10);
	return Buffer.concat([start, data]);
}

/** 16 bytes; IPv4's are the last four. */
function addressBytes(address: string): Buffer {
	return Buffer.from((parseAddress(address) ?? 0n).toString(16).padStart(32, '0'), 'hex');
}

function nameBytes(name: string): Buffer {
	const labels = name.split('.').map((label) => Buffer.from(label.slice(0, 63), 'latin1'));
	return Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.from([0])]);
}
