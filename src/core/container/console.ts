import * as path from 'node:path';
import { findProgram } from '../exec';
import { writeIfOther } from './shim';

/** Stands in a runtime's arguments for the path of the console socket, which only the receiver knows. */
export const CONSOLE = '@console';

/** What this machine lacks when it has no receiver. */
export const CONSOLE_PROBLEM =
	'In terminals of containers full-screen programs may be drawn wrongly without the program "perl".';

/**
 * The receiver of a terminal: runs an OCI runtime that leaves after the start (--detach) and sends the other side of the
 * container's terminal over a socket (--console-socket), copies between that and its own input and output, and ends as the
 * container's program ends. Perl, since Node cannot receive a descriptor; of Perl the core, which needs no module. All
 * that varies comes as arguments. Files in the folder:
 *   console        the socket. Reached through /proc: a socket's path may have 107 bytes, a store's may be longer
 *   terminal.pid   its own number: SIGWINCH tells it that there is another size
 *   size           "rows columns"
 *   pid            the program's number, by the runtime
 *   oci.log        the runtime's log; what goes wrong here is told there, too
 *
 * Facts that shaped it:
 * - The runtime leaves, so the program becomes a child of the next "child subreaper", prctl(2).
 * - All signals that matter are blocked and come through a signalfd: one between a look and select(2) would be missed.
 *   The runtime starts with none blocked.
 * - It holds a terminal of its own open (TIOCGPTPEER, Linux 4.13): the other side gives EIO while nobody has one, which
 *   is no end when a program closes its terminal and opens it again. Without, output ends at the first EIO.
 * - When the program is reaped, all that it has written can be read without waiting (n_tty flushes its queue before it
 *   says EAGAIN). What is left of it in an exec may go on writing, so no more is read than a queue can hold.
 * - A pipe or socket that select(2) calls writable takes 4096 bytes at once, and reading waits for writing: back-pressure.
 */
