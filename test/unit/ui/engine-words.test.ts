import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import { loadEngineWords, translator, type EngineLanguage } from '../../../src/ui/engine-words';

/** Where something is filled in. */
const PLACE = Symbol('{0}');
type Part = string | typeof PLACE;

describe('what the engine says, in another language', () => {
	const translate = translator({
		'Cannot pull image "{0}": {1}': '无法拉取镜像 "{0}"：{1}',
		'Cannot {0}: {1}': '无法{0}：{1}',
		'it unpacks to more than {0} bytes': '解包后超过 {0} 字节',
		'wanted {0}, got {1}': '得到 {1}，应为 {0}',
		'no such file or directory': '没有这样的文件或目录',
	});

	it('a sentence: its own words are translated, what it is about stays', () => {
		assert.equal(translate('Cannot pull image "a/b:1": EOF'), '无法拉取镜像 "a/b:1"：EOF');
	});

	it('a sentence inside of a sentence: both', () => {
		assert.equal(
			translate('Cannot pull image "a": it unpacks to more than 7 bytes'),
			'无法拉取镜像 "a"：解包后超过 7 字节',
		);
	});

	it('several reasons: each', () => {
		assert.equal(
			translate('Cannot pull image "a": it unpacks to more than 7 bytes; no such file or directory'),
			'无法拉取镜像 "a"：解包后超过 7 字节；没有这样的文件或目录',
		);
	});

	it('places in another order', () => {
		assert.equal(translate('wanted 1, got 2'), '得到 2，应为 1');
	});

	it('a text that stands in a place and looks like one itself is left alone', () => {
		assert.equal(translate('wanted {1}, got {0}'), '得到 {0}，应为 {1}');
	});

	it('several that match: the one that says most', () => {
		assert.equal(translate('Cannot sleep: no such file or directory'), '无法sleep：没有这样的文件或目录');
	});

	it('what is not known, or is not the whole of a sentence, stays English', () => {
		for (const text of [
			'',
			'Something; else',
			'it unpacks to more than  bytes',
			'no such file or directory, really',
		]) {
			assert.equal(translate(text), text);
		}
	});

	it('sentences inside of each other without an end: a few are translated', () => {
		assert.match(translate('Cannot a: '.repeat(50_000) + 'b'), /^无法a：无法a：无法a：无法a：Cannot a: /);
	});

	it('a language that there is nothing of: nothing', async () => {
		assert.equal(await loadEngineWords('.', 'fr'), undefined);
		assert.equal(await loadEngineWords('.', '../../package'), undefined);
	});

	describe('Chinese', () => {
		const language = JSON.parse(fs.readFileSync('l10n/engine.zh-cn.json', 'utf8')) as EngineLanguage;
		const words = { ...language.sentences, ...language.composed };
		const { errors, strings } = sentencesOf(['src/core', 'src/api', 'src/engine.ts']);

		it('every error of the engine and of its client is translated', () => {
			const keys = Object.keys(words);
			// Where one of a few words is put in, each whole sentence is there instead.
			const isComposed = (key: string) => {
				const literals = key
					.split(/\{\d+\}/)
					.map((literal) => literal.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
				return keys.some((other) => new RegExp(`^${literals.join('.*')}$`).test(other));
			};
			const missing = [...errors].filter((key) => hasWords(key) && !(key in words) && !isComposed(key));
			assert.deepEqual(missing, []);
		});

		it('nothing is translated that nobody says', () => {
			const said = [...strings].join('\n');
			const isSaid = (key: string) => key.split(/\{\d+\}/).every((literal) => said.includes(literal));
			assert.deepEqual(
				Object.keys(language.sentences).filter((key) => !isSaid(key)),
				[],
			);
		});

		it('a translation has the same places to fill, and is Chinese', () => {
			const places = (text: string) => [...new Set(text.match(/\{\d+\}/g))].sort().join();
			const wrong = Object.entries(words).filter(
				([key, text]) => places(key) !== places(text) || !/\p{Script=Han}/u.test(text),
			);
			assert.deepEqual(wrong, []);
		});
	});
});

/** Names of options, programs and the like are the same in all languages. */
function hasWords(key: string): boolean {
	return / [a-z]{2,} |^[a-z]+ [a-z]+$/i.test(key.replace(/\{\d+\}/g, '·'));
}

/**
 * All texts in these sources with "{0}", … for what is filled in, and of them those that errors are made of: by where
 * they stand, so what a function gives back to be part of an error is not among these.
 */
function sentencesOf(places: readonly string[]): { errors: Set<string>; strings: Set<string> } {
	const [errors, strings] = [new Set<string>(), new Set<string>()];
	for (const file of places.flatMap(typescriptIn)) {
		const source = ts.createSourceFile(file, fs.readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
		const visit = (node: ts.Node): void => {
			if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node) || ts.isBinaryExpression(node)) {
				templatesOf(node).forEach((text) => strings.add(text));
			}
			if (ts.isNewExpression(node) && /Error$/.test(node.expression.getText())) {
				(node.arguments ?? []).flatMap(templatesOf).forEach((text) => errors.add(text));
			}
			ts.forEachChild(node, visit);
		};
		visit(source);
	}
	return { errors, strings };
}

function typescriptIn(place: string): string[] {
	if (place.endsWith('.ts')) {
		return [place];
	}
	return fs
		.readdirSync(place, { recursive: true, encoding: 'utf8' })
		.filter((file) => file.endsWith('.ts'))
		.map((file) => path.join(place, file));
}

function templatesOf(expression: ts.Expression): string[] {
	return partsOf(expression).map((parts) => {
		let count = 0;
		// Two places side by side are one.
		return parts
			.filter((part, index) => part !== PLACE || parts[index - 1] !== PLACE)
			.map((part) => (part === PLACE ? `{${count++}}` : part))
			.join('');
	});
}

/** What the expression may come out as. */
function partsOf(expression: ts.Expression): Part[][] {
	if (ts.isStringLiteralLike(expression)) {
		return [[expression.text]];
	}
	if (ts.isTemplateExpression(expression)) {
		const spans = expression.templateSpans.flatMap((span): Part[] => [PLACE, span.literal.text]);
		return [[expression.head.text, ...spans].filter((part) => part !== '')];
	}
	if (ts.isParenthesizedExpression(expression)) {
		return partsOf(expression.expression);
	}
	if (ts.isConditionalExpression(expression)) {
		return [...partsOf(expression.whenTrue), ...partsOf(expression.whenFalse)];
	}
	if (ts.isBinaryExpression(expression)) {
		const [left, right] = [partsOf(expression.left), partsOf(expression.right)];
		switch (expression.operatorToken.kind) {
			case ts.SyntaxKind.PlusToken:
				return left.flatMap((start) => right.map((end) => [...start, ...end]));
			case ts.SyntaxKind.QuestionQuestionToken:
			case ts.SyntaxKind.BarBarToken:
				return [...left, ...right];
		}
	}
	return [[PLACE]];
}
