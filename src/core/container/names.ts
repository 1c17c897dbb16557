import { randomInt } from 'node:crypto';
import { EngineError } from '../errors';

const ADJECTIVES = (
	'able amber ample brave breezy bright brisk calm candid cheery civil clear clever cosy crisp curious daring deft ' +
	'eager early earnest easy fair fast fine fond frank fresh gentle glad golden grand happy hardy honest humble keen ' +
	'kind light lively loyal lucky mellow merry mighty modest neat nimble noble patient placid plucky polite proud ' +
	'quick quiet ready sharp silent smart steady sunny swift tidy'
).split(' ');

const SURNAMES = (
	'abel ada agnesi babbage banach bell bernoulli boole bose brahe cantor cauchy curie darwin dirac edison erdos euclid ' +
	'euler faraday fermat fermi fibonacci fourier franklin galileo galois gauss germain godel haber hahn hertz hilbert ' +
	'hooke hopper hubble joule kepler knuth lamarr laplace leibniz lovelace maxwell meitner mendel napier newton noether ' +
	'ohm pascal pauling planck poincare raman ramanujan ritchie sagan shannon tesla turing volta watt wiles'
).split(' ');

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Throws EngineError "invalid" with docker's text for what cannot name a container. */
export function checkName(name: string): void {
	if (!NAME.test(name)) {
		throw new EngineError(
			'invalid',
			`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
		);
	}
}

/** A name of the form adjective_surname that is not taken; with a number behind it when most are. */
export function generateName(isTaken: (name: string) => boolean): string {
	for (let attempt = 0; ; attempt++) {
		const name = `${pick(ADJECTIVES)}_${pick(SURNAMES)}${attempt < 10 ? '' : randomInt(10 ** Math.min(attempt - 8, 9))}`;
		if (!isTaken(name)) {
			return name;
		}
	}
}

function pick(words: readonly string[]): string {
	return words[randomInt(words.length)] ?? '';
}
