/** Kinds of file systems by statfs(2)'s f_type (linux/magic.h and statfs(2)). */
const REMOTE: Readonly<Record<number, string>> = {
	0x6969: 'NFS',
	0x01021997: '9p (a Windows or host folder)',
	0x65735546: 'FUSE',
	0xff534d42: 'CIFS',
	0xfe534d42: 'SMB',
	0x517b: 'SMB',
	0x786f4256: 'a VirtualBox shared folder',
	0xbacbacbc: 'a VMware shared folder',
	0x00c36400: 'Ceph',
	0x0bd00bd0: 'Lustre',
	0x5346414f: 'AFS',
	0x6b414653: 'AFS',
	0x73757245: 'Coda',
	0x564c: 'NCP',
};

/** Docker's names, `info`'s "Backing Filesystem". */
const LOCAL: Readonly<Record<number, string>> = {
	0xef53: 'extfs',
	0x58465342: 'xfs',
	0x9123683e: 'btrfs',
	0x01021994: 'tmpfs',
	0x794c7630: 'overlayfs',
	0x2fc12fc1: 'zfs',
	0xf2f52010: 'f2fs',
	0xca451a4e: 'bcachefs',
	0x4d44: 'vfat',
	0x2011bab0: 'exfat',
};

/** What a store cannot be on, in words, or undefined: overlays, sockets and locks need a local disk. */
export function remoteFileSystem(type: number): string | undefined {
	return REMOTE[type >>> 0];
}

/** Docker's name of the file system, or its number. */
export function fileSystemName(type: number): string {
	return LOCAL[type >>> 0] ?? `0x${(type >>> 0).toString(16)}`;
}
