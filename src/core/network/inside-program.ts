import * as path from 'node:path';
import { hasConsoles } from '../container/console';
import { writeIfOther } from '../container/shim';

/**
 * The relay of a container's published ports, in Perl, since Node cannot enter a namespace; of Perl the core, which needs no
 * module. It has been given listening sockets of the host, goes into the container's network namespace, and connects what
 * it accepts with the container's own address there: neither bridge nor firewall is on that way. It ends with its standard
 * input, which the engine holds, and its connections with it.
 *
 * Facts that shaped it:
 * - A socket belongs to the namespace it was made in, so those of the host go on accepting.
 * - System calls on numbers, past Perl's file handles, cost neither an object a connection nor a copy of what passes.
 * - What the kernel does not take at once is kept, and nothing more is read for it until it has gone: 64 KiB a direction.
 * - A descriptor that nothing is awaited of is taken out of epoll, which tells of a hang-up over and over.
 * - A connection over loopback is there or refused when connect(2) is asked a second time.
 * - With no descriptor left a spare one is given up, so that the client is told instead of the loop going round.
 */
const PROGRAM = String.raw`# Arguments: <architecture as Node names it> <address> <what is on descriptor 4: listen or accepted>:<port in the container> ...
use strict;
my ($architecture, $address, @given) = @ARGV;
my $numbers = {
	x64 => [0, 1, 3, 41, 42, 288, 48, 54, 291, 233, 281, 308],
	arm64 => [63, 64, 57, 198, 203, 242, 210, 208, 20, 21, 22, 268],
}->{$architecture};
my ($read, $write, $close, $socket, $connect, $accept4, $shutdown, $setsockopt, $epoll_create1, $epoll_ctl, $epoll_pwait, $setns) = @$numbers;
my ($EAGAIN, $EINTR, $EALREADY, $EINPROGRESS, $ENFILE, $EMFILE) = (11, 4, 114, 115, 23, 24);
my ($IN, $OUT, $NONBLOCK, $CLOEXEC, $NEWNET, $CHUNK) = (1, 4, 04000, 02000000, 0x40000000, 65536);
# struct epoll_event is packed on x86 alone.
my $event = $architecture eq 'x64' ? 'L L x4' : 'L x4 L x4';
my $one = pack 'i', 1;
my $happened = "\0" x (64 * length pack $event, 0, 0);
my $buffer = "\0" x $CHUNK;
my $spare;

$SIG{PIPE} = 'IGNORE';
syscall($setns, 3, $NEWNET) == 0 or die "Cannot enter the network namespace of a container: $!\n";
syscall $close, 3;
my $epoll = syscall $epoll_create1, $CLOEXEC;
my $host = pack 'S n C4 x8', 2, 0, split /\./, $address;

# By descriptor: container's port of a listening one; other end, awaited events, unsent bytes, and whether its input is over.
my (@port, @peer, @awaited, @unsent, @is_over, @is_connecting);

sub await {
	my ($fd, $wanted) = @_;
	my $former = $awaited[$fd] || 0;
	return if $wanted == $former;
	$awaited[$fd] = $wanted;
	syscall $epoll_ctl, $epoll, $former ? $wanted ? 3 : 2 : 1, $fd, pack $event, $wanted, $fd;
}

sub end {
	my @ends = ($_[0], $peer[$_[0]]);
	for my $fd (@ends) {
		syscall $close, $fd;
		$peer[$fd] = $unsent[$fd] = undef;
		$awaited[$fd] = $is_over[$fd] = $is_connecting[$fd] = 0;
	}
}

sub begin {
	my ($client, $port) = @_;
	my $fd = syscall $socket, 2, 1 | $NONBLOCK | $CLOEXEC, 0;
	return syscall $close, $client if $fd < 0;
	syscall $setsockopt, $fd, 6, 1, $one, 4;
	($peer[$client], $peer[$fd]) = ($fd, $client);
	substr $host, 2, 2, pack 'n', $port;
	$is_connecting[$fd] = $port;
	syscall $connect, $fd, $host, 16;
	connected($fd);
}

sub connected {
	my $fd = $_[0];
	substr $host, 2, 2, pack 'n', $is_connecting[$fd];
	if (syscall($connect, $fd, $host, 16) == 0) {
		$is_connecting[$fd] = 0;
		await($fd, $IN);
		await($peer[$fd], $IN);
	} elsif ($! == $EALREADY || $! == $EINPROGRESS) {
		await($fd, $OUT);
	} else {
		end($fd);
	}
}

sub take {
	my $fd = syscall $accept4, $_[0], 0, 0, $NONBLOCK | $CLOEXEC;
	return begin($fd, $port[$_[0]]) if $fd >= 0;
	return if $! != $EMFILE && $! != $ENFILE;
	close $spare;
	$fd = syscall $accept4, $_[0], 0, 0, $CLOEXEC;
	syscall $close, $fd if $fd >= 0;
	open $spare, '<', '/dev/null';
}

sub finish {
	my ($fd, $peer) = @_;
	$is_over[$fd] = 1;
	return end($fd) if $is_over[$peer];
	syscall $shutdown, $peer, 1;
	await($fd, $awaited[$fd] & ~$IN);
}

sub flush {
	my $fd = $_[0];
	my $count = syscall $write, $fd, $unsent[$fd], length $unsent[$fd];
	if ($count < 0) {
		end($fd) if $! != $EAGAIN;
		return;
	}
	substr $unsent[$fd], 0, $count, '';
	return if $unsent[$fd] ne '';
	$unsent[$fd] = undef;
	await($fd, $awaited[$fd] & ~$OUT);
	await($peer[$fd], $awaited[$peer[$fd]] | $IN);
}

for my $n (0 .. $#given) {
	my ($kind, $port) = split /:/, $given[$n];
	my $fd = 4 + $n;
	if ($kind eq 'listen') {
		$port[$fd] = $port + 0;
		syscall $setsockopt, $fd, 6, 1, $one, 4;
		await($fd, $IN);
	} else {
		begin($fd, $port + 0);
	}
}
open $spare, '<', '/dev/null';
await(0, $IN);

while () {
	my $count = syscall $epoll_pwait, $epoll, $happened, 64, -1, 0, 8;
	next if $count < 0;
	my @happened = unpack "($event)$count", $happened;
	while (my ($bits, $fd) = splice @happened, 0, 2) {
		my $peer = $peer[$fd];
		if (!defined $peer) {
			exit 0 if $fd == 0;
			take($fd) if $port[$fd];
			next;
		}
		if ($is_connecting[$fd]) {
			connected($fd);
			next;
		}
		if (defined $unsent[$fd] && $bits & ~$IN) {
			flush($fd);
			next;
		}
		next if !($awaited[$fd] & $IN);
		my $length = syscall $read, $fd, $buffer, $CHUNK;
		if ($length > 0) {
			my $written = syscall $write, $peer, $buffer, $length;
			next if $written == $length;
			if ($written < 0) {
				if ($! != $EAGAIN) { end($fd); next }
				$written = 0;
			}
			$unsent[$peer] = substr $buffer, $written, $length - $written;
			await($fd, $awaited[$fd] & ~$IN);
			await($peer, $awaited[$peer] | $OUT);
		} elsif ($length == 0) {
			finish($fd, $peer);
		} elsif ($! != $EAGAIN && $! != $EINTR) {
			end($fd);
		}
	}
}
`;

/**
 * Program and first arguments; the program is put into `run`, the store's run folder. Undefined where there is no perl, or
 * system calls have other numbers.
 */
export function insideCommand(run: string): readonly [string, ...string[]] | undefined {
	if (!hasConsoles()) {
		return undefined;
	}
	const file = path.join(run, 'relay.pl');
	writeIfOther(file, PROGRAM);
	return ['perl', file];
}
