import { commands, env, l10n, window, workspace, type Disposable, type TreeView } from 'vscode';
import { containerSource } from './container-rows';
import { Failure, type Failures } from './failure';
import { imageSource } from './image-rows';
import type { Model } from './model';
import { RowTree } from './row-tree';

/** Milliseconds between redraws that only let "2 minutes" become 3; a look at the clock, not at the engine. */
const CLOCK = 30_000;

/** The two views of the side bar: they draw the model, and tell it whether somebody looks. */
export class Views implements Disposable {
	private readonly containers: TreeView<string>;
	private readonly images: TreeView<string>;
	private readonly trees: readonly RowTree[];
	private readonly subscriptions: Disposable[];
	private clock: NodeJS.Timeout | undefined;
	private hasImages = false;

	constructor(
		private readonly model: Model,
		private readonly failures: Failures,
	) {
		const containerTree = new RowTree(containerSource(model));
		const imageTree = new RowTree(imageSource(model));
		this.trees = [containerTree, imageTree];
		this.containers = window.createTreeView('mydocker.containers', {
			treeDataProvider: containerTree,
			canSelectMany: true,
		});
		this.images = window.createTreeView('mydocker.images', { treeDataProvider: imageTree, canSelectMany: true });
		this.subscriptions = [
			...this.trees,
			this.containers,
			this.images,
			...[this.containers, this.images].map((view, index) =>
				view.onDidChangeVisibility(({ visible }) => {
					model.setVisible(index === 0 ? 'containers' : 'images', visible);
					this.runClock();
				}),
			),
			model.onDidChangeContainer(() => {
				containerTree.redraw();
				// The mark of an image in use.
				imageTree.redraw();
				this.showCounts();
			}),
			model.onDidChangeImages(() => {
				imageTree.redraw();
				this.showCounts();
			}),
			model.onDidChangeState(() => {
				this.showState();
			}),
			workspace.onDidGrantWorkspaceTrust(() => {
				void model.reload();
			}),
		];
	}

	/** After a pull: the row shows it to who looks at the view, a message to who does not. */
	showPulledImage(reference: string): void {
		if (!this.images.visible) {
			const run = l10n.t('Run…');
			void window.showInformationMessage(l10n.t('Pulled {0}.', reference), run).then((answer) => {
				if (answer === run) {
					void commands.executeCommand('mydocker.image.run', reference);
				}
			});
		}
	}

	dispose(): void {
		clearInterval(this.clock);
		for (const subscription of this.subscriptions) {
			subscription.dispose();
		}
	}

	private runClock(): void {
		const isVisible = this.containers.visible || this.images.visible;
		clearInterval(this.clock);
		this.clock = isVisible
			? setInterval(() => {
					for (const tree of this.trees) {
						tree.redraw();
					}
				}, CLOCK)
			: undefined;
	}

	/** Welcome texts in package.json depend on these. */
	private showState(): void {
		const { state, failure } = this.model;
		void commands.executeCommand('setContext', 'mydocker.state', state);
		if (state === 'failed') {
			// The welcome text cannot tell the reason, and a message in the view would hide it.
			this.failures.show(new Failure(failure, 'mydocker.refresh'));
		}
		this.showCounts();
	}

	private showCounts(): void {
		const running = this.model.containers.filter((row) => row.state === 'running').length;
		if ((this.containers.badge?.value ?? 0) !== running) {
			this.containers.badge = running === 0 ? undefined : { value: running, tooltip: runningWords(running) };
		}
		this.setHasImages(this.model.images.length > 0);
	}

	private setHasImages(hasImages: boolean): void {
		if (hasImages !== this.hasImages) {
			this.hasImages = hasImages;
			void commands.executeCommand('setContext', 'mydocker.hasImages', hasImages);
		}
	}
}

function runningWords(count: number): string {
	return count === 1
		? l10n.t('1 container is running')
		: l10n.t('{0} containers are running', count.toLocaleString(env.language));
}
