import * as os from 'node:os';
import { systemCode } from '../errors';

/** Who this process runs as. Without an entry in passwd, as under the random ids of a cluster, the number is the name. */
export function currentUser(): { readonly uid: number; readonly gid: number; readonly username: string } {
	try {
		return os.userInfo();
	} catch (error) {
		// Libuv's uv_os_get_passwd found no such user.
		if (systemCode(error) !== 'ERR_SYSTEM_ERROR') {
			throw error;
		}
		const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
		return { uid, gid, username: String(uid) };
	}
}
