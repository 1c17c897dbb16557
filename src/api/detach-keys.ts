const CONTROL = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** Docker's own: Ctrl-P, Ctrl-Q. */
export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/**
 * The bytes of keys given as "ctrl-p,ctrl-q", "a" or "DEL", separated by commas, as docker reads them; "" means
 * docker's own. Throws RangeError for a key that there is not.
 */
export function parseDetachKeys(text: string): Buffer {
	const keys = (text === '' ? DEFAULT_DETACH_KEYS : text).split(',');
	return Buffer.from(keys.map((key) => keyCode(key)));
}

function keyCode(key: string): number {
	const control = /^ctrl-(.)$/.exec(key)?.[1];
	const code = control === undefined ? -1 : CONTROL.indexOf(control);
	if (code >= 0) {
		return code;
	}
	if (key === 'DEL') {
		return 127;
	}
	const [letter = 256] = Buffer.from(key);
	if (Buffer.byteLength(key) !== 1) {
		throw new RangeError(`Unknown character: '${key}'`);
	}
	return letter;
}

/** Looks for the detach keys in what a person types. The first of them are held back until it is clear what follows. */
export class DetachFilter {
	private matched = 0;

	constructor(private readonly keys: Buffer) {}

	/** What goes on to the container, and whether the keys were completed; then what follows them is dropped. */
	push(data: Uint8Array): { readonly data: Buffer; readonly isDetached: boolean } {
		const passed: number[] = [];
		for (const byte of data) {
			if (byte !== this.keys[this.matched]) {
				passed.push(...this.keys.subarray(0, this.matched));
				this.matched = 0;
			}
			if (byte !== this.keys[this.matched]) {
				passed.push(byte);
				continue;
			}
			this.matched++;
			if (this.matched === this.keys.length) {
				return { data: Buffer.from(passed), isDetached: true };
			}
		}
		return { data: Buffer.from(passed), isDetached: false };
	}
}
