import * as fs from 'node:fs';
import * as path from 'node:path';
import { ErofsWriter } from '../image/erofs';
import { mountPointsIn, unmountLayers } from '../image/layer-mounts';
import { LayerNamespace } from '../image/layer-namespace';
import { encodeEntry, endOfArchive, padding, TarReader } from '../image/tar';
import { userNamespace } from '../user-namespace';

const CONTENT = Buffer.from('of an image');

/** Why layers cannot be EROFS images here; undefined when one that is made in `folder` can be mounted and read. */
export async function tryImages(folder: string): Promise<string | undefined> {
	if (!userNamespace().isInitial) {
		return 'only root of the machine may mount EROFS images';
	}
	const image = path.join(folder, 'image');
	const target = path.join(fs.realpathSync(folder), 'mounted');
	writeImage(image);
	fs.mkdirSync(target);
	const namespace = new LayerNamespace();
	try {
		await namespace.open();
		namespace.mount([{ image, target }]);
		const isRight = fs.readFileSync(path.join(namespace.readable(target), 'file')).equals(CONTENT);
		return isRight ? undefined : 'a mounted image does not hold what was put in';
	} finally {
		await namespace.close();
		unmountLayers(mountPointsIn(target));
	}
}

function writeImage(file: string): void {
	const header = encodeEntry({
		...{ type: 'file', name: 'file', linkName: '', mode: 0o644, uid: 0, gid: 0, size: CONTENT.length },
		...{ mtime: 0, mtimeNanoseconds: 0, major: 0, minor: 0, xattrs: new Map() },
	});
	const tar = Buffer.concat([header, CONTENT, padding(CONTENT.length), endOfArchive()]);
	const writer = new ErofsWriter(file);
	try {
		const reader = new TarReader(writer, 1);
		writer.take(tar);
		reader.write(tar);
		reader.finish();
		writer.finish();
	} finally {
		writer.close();
	}
}
