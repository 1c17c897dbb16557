import { repositoryOfName } from './names';
import type { ContainerRow, ImageRow } from './rows';

/** Which containers a compose project consists of, in docker compose's label. */
export const PROJECT_LABEL = 'com.docker.compose.project';

/** What a rule looks at; a person writes "project:shop". */
export type RuleKind = 'name' | 'image' | 'project' | 'label' | 'repository';

type Texts<Row> = Partial<Record<RuleKind, (row: Row) => readonly string[]>>;

const OF_CONTAINER: Texts<ContainerRow> = {
	name: (row) => [row.name],
	image: (row) => withRepository(row.image),
	project: (row) => [row.labels[PROJECT_LABEL] ?? []].flat(),
	label: (row) => Object.entries(row.labels).flatMap(([name, value]) => [name, `${name}=${value}`]),
};
const OF_IMAGE: Texts<ImageRow> = { repository: (row) => withRepository(imageName(row)) };
const RULE = /^(name|image|project|label|repository):(.+)$/;

/** A rule as a person reads it; a space, which parts rules, becomes "*". */
export function hideRule(kind: RuleKind, pattern: string): string {
	return `${kind}:${pattern.replace(/\s/g, '*')}`;
}

/** The first word that is no rule; undefined for a list of rules. */
export function wrongRule(rules: readonly string[]): string | undefined {
	return rules.find((rule) => !RULE.test(rule));
}

/** A name, or what stands for it in rules about images that have none. */
export function imageName({ tag, digest }: ImageRow): string {
	return tag ?? digest ?? '<none>';
}

/** Tells which containers some of the rules hide. */
export function containerHider(rules: readonly string[]): (row: ContainerRow) => boolean {
	return hider(rules, OF_CONTAINER);
}

/** Tells which images some of the rules hide. */
export function imageHider(rules: readonly string[]): (row: ImageRow) => boolean {
	return hider(rules, OF_IMAGE);
}

function hider<Row>(rules: readonly string[], texts: Texts<Row>): (row: Row) => boolean {
	const tests = rules.flatMap((rule) => {
		const [, kind, pattern = ''] = RULE.exec(rule) ?? [];
		const textsOf = texts[kind as RuleKind];
		const expression = new RegExp(`^${pattern.replace(/[\\^$.+?()[\]{}|]/g, '\\$&').replace(/\*/g, '.*')}$`, 'is');
		return textsOf === undefined ? [] : [(row: Row) => textsOf(row).some((text) => expression.test(text))];
	});
	return (row) => tests.some((test) => test(row));
}

function withRepository(name: string): string[] {
	return [name, repositoryOfName(name)];
}
