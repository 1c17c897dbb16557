# Hands a command to the engine, which carries it out (api/command-line.ts); to start Node is most of what a short command
# takes. Without an engine it starts one, so that Node is started once, not twice. Whatever stands in the way leaves the
# command to Node.
#   perl command.pl NODE CLI.JS [WORD...]
use strict;

my $build = '@BUILD@';
my ($node, $program, @words) = @ARGV;
delete $ENV{PERL_BADLANG};

sub leave_to_node {
	exec { $node } $node, '--', $program, @words;
	print STDERR "mydocker: cannot run \"$node\": $!\n";
	exit 127;
}

sub named_root {
	my ($first, $second) = @words;
	return $second if defined $second && $first eq '--root';
	return $1 if defined $first && $first =~ /^--root=(.+)/s;
	return undef if !defined $first || $first =~ /^-/;
	return $ENV{MYDOCKER_ROOT} if ($ENV{MYDOCKER_ROOT} // '') ne '';
	return "$ENV{XDG_DATA_HOME}/mydocker" if ($ENV{XDG_DATA_HOME} // '') ne '';
	return ($ENV{HOME} // '') eq '' ? undef : "$ENV{HOME}/.local/share/mydocker";
}

# struct sockaddr_un, unix(7): its path has 107 bytes at most.
sub connected {
	my ($path) = @_;
	return undef if length $path > 107;
	socket(my $engine, 1, 1, 0) or return undef;
	connect($engine, pack('S a108', 1, $path)) or return undef;
	return $engine;
}

sub start_engine {
	my ($root, $folder) = @_;
	my ($dist) = $program =~ m{^(.*/)cli\.js$}s or return 0;
	# Without a folder in front Perl would look for it among its modules.
	$dist = "./$dist" if $dist !~ m{^/};
	return 0 if !do "${dist}start-engine.pl";
	return starts_engine({ node => $node, dist => $dist, root => $root, folder => $folder, words => \@words });
}

# The numbers of errors are those of errno(3): 4 EINTR, 11 EAGAIN, 32 EPIPE; the module of their names takes a while to load.
sub send_all {
	my ($engine, $data) = @_;
	while (length $data) {
		my $sent = syswrite $engine, $data;
		next if !defined $sent && $! == 4;
		return 0 if !defined $sent;
		substr($data, 0, $sent) = '';
	}
	return 1;
}

# With a standard stream closed the socket would take its place.
leave_to_node() if grep { !defined fileno $_ } \*STDIN, \*STDOUT, \*STDERR;
my $root = named_root();
my $folder = readlink '/proc/self/cwd';
leave_to_node() if !defined $root || !defined $folder;
my $socket = "$root/run/api.sock";
my $engine = connected($socket) // (start_engine($root, $folder) && connected($socket)) || leave_to_node();

# TIOCGWINSZ, ioctl_tty(2).
my $size = pack 'S4', 0, 0, 0, 0;
ioctl STDOUT, 0x5413, $size if -t STDOUT;
my ($rows, $columns) = unpack 'S2', $size;
my $terminals = join '', map { -t $_ ? 1 : 0 } \*STDIN, \*STDOUT, \*STDERR;
my @fields = ($build, $folder, $terminals, $rows, $columns, scalar @words, @words, map { "$_=$ENV{$_}" } keys %ENV);
my $body = join '', map { "$_\0" } @fields;
leave_to_node() if length $body > 1024 * 1024;
$SIG{PIPE} = 'IGNORE';
my $sent = send_all($engine, "POST /mydocker/command HTTP/1.1\r\nHost: mydocker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
	. 'Content-Length: ' . length($body) . "\r\n\r\n$body");
my $received = '';
while ($sent && $received !~ /\r\n\r\n/) {
	my $count = sysread $engine, $received, 65536, length $received;
	next if !defined $count && $! == 4;
	last if !$count;
}
$SIG{PIPE} = 'DEFAULT';
leave_to_node() if $received !~ s/^HTTP\/1\.1 101 .*?\r\n\r\n//s;

# What the shell told to be ignored stays so.
for my $name (qw(INT TERM HUP QUIT USR1 USR2)) {
	next if ($SIG{$name} // '') eq 'IGNORE';
	$SIG{$name} = sub { send_frame(2, $name) };
}

sub send_frame {
	my ($kind, $data) = @_;
	local $SIG{PIPE} = 'IGNORE';
	send_all($engine, pack('CN', $kind, length $data) . $data);
}

sub show {
	my ($stream, $data) = @_;
	return if send_all($stream, $data);
	# As SIGPIPE ends a program whose reader has left.
	exit 141 if $! == 32;
	print STDERR "mydocker: cannot write: $!\n";
	exit 1;
}

my $wants_input = 0;
while (1) {
	while (length $received >= 5) {
		my ($kind, $length) = unpack 'CN', $received;
		last if length $received < 5 + $length;
		my $data = substr $received, 5, $length;
		substr($received, 0, 5 + $length) = '';
		if ($kind == 1) { show(\*STDOUT, $data) }
		elsif ($kind == 2) { show(\*STDERR, $data) }
		elsif ($kind == 3) { exit $data }
		elsif ($kind == 4) { $wants_input = 1 }
		elsif ($kind == 5) { $SIG{$data} = 'DEFAULT'; kill $data, $$ }
	}
	my $readable = '';
	vec($readable, fileno $engine, 1) = 1;
	vec($readable, fileno STDIN, 1) = 1 if $wants_input;
	next if select($readable, undef, undef, undef) < 0;
	if ($wants_input && vec($readable, fileno STDIN, 1)) {
		my $count = sysread STDIN, my $data, 65536;
		next if !defined $count && ($! == 4 || $! == 11);
		$wants_input = 0;
		send_frame(1, $count ? $data : '');
	}
	next if !vec($readable, fileno $engine, 1);
	my $count = sysread $engine, $received, 65536, length $received;
	next if !defined $count && $! == 4;
	if (!$count) {
		print STDERR "mydocker: the engine ended while it carried out this command; see \"$root/engine.log\"\n";
		exit 1;
	}
}
