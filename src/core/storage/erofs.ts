import * as fs from 'node:fs';
import * as path from 'node:path';
import { userNamespace } from '../user-namespace';
import { applyLayerStream, IMAGE, MOUNT_POINT } from '../image/layer';
import { mountLayers, unmountLayers } from '../image/layer-mounts';
import { encodeEntry, endOfArchive, padding } from '../image/tar';

const CONTENT = Buffer.from('of an image');

/** Why layers cannot be EROFS images here; undefined when one that is made in `folder` can be mounted and read. */
export async function tryImages(folder: string): Promise<string | undefined> {
	if (!userNamespace().isInitial) {
		return 'only root of the machine may mount EROFS images';
	}
	const directory = path.join(folder, 'image');
	fs.mkdirSync(directory);
	await applyLayerStream(archive(), {
		...{ directory, format: 'erofs', sideArchive: `${directory}.side`, maxBytes: Infinity, isSharedThread: false },
	});
	const target = path.join(directory, MOUNT_POINT);
	mountLayers([{ image: path.join(directory, IMAGE), target }]);
	try {
		const isRight = fs.readFileSync(path.join(target, 'file')).equals(CONTENT);
		return isRight ? undefined : 'a mounted image does not hold what was put in';
	} finally {
		unmountLayers([target]);
	}
}

async function* archive(): AsyncGenerator<Buffer> {
	const header = encodeEntry({
		...{ type: 'file', name: 'file', linkName: '', mode: 0o644, uid: 0, gid: 0, size: CONTENT.length },
		...{ mtime: 0, mtimeNanoseconds: 0, major: 0, minor: 0, xattrs: new Map() },
	});
	yield await Promise.resolve(Buffer.concat([header, CONTENT, padding(CONTENT.length), endOfArchive()]));
}
