/**
 * Our own runtime: a container from the programs of util-linux and coreutils alone, for machines without an OCI runtime.
 * Everything that varies lies in files that minimal-plan.ts writes, one value a line ("\\n" and "\\\\" stand for a line
 * break and a backslash); nothing is ever pasted into this text.
 *
 *   run   <plan> <folder> <tools>               makes the namespaces, then `join`, `make` and the program in them
 *   exec  <plan> <folder> <tools> <pid> <kinds> joins the namespaces of process <pid>
 *
 * Folder: where `pid` and `oci.log` shall be. Tools: a folder with ld, sh, mount, … and their libraries (minimal-tools.ts).
 *
 * Facts that shaped it:
 * - What must still be done inside the container's root (mounts, at last dropping rights) uses the tools: mounted
 *   read-only there, run through their own dynamic linker, they need nothing of the image and cannot be changed by it.
 * - Mounts are made after pivot_root(2), so links of a hostile image lead nowhere but inside its own root. The old root
 *   has a name by chance until it goes.
 * - Whether the program can be run is decided by a shell with the container's rights just before, since nobody can be
 *   told of an exec that has worked; what it says comes over a FIFO, and the process's number from the other side.
 * - Messages of this shell about signals ("Killed") must not become the container's output.
 */
export const MINIMAL_SCRIPT = `#!/bin/sh
verb=$1 plan=$2 d=$3 tools=$4
shift 4

next() {
	IFS= read -r v || return 1
	case $v in *\\\\*) v=$(printf '%b.' "$v") && v=\${v%.} ;; esac
}

# Reads the words of what is being set up, until the program is about to run or cannot.
report() {
	pid=
	word=
	said
	rm -f "$d/status"
}

said() {
	while IFS= read -r word; do
		case $word in
		pid\\ *) pid=\${word#pid } ;;
		ok) printf '%s\\n' "$pid" >"$d/.pid" && mv "$d/.pid" "$d/pid"; return ;;
		not-found | denied | cwd) printf 'minimal %s\\n' "$word" >>"$d/oci.log"; return ;;
		esac
	done
	{ printf 'minimal setup '; tail -n 1 "$d/setup.err"; echo; } >>"$d/oci.log"
}

outside() {
	trap : HUP INT TERM QUIT
	mkfifo -m 600 "$d/status" || exit 1
	: >"$d/setup.err"
	( report <"$d/status" >/dev/null 8>&- & )
}

# What was said is on the disk before anybody learns of the end.
when_reported() {
	i=0
	while [ -e "$d/status" ] && [ $i -lt 500 ]; do i=$((i + 1)); sleep 0.01 || sleep 1; done
}

# The process itself, as the host's proc shows it: only from out here its number is the host's.
announce() { read -r me rest </proc/self/stat && echo "pid $me" >&9; }

join() {
	while next; do echo 0 >"$v/cgroup.procs" || exit 1; done <"$plan/cgroups"
}


inside_tool() { n=$1; shift; "$o$tools/ld" --library-path "$o$tools" "$o$tools/$n" "$@"; }

make_place() {
	if [ "$1" = file ]; then
		[ -e "$2" ] && return
		[ -d "\${2%/*}/" ] || inside_tool mkdir -p "\${2%/*}"
		: >"$2"
	else
		[ -d "$2" ] || inside_tool mkdir -p "$2"
	fi
}

make() {
	set -e
	{ next; root=$v; next; stage=$v; next; secret=$v; next; hostname=$v; next; cwd=$v; next; readonly=$v; next; score=$v; next; tty=$v; } <"$plan/values"
	while next; do prlimit --pid 1 "$v"; done <"$plan/rlimits"
	[ -z "$score" ] || echo "$score" >/proc/self/oom_score_adj
	# Linux 6.1 lets only the machine's root write the file.
	[ -z "$hostname" ] || { echo "$hostname" >/proc/sys/kernel/hostname; } 2>/dev/null || hostname "$hostname"
	console=
	if [ -n "$tty" ]; then stty sane; console=$(tty); fi
	mount --bind "$root" "$root"
	cd "$root"
	if [ -e "$plan/dev" ]; then
		[ ! -L dev ] || { echo "/dev of the image is a link" >&2; exit 1; }
		[ -d dev ] || mkdir dev
		{ next; mount -t tmpfs -o "$v" tmpfs dev; } <"$plan/dev"
	fi
	[ ! -L ".$stage" ] || exit 1
	[ -d ".$stage" ] || mkdir ".$stage"
	mount -t tmpfs -o mode=755,size=64k,nosuid,nodev tmpfs ".$stage"
	mkdir ".$stage/$secret" ".$stage/tools"
	pivot_root . ".$stage/$secret"
	cd /
	o=$stage/$secret
	inside_tool mount -n --bind "$o$tools" "$stage/tools"
	inside_tool mount -n -o remount,bind,ro,nosuid,nodev tools "$stage/tools"
	while next; do
		kind=$v; next; source=$v; next; target=$v; next; type=$v; next; options=$v
		case $kind in file | folder) make_place "$kind" "$target" ;; esac
		case $type in bind) inside_tool mount -n -o "$options" "$o$source" "$target" ;; *) inside_tool mount -n -i -t "$type" -o "$options" "$source" "$target" ;; esac
	done <"$o$plan/mounts"
	if [ -n "$console" ]; then : >/dev/console; inside_tool mount -n --bind "$o$console" /dev/console; fi
	while next; do link=$v; next; [ -e "$v" ] || [ -L "$v" ] || inside_tool ln -s "$link" "$v"; done <"$o$plan/links"
	while next; do file=$v; next; printf '%s' "$v" >"/proc/sys/$file"; done <"$o$plan/sysctls"
	while next; do
		if [ -d "$v" ]; then inside_tool mount -n -t tmpfs -o ro,size=4k tmpfs "$v"; elif [ -e "$v" ]; then inside_tool mount -n --bind "$o/dev/null" "$v"; fi
	done <"$o$plan/masked"
	while next; do
		if [ -e "$v" ]; then inside_tool mount -n --bind "$v" "$v"; inside_tool mount -n -o remount,bind,ro,nosuid,nodev,noexec x "$v"; fi
	done <"$o$plan/readonly"
	[ -d "$cwd" ] || inside_tool mkdir -p "$cwd" || :
	# Both are read before the place where they lie goes.
	set --
	while next; do set -- "$@" "$v"; done <"$o$plan/process"
	inside_tool umount -n -l "$o"
	[ -z "$readonly" ] || "$stage/tools/ld" --library-path "$stage/tools" "$stage/tools/mount" -n -o remount,bind,ro x /
	# In a terminal both streams are one (terminal.ts leaves the second to messages).
	if [ -n "$tty" ]; then exec 2>&1 8>&-; else exec 2>&8 8>&-; fi
	cd /
	exec "$@"
}

case $verb in
run)
	exec 8>&2 2>/dev/null
	outside
	set --
	while next; do set -- "$@" "$v"; done <"$plan/unshare"
	unshare "$@" sh "$0" inside "$plan" "$d" "$tools" 9>"$d/status" 2>"$d/setup.err"
	code=$?
	when_reported
	# util-linux before 2.40 cannot pass on SIGKILL: it fails with 1 and a message.
	if [ $code = 1 ] && [ -e "$d/pid" ]; then
		while read -r line; do case $line in unshare:*) code=137 ;; esac; done <"$d/setup.err"
	fi
	exit $code
	;;
inside)
	trap - HUP INT TERM QUIT
	announce
	join
	[ ! -e "$plan/cgroupns" ] || exec unshare --cgroup sh "$0" make "$plan" "$d" "$tools"
	make
	;;
make)
	make
	;;
exec)
	exec 8>&2 2>/dev/null
	outside
	nsenter -t "$1" -p sh "$0" enter "$plan" "$d" "$tools" "$@" 9>"$d/status" 2>"$d/setup.err"
	code=$?
	when_reported
	exit $code
	;;
enter)
	trap - HUP INT TERM QUIT
	announce
	join
	{ next; tty=$v; } <"$plan/tty"
	if [ -n "$tty" ]; then stty sane; fi
	target=$1
	shift
	set -- nsenter -t "$target" "$@" --
	while next; do set -- "$@" "$v"; done <"$plan/process"
	case $tty in
	takes) set -- setsid --ctty "$@" ;;
	'') set -- setsid "$@" ;;
	esac
	if [ -n "$tty" ]; then exec 2>&1 8>&-; else exec 2>&8 8>&-; fi
	exec "$@"
	;;
esac
`;

/**
 * Runs inside with the container's rights: looks whether the program can be run, says so, and becomes it.
 * Arguments: <tools> <working folder> <PATH> <program> <arguments of env -i …>
 */
export const MINIMAL_CHECK = `S=$1 path=$3 program=$4
cd -- "$2" 2>/dev/null || { echo cwd >&9; exit 1; }
shift 4
verdict=not-found
look() {
	if [ -f "$1" ] && [ -x "$1" ]; then verdict=ok; return 0; fi
	[ ! -e "$1" ] || verdict=denied
	return 1
}
case $program in
*/*) look "$program" ;;
*)
	IFS=:
	set -f
	for folder in $path; do
		if look "\${folder:-.}/$program"; then break; fi
	done
	unset IFS
	[ "$verdict" = ok ] || verdict=not-found
	;;
esac
echo "$verdict" >&9
[ "$verdict" = ok ] || exit 1
exec 9>&-
exec "$S/ld" --library-path "$S" "$S/env" -i "$@"
`;
