/** Chooses how root file systems are kept on this machine and disk, by trying. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, messageOf } from '../errors';
import { findProgram, run, toolEnvironment } from '../exec';
import { userNamespace } from '../user-namespace';
import { CopyDriver } from './copy';
import { DRIVER_NAMES, isDriverName, MOUNT_FUNCTIONS, mountArguments, mountReasons } from './driver';
import type { DriverName, RootFolders, StorageDriver } from './driver';
import { tryImages } from './erofs';
import { fileSystemName } from './file-system';
import { OverlayDriver } from './overlay';
import { isOnOverlay, isWhiteout } from './whiteout';

/** The storage of a store: new containers get the chosen driver; those that were made with another one keep it. */
export interface Storage {
	/** The drivers are tried when it is first asked: a pull needs none. */
	readonly chosen: () => Promise<ChosenStorage>;
	/** By the name in a container's record; without one the first that there was. */
	readonly of: (name: string | undefined) => StorageDriver;
}

export interface ChosenStorage {
	readonly driver: StorageDriver;
	/** Docker's DriverStatus. */
	readonly status: readonly (readonly [string, string])[];
	/** Why no driver works; undefined when one does. */
	readonly problem: string | undefined;
}

/**
 * The drivers are tried in order, or only the one that is wanted and that at once, by a real mount in the store `root`.
 * Where none works, containers cannot run, and images still can be pulled. Throws EngineError "unsupported" when the wanted
 * one does not work, "invalid" when there is none of this name.
 */
export async function openStorage(root: string, wanted: string): Promise<Storage> {
	const drivers = new Map(makeDrivers().map((driver) => [driver.name, driver]));
	const [first = new CopyDriver()] = drivers.values();
	let choice: Promise<ChosenStorage> | undefined;
	const chosen = async (): Promise<ChosenStorage> => {
		choice ??= chooseDriver(root, wanted, drivers).catch((error: unknown) => {
			choice = undefined; // a full disk may have room the next time
			throw error;
		});
		return choice;
	};
	if (wanted !== '') {
		await chosen();
	}
	return {
		chosen,
		of: (name) => drivers.get(isDriverName(name ?? '') ? (name as DriverName) : first.name) ?? first,
	};
}

async function chooseDriver(
	root: string,
	wanted: string,
	drivers: ReadonlyMap<DriverName, StorageDriver>,
): Promise<ChosenStorage> {
	if (wanted !== '' && !isDriverName(wanted)) {
		const known = DRIVER_NAMES.join(', ');
		throw new EngineError('invalid', `Cannot use storage driver "${wanted}": there are ${known}`);
	}
	const refused = new Map<DriverName, string>();
	for (const [name, driver] of drivers) {
		if (name === 'erofs' && wanted !== name) {
			continue; // only who asks for it gets it
		}
		const reason = wanted === '' || wanted === name ? await tryDriver(root, driver) : 'another one was asked for';
		if (reason === undefined) {
			return chosenStorage(root, driver, wanted === '' ? refused : new Map());
		}
		refused.set(name, reason);
	}
	if (isDriverName(wanted)) {
		const reason = refused.get(wanted) ?? '';
		throw new EngineError('unsupported', `Cannot use storage driver "${wanted}" in "${root}": ${reason}`);
	}
	const [first = new CopyDriver()] = drivers.values();
	const storage = chosenStorage(root, first, refused);
	return { ...storage, problem: reasonsOf(refused).join('; ') };
}

/** The best first. */
function makeDrivers(): StorageDriver[] {
	const isRootless = !userNamespace().isInitial;
	return [
		new OverlayDriver('overlay', isRootless),
		new OverlayDriver('erofs', isRootless),
		new OverlayDriver('fuse-overlayfs', isRootless),
		new CopyDriver(),
	];
}

function chosenStorage(root: string, driver: StorageDriver, refused: ReadonlyMap<DriverName, string>): ChosenStorage {
	return {
		driver,
		status: [
			['Backing Filesystem', fileSystemName(fs.statfsSync(root).type)],
			...reasonsOf(refused).map((reason): [string, string] => ['Not usable', reason]),
		],
		problem: undefined,
	};
}

function reasonsOf(refused: ReadonlyMap<DriverName, string>): string[] {
	return [...refused].map(([name, reason]) => `${name}: ${reason}`);
}

/** In a mount namespace of its own: reads, writes and deletes through the mount. */
const SCRIPT = `${MOUNT_FUNCTIONS}
mount_root "$1" "$2" "$3" "$4"
[ -e "$4/deleted" ]
echo written >"$4/written"
rm "$4/deleted"
unmount_root "$4"`;

/** A container's own root is one; what the mount itself says there helps nobody. */
const ON_OVERLAY = 'the store lies on an overlay, on which no other can: put it on a volume of the container';

/** Why the driver does not work here; undefined when it does. */
export async function tryDriver(root: string, driver: StorageDriver): Promise<string | undefined> {
	if (driver.name === 'fuse-overlayfs') {
		const missing = findProgram('fuse-overlayfs') === undefined ? 'fuse-overlayfs is not installed' : undefined;
		const unsplit = root.includes(':') ? 'it cannot use a path with a colon' : undefined;
		const reason = missing ?? unsplit ?? (fs.existsSync('/dev/fuse') ? undefined : 'there is no /dev/fuse');
		if (reason !== undefined) {
			return reason;
		}
	}
	const folder = fs.mkdtempSync(path.join(root, 'run', 'storage-'));
	try {
		const reason = (driver.name === 'erofs' ? await tryImages(folder) : undefined) ?? (await tryIn(folder, driver));
		return reason !== undefined && driver.name !== 'copy' && isOnOverlay(root) ? ON_OVERLAY : reason;
	} catch (error) {
		return messageOf(error);
	} finally {
		fs.rmSync(folder, { recursive: true, force: true });
	}
}

async function tryIn(folder: string, driver: StorageDriver): Promise<string | undefined> {
	const inside = (name: string): string => path.join(folder, name);
	const folders: RootFolders = {
		...{ path: folder, upper: inside('upper'), work: inside('work'), merged: inside('merged') },
	};
	for (const name of ['lower', 'upper', 'work', 'merged']) {
		fs.mkdirSync(inside(name));
	}
	fs.writeFileSync(inside('lower/deleted'), '');
	await driver.prepare(folders, [inside('lower')]);
	const mount = mountArguments(driver.mount(folders, { lowers: [inside('lower')] }), folders.merged);
	const result = await run('unshare', ['--mount', '--propagation', 'slave', 'sh', '-ec', SCRIPT, 'try', ...mount], {
		cwd: '/',
		timeout: 10_000,
		env: { ...toolEnvironment(), LIBMOUNT_FORCE_MOUNT2: 'always' },
	});
	if (result.code !== 0) {
		// mount(8) adds where to read more.
		const [reason = ''] = mountReasons(result.stderr);
		return reason === '' ? `exit code ${result.code}` : reason.trim();
	}
	return driver.withUpper(folders, new AbortController().signal, (upper) => {
		const isWritten = fs.existsSync(path.join(upper, 'written'));
		const gone = fs.lstatSync(path.join(upper, 'deleted'), { throwIfNoEntry: false });
		const isRight = isWritten && gone !== undefined && isWhiteout(gone);
		return Promise.resolve(isRight ? undefined : 'what was written and deleted did not arrive');
	});
}
