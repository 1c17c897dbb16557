import assert from 'node:assert/strict';
import type { ImageLayerJson, ImageLayersJson, LayerFileJson } from '../../../src/api/image-layer-calls';
import { command, comparedSide, layerReport, sharedLayers, type Wording } from '../../../src/ui/layer-report';

const words: Wording = {
	bytes: (bytes) => `${bytes} B`,
	number: String,
	summary: ({ Size }) => `${Size} B in all`,
	layer: (index) => `Layer ${index}`,
	setting: 'settings',
	wasted: 'wasted',
	more: (count) => `${count} more`,
	hidden: (by) => `hidden by ${by}`,
	wastedFiles: 'Wasted',
	shared: 'Shared',
	contents: 'Files',
};
const file = (Path: string, Kind: LayerFileJson['Kind'], more: Partial<LayerFileJson> = {}): LayerFileJson => ({
	...{ Path, Kind, Type: 'file', Mode: 0o644, Uid: 0, Gid: 0, Size: 5, Target: '', Below: null },
	...more,
});
const layer = (Index: number, DiffId: string, more: Partial<ImageLayerJson> = {}): ImageLayerJson => ({
	...{ Index, DiffId, CreatedBy: `step ${DiffId}`, Created: '', Comment: '', Empty: DiffId === '', Digest: '' },
	...{ CompressedSize: 1, Size: 10, Changes: { Added: 1, Changed: 2, Deleted: 3, Bytes: 10 }, WastedSize: 0 },
	...{ RemovesSize: 0, Largest: [] },
	...more,
});
const image = (Layers: ImageLayerJson[], Wasted: ImageLayersJson['Wasted'] = []): ImageLayersJson => ({
	...{ Id: 'sha256:1', Size: 20, VisibleSize: 15, VisibleEntries: 3, WastedSize: 5, Layers, Wasted },
});

describe('reports of layers', () => {
	it('an image: each layer with its command, figures and files; what is wasted at the end', () => {
		const layers = image(
			[layer(0, 'a', { WastedSize: 5 }), layer(1, '')],
			[{ Path: '/etc/old', Size: 5, Layer: 0, By: 1 }],
		);
		const list = {
			total: 4,
			files: [file('/etc', 1, { Type: 'directory' }), file('/etc/passwd', 1), file('/gone', 2)],
		};
		const report = layerReport({ name: 'web:1', layers, files: new Map([[0, list]]) }, words);
		assert.deepEqual(report.text.split('\n'), [
			'web:1',
			'sha256:1',
			'20 B in all',
			'',
			'Layer 0  10 B  +1 ~2 -3  wasted 5 B  step a',
			'Layer 1  settings  step',
			'',
			'Layer 0  10 B  +1 ~2 -3  wasted 5 B',
			'\tstep a',
			'\tA            /etc/',
			'\tA       5 B  /etc/passwd',
			'\tD       5 B  /gone',
			'\t1 more',
			'',
			'Layer 1  settings',
			'\tstep',
			'',
			'Wasted',
			'\t      5 B  /etc/old  (Layer 0, hidden by 1)',
			'',
		]);
		assert.deepEqual(
			report.layers.map(({ index, start, end, files }) => [index, start, end, files]),
			[
				[0, 7, 12, [{ line: 10, path: '/etc/passwd' }]],
				[1, 14, 15, []],
			],
		);
	});

	it('command: without what the builder wraps around it', () => {
		assert.deepEqual(
			[
				command({ CreatedBy: '/bin/sh -c #(nop)  CMD ["sh"]', Comment: '' }),
				command({ CreatedBy: '/bin/sh -c apk add\n\t curl', Comment: '' }),
				command({ CreatedBy: '', Comment: 'imported' }),
			],
			['CMD ["sh"]', 'RUN apk add curl', 'imported'],
		);
	});

	it('a comparison: the files that later layers leave, equal lines for equal files', () => {
		const layers = image([layer(0, 'a'), layer(1, 'b'), layer(2, 'c')]);
		const files = new Map([
			[
				1,
				{
					total: 4,
					files: [file('/app', 1, { Type: 'directory' }), file('/app/x', 1), file('/tmp', 1), file('/z', 0)],
				},
			],
			[2, { total: 2, files: [file('/app', 2), file('/z', 0, { Size: 9 })] }],
		]);
		const side = comparedSide({ name: 'web:1', layers, files }, 1, words).split('\n');
		assert.deepEqual(side.slice(side.indexOf('Files')), [
			'Files',
			'\tD       5 B  /app',
			'\tA       5 B  /tmp',
			'\tA       9 B  /z',
			'',
		]);
	});

	it('shared layers: from the base on, the same content by the same step', () => {
		const one = image([layer(0, 'a'), layer(1, ''), layer(2, 'b')]);
		const other = image([layer(0, 'a'), layer(1, ''), layer(2, 'c')]);
		assert.deepEqual([sharedLayers(one, one), sharedLayers(one, other), sharedLayers(image([]), one)], [3, 2, 0]);
	});
});