const RECEIVER = String.raw`# Arguments: <folder> <architecture as Node names it> <runtime argv ...>
use strict;
my ($folder, $architecture, @command) = @ARGV;
my $numbers = { x64 => [157, 47, 14, 289], arm64 => [167, 212, 135, 74] }->{$architecture};
my ($prctl, $recvmsg, $rt_sigprocmask, $signalfd4) = @$numbers;
my ($EPIPE, $EIO) = (32, 5);
my ($HUP, $INT, $PIPE, $TERM, $CHLD, $WINCH) = (1, 2, 13, 15, 17, 28);
my ($F_SETFL, $NONBLOCK, $CLOEXEC, $TIOCSWINSZ, $TIOCGPTPEER) = (4, 04000, 02000000, 0x5414, 0x5441);

sub failed {
	my $reason = "cannot make a terminal: $_[0]: $!";
	if (open my $log, '>>', 'oci.log') { print $log qq({"level":"error","msg":"$reason"}\n) }
	exit 125;
}

sub signal_set {
	my $bits = 0;
	$bits |= 1 << $_ - 1 for @_;
	return pack 'Q', $bits;
}

chdir $folder or exit 125;
syscall($prctl, 36, 1, 0, 0, 0) == 0 or failed('prctl');
syscall($rt_sigprocmask, 0, signal_set($HUP, $INT, $PIPE, $TERM, $CHLD, $WINCH), 0, 8) == 0 or failed('sigprocmask');
my $descriptor = syscall $signalfd4, -1, signal_set($CHLD, $WINCH), 8, $CLOEXEC | $NONBLOCK;
open my $signals, '<&=', $descriptor or failed('signalfd');
umask 077;
socket(my $listener, 1, 1, 0) or failed('socket');
bind $listener, pack 'S Z108', 1, 'console' and listen $listener, 1 or failed('console');
fcntl $listener, $F_SETFL, $NONBLOCK;
if (open my $file, '>', '.terminal.pid') {
	print $file "$$\n";
	close $file;
	rename '.terminal.pid', 'terminal.pid';
}

$_ eq '@console' and $_ = "/proc/$$/cwd/console" for @command;
defined(my $runtime = fork) or failed('fork');
if (!$runtime) {
	syscall $rt_sigprocmask, 2, signal_set(), 0, 8;
	chdir '/';
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', '/dev/null';
	open STDERR, '>', '/dev/null';
	exec { $command[0] } @command or exit 127;
}

my ($master, $slave, $is_open, %ended);
my ($typed, $shown, $has_input, $has_reader) = ('', '', 1, 1);

# struct msghdr, iovec and cmsghdr of 64 bits, see recvmsg(2) and cmsg(3).
sub receive {
	accept my $connection, $listener or return;
	my ($data, $control) = (pack('x64'), pack 'x64');
	my $vector = pack 'P L!', $data, 64;
	my $message = pack 'x16 P L! P L! x8', $vector, 1, $control, 64;
	my $count = syscall $recvmsg, fileno $connection, $message, 0x40000000;
	my ($length, $level, $type, $fd) = unpack 'L! l l l', $control;
	return if $count <= 0 || $level != 1 || $type != 1;
	open $master, '+<&=', $fd or return;
	$is_open = fcntl $master, $F_SETFL, $NONBLOCK | 2;
	my $peer = ioctl $master, $TIOCGPTPEER, $CLOEXEC | 0402;
	open $slave, '+<&=', $peer if $peer;
	resize();
}

sub resize {
	open my $file, '<', 'size' or return;
	my ($rows, $columns) = split ' ', <$file>;
	ioctl $master, $TIOCSWINSZ, pack 'S4', $rows, $columns, 0, 0 if $master;
}

sub collect {
	while ((my $child = waitpid -1, 1) > 0) { $ended{$child} = $? & 127 ? 128 + ($? & 127) : $? >> 8 }
}

sub started {
	open my $file, '<', 'pid' or return 0;
	return <$file> + 0;
}

sub take {
	my $count = sysread $master, $shown, 4096;
	$is_open = 0 if !defined $count && $! == $EIO;
	return $count;
}

sub show {
	my $count = syswrite STDOUT, $shown, 4096;
	$has_reader = 0 if !defined $count && $! == $EPIPE;
	substr $shown, 0, $has_reader ? $count // 0 : length $shown, '';
}

my $program;
until (defined $program && defined $ended{$program}) {
	my ($reads, $writes) = ('', '');
	vec($reads, fileno $signals, 1) = 1;
	vec($reads, fileno $listener, 1) = 1 if !$master;
	vec($reads, 0, 1) = 1 if $has_input && $typed eq '';
	vec($reads, fileno $master, 1) = 1 if $is_open && $shown eq '';
	vec($writes, fileno $master, 1) = 1 if $is_open && $typed ne '';
	vec($writes, 1, 1) = 1 if $shown ne '';
	select $reads, $writes, undef, undef;
	if (vec $reads, fileno $signals, 1) {
		sysread $signals, my $which, 4096;
		collect();
		resize();
		exit $ended{$runtime} if $ended{$runtime};
		$program //= started() if defined $ended{$runtime};
	}
	$has_input = sysread STDIN, $typed, 4096 if vec $reads, 0, 1;
	substr $typed, 0, syswrite($master, $typed) // 0, '' if $master && vec $writes, fileno $master, 1;
	take() if $master && vec $reads, fileno $master, 1;
	show() if vec $writes, 1, 1;
	receive() if !$master && vec $reads, fileno $listener, 1;
}

receive() if !$master;
my $left = 1 << 20;
show() while $shown ne '';
while ($is_open && $left > 0) {
	$left -= take() || last;
	show() while $shown ne '';
}
exit $ended{$program};
`;

/** The PATH on which perl was found. */
let foundOn: string | undefined;

/** Whether this machine has what receives a terminal from a runtime. Once found it stays; it may be installed meanwhile. */
export function hasConsoles(): boolean {
	const folders = process.env['PATH'] ?? '';
	if (foundOn !== folders && ['x64', 'arm64'].includes(process.arch) && findProgram('perl') !== undefined) {
		foundOn = folders;
	}
	return foundOn === folders;
}

/** Arguments for an OCI runtime that is started by `consoleCommand`. */
export const CONSOLE_ARGUMENTS: readonly string[] = ['--detach', '--console-socket', CONSOLE];

/**
 * Program and arguments that run `command`, which names CONSOLE as its console socket, with its terminal joined to standard
 * input and output, and end with the exit code of what the runtime starts. `folder` is there and of this terminal alone; the
 * receiver itself is put into `run`, the store's run folder.
 */
export function consoleCommand(
	command: readonly string[],
	{ folder, run }: { readonly folder: string; readonly run: string },
): string[] {
	const file = path.join(run, 'terminal.pl');
	writeIfOther(file, RECEIVER);
	return ['perl', file, folder, process.arch, ...command];
}
