// VS Code's server writes its own logs and every output channel through this module. The real one is C++ that has to
// be compiled; this one offers the same functions. It does not rotate: a test run is short.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical'];

class Logger {
	constructor(_kind, _name, file) {
		this.level = LEVELS.indexOf('info');
		this.isFormatted = true;
		fs.mkdirSync(path.dirname(file), { recursive: true });
		this.descriptor = fs.openSync(file, 'a');
	}

	write(level, message) {
		if (this.descriptor === undefined || level < this.level) {
			return;
		}
		const time = new Date().toISOString().replace('T', ' ').replace('Z', '');
		fs.writeSync(this.descriptor, this.isFormatted ? `${time} [${LEVELS[level]}] ${message}\n` : message);
	}

	trace(message) {
		this.write(0, message);
	}
	debug(message) {
		this.write(1, message);
	}
	info(message) {
		this.write(2, message);
	}
	warn(message) {
		this.write(3, message);
	}
	error(message) {
		this.write(4, message);
	}
	critical(message) {
		this.write(5, message);
	}

	getLevel() {
		return this.level;
	}
	setLevel(level) {
		this.level = level;
	}

	/** VS Code calls this for output channels: their text is written as it is. */
	clearFormatters() {
		this.isFormatted = false;
	}
	setPattern() {}
	/** Nothing is buffered. */
	flush() {}

	drop() {
		if (this.descriptor !== undefined) {
			fs.closeSync(this.descriptor);
			this.descriptor = undefined;
		}
	}
}

const createLogger = async (name, file) => new Logger('rotating', name, file);

// `exports.x =` and not `module.exports = {…}`: VS Code imports this from an ES module, and Node finds the names by
// reading the source.
exports.version = 11100;
exports.setLevel = () => {};
exports.setFlushOn = () => {};
exports.Logger = Logger;
exports.createRotatingLogger = createLogger;
exports.createAsyncRotatingLogger = createLogger;
