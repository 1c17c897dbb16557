/** What the ways to keep a container's root file system have in common. */

export const DRIVER_NAMES = ['overlay', 'erofs', 'fuse-overlayfs', 'copy'] as const;
export type DriverName = (typeof DRIVER_NAMES)[number];

export function isDriverName(text: string): text is DriverName {
	return (DRIVER_NAMES as readonly string[]).includes(text);
}

/** Folders of one container that a driver works in, absolute; all on one file system. */
export interface RootFolders {
	/** The container's own, which holds the others. */
	readonly path: string;
	/** What the container has written, for drivers that put it over the image's layers. */
	readonly upper: string;
	/** Empty. */
	readonly work: string;
	/** Where the root file system is mounted. */
	readonly merged: string;
}

/** How a root file system is mounted: the arguments of MOUNT_FUNCTIONS. */
export interface RootMount {
	readonly kind: 'overlay' | 'fuse-overlayfs' | 'bind';
	/** The folder that mounting must run in, as the options hold relative names. */
	readonly cwd: string;
	/** mount(8)'s -o text; of a bind mount the folder. */
	readonly options: string;
}

/** A folder of a stack in which names are looked for as overlayfs would see them. */
export interface LookupLayer {
	/** Absolute. */
	readonly directory: string;
	/** Folders that hide what the layers below have in them, from "/", one character a byte: Node cannot read the mark. */
	readonly opaque: ReadonlySet<string>;
}

/** Keeps root file systems. `lowers` are the unpacked layers of the image, top first, which nobody writes in. */
export interface StorageDriver {
	readonly name: DriverName;
	/** Makes what `mount` needs; costs little when it is there already. */
	prepare(folders: RootFolders, lowers: readonly string[]): Promise<void>;
	mount(folders: RootFolders, lowers: readonly string[]): RootMount;
	/** Where to look for names without mounting, top first; `lowers` are those of the image. */
	lookup(folders: RootFolders, lowers: readonly LookupLayer[]): readonly LookupLayer[];
	/** Gives `work` an overlay's upper directory that says what the container has changed; it may be gone afterwards. */
	withUpper<T>(folders: RootFolders, signal: AbortSignal, work: (upper: string) => Promise<T>): Promise<T>;
}

/**
 * Shell functions. `mount_root KIND CWD OPTIONS TARGET` mounts in this mount namespace, `unmount_root TARGET` ends what
 * would keep the namespace alive: fuse-overlayfs is a process in it, in the foreground so that it stays in this session.
 */
export const MOUNT_FUNCTIONS = `fuse=
mount_root() {
	case $1 in
	fuse-overlayfs)
		(cd "$2" && exec fuse-overlayfs -f -o "$3" "$4") </dev/null >/dev/null &
		fuse=$!
		until mountpoint -q "$4"; do
			kill -0 "$fuse" 2>/dev/null || return 1
			sleep 0.02 || sleep 1
		done
		;;
	bind) mount --bind "$3" "$4" ;;
	*) (cd "$2" && exec mount -t overlay overlay -o "$3" "$4") ;;
	esac
}
unmount_root() {
	[ -z "$fuse" ] || umount -l "$1"
}
`;

/** The arguments of mount_root for the mount. */
export function mountArguments({ kind, cwd, options }: RootMount, target: string): [string, string, string, string] {
	return [kind, cwd, options, target];
}
