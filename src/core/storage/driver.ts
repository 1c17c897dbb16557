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
	/** See RootLayers. */
	readonly images?: string | undefined;
}

/** Layers to mount a root file system of. */
export interface RootLayers {
	/** Lower directories, top first, absolute. */
	readonly lowers: readonly string[];
	/**
	 * Some are images that are mounted in another mount namespace: whose, as "<pid>/<setns>/<mount>", the numbers of a
	 * process in it and of two system calls.
	 */
	readonly images?: string;
}

/** A folder of a stack in which names are looked for as overlayfs would see them. */
export interface LookupLayer {
	/** Absolute. */
	readonly directory: string;
	/** Folders that hide what the layers below have in them, from "/", one character a byte: Node cannot read the mark. */
	readonly opaque: ReadonlySet<string>;
}

/** Keeps root file systems. `lowers` are the unpacked layers of the image to be read, top first; nobody writes in them. */
export interface StorageDriver {
	readonly name: DriverName;
	/** Makes what `mount` needs; costs little when it is there already. */
	prepare(folders: RootFolders, lowers: readonly string[]): Promise<void>;
	mount(folders: RootFolders, layers: RootLayers): RootMount;
	/** Where to look for names without mounting, top first; `lowers` are those of the image. */
	lookup(folders: RootFolders, lowers: readonly LookupLayer[]): readonly LookupLayer[];
	/** Gives `work` an overlay's upper directory that says what the container has changed; it may be gone afterwards. */
	withUpper<T>(folders: RootFolders, signal: AbortSignal, work: (upper: string) => Promise<T>): Promise<T>;
}

/**
 * Takes the layers that are images, which the links `l/<n>` of the folder in $2 lead to, from another mount namespace ($1,
 * see RootLayers) into this one, where they end with it. The mount is the same one, so that all containers share its files in
 * memory. Where that namespace ended with its engine meanwhile, the image is mounted here. Numbers: open_tree 428 with
 * OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, move_mount 429 with MOVE_MOUNT_F_EMPTY_PATH, CLONE_NEWNS.
 */
const TAKE_IMAGES = `my ($pid, $setns, $mount) = split m{/}, shift;
my $folder = shift;
my @trees = grep { m{\\.erofs/tree$} } map { my $to = readlink; defined $to ? "$folder/l/$to" : () } @ARGV;
my @taken;
open my $own, "<", "/proc/self/ns/mnt" or die "$!\\n";
if (open my $other, "<", "/proc/$pid/ns/mnt") {
	syscall($setns, fileno $other, 0x20000) == 0 or die "setns: $!\\n";
	@taken = map { (stat)[0] == (stat "$_/..")[0] ? -1 : syscall(428, -100, $_, 0x80001) } @trees;
	syscall($setns, fileno $own, 0x20000) == 0 or die "setns: $!\\n";
}
my ($empty, $type) = ("", "erofs");
for my $tree (@trees) {
	my $taken = shift @taken // -1;
	my $image = $tree =~ s{tree$}{image.erofs}r;
	($taken < 0 ? syscall($mount, $image, $tree, $type, 7, 0) : syscall(429, $taken, $empty, -100, $tree, 4)) == 0
		or die "$tree: $!\\n";
}`;

/**
 * Shell functions. `mount_root KIND CWD OPTIONS TARGET` mounts in this mount namespace, `unmount_root TARGET` ends what
 * would keep the namespace alive: fuse-overlayfs is a process in it, in the foreground so that it stays in this session.
 */
export const MOUNT_FUNCTIONS = `fuse=
mount_root() {
	case $1 in *@*) (cd -P "$2" && exec perl -e '${TAKE_IMAGES}' "\${1#*@}" "$PWD" l/*) || return 1 ;; esac
	case \${1%@*} in
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

/** The lines in which mount(8) or fuse-overlayfs says why it failed: the latter also tells of options that it does not know. */
export function mountReasons(said: string): string[] {
	return said.split('\n').filter((line) => line !== '' && !line.startsWith('unknown arg'));
}

/** The arguments of mount_root for the mount. */
export function mountArguments(root: RootMount, target: string): [string, string, string, string] {
	const { kind, cwd, options, images } = root;
	return [images === undefined ? kind : `${kind}@${images}`, cwd, options, target];
}
