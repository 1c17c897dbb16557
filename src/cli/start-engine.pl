# Starts an engine for command.pl, as api/connect.ts does for Node: so that Node is started once for a command, not twice.
use strict;

# What an engine may inherit: ENVIRONMENT of api/connect.ts.
my $inherited = qr/^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR|DOCKER_CONFIG|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|MYDOCKER_STORAGE_DRIVER|(HTTPS?|NO|ALL)_PROXY)$/i;

# Those that the engine carries out as a rule (served.ts), when they are for the user's own engine; the others would wait for
# one that they do not need, or start Node all the same.
sub wants_engine {
	my @words = @_;
	my $names_root = $words[0] =~ /^--root/ || ($ENV{MYDOCKER_ROOT} // '') ne '';
	splice @words, 0, $words[0] eq '--root' ? 2 : 1 if $words[0] =~ /^--root/;
	my $command = shift @words // return 0;
	$command .= ' ' . (shift @words // '') if $command =~ /^(?:container|image|network|volume)$/;
	return 0 if $command !~ /^(?:(?:image )?(?:pull|history|tag)|(?:container )?(?:run|create|start|stop|exec|logs)|ps|images|rmi?|inspect|(?:container|image|network|volume) (?:ls|list|inspect|rm|create))$/;
	return 0 if grep { /^(?:--help|--tty|-\w*t\w*)$/ } @words;
	return 0 if grep { ($ENV{$_} // '') ne '' } qw(MYDOCKER_HOST MYDOCKER_CONTEXT);
	my $configuration = ($ENV{XDG_CONFIG_HOME} // '') ne '' ? $ENV{XDG_CONFIG_HOME} : "$ENV{HOME}/.config";
	return $names_root || !-e "$configuration/mydocker/config.json";
}

# A folder that is this user's and that nobody else may write in, made with those above it when it is missing.
sub own_folder {
	my ($folder, $forbidden) = @_;
	return 0 if $folder !~ m{^(/.*)/[^/]+$}s && $folder !~ m{^(/)[^/]+$}s;
	-d $1 or own_folder($1, 0) or return 0;
	mkdir $folder, 0700;
	my ($mode, $user) = (lstat $folder)[2, 4];
	return defined $mode && -d _ && $user == $> && !($mode & $forbidden);
}

# Runs the command in place of this process, with nothing of it but `report`, as descriptor 3.
sub become {
	my ($report, $log, $cache, @command) = @_;
	umask 0077;
	open STDIN, '<', '/dev/null' or exit 1;
	open STDOUT, '>', '/dev/null' or exit 1;
	open STDERR, '>>', $log or exit 1;
	chdir '/' or exit 1;
	opendir my $descriptors, '/proc/self/fd' or exit 1;
	my @others = grep { /^\d+$/ && $_ > 2 && $_ != fileno $report } readdir $descriptors;
	closedir $descriptors;
	for my $number (@others) {
		open my $other, '<&=', $number or next;
		close $other;
	}
	my $third;
	open $third, '>&', $report or exit 1 if fileno $report != 3;
	exit 1 if defined $third && fileno $third != 3;
	delete @ENV{ grep { !/$inherited/ } keys %ENV };
	$ENV{NODE_COMPILE_CACHE} = $cache if defined $cache;
	# Where Node is that of VS Code.
	$ENV{ELECTRON_RUN_AS_NODE} = 1;
	$SIG{$_} = 'DEFAULT' for keys %SIG;
	# As a child of nobody here: dead and not waited for it would count as a living owner of the store.
	exec 'setsid', '--fork', @command or exit 1;
}

# True when the engine of the store `root`, this one or one that was quicker, answers. Why it does not is told by Node's try.
# `folder` is the current one, `dist` where engine.js is, `words` the command.
sub starts_engine {
	my ($own) = @_;
	return 0 if ($ENV{HOME} // '') !~ m{^/} || !wants_engine(@{ $own->{words} });
	# The engine starts in another folder.
	my ($store, $dist) = map { m{^/} ? $_ : "$own->{folder}/$_" } @{$own}{qw(root dist)};
	return 0 if !own_folder($store, 0077) || (-s "$store/engine.log" // 0) > 1024 * 1024;
	my $caches = ($ENV{XDG_CACHE_HOME} // '') =~ m{^/} ? $ENV{XDG_CACHE_HOME} : "$ENV{HOME}/.cache";
	my $has_cache = own_folder("$caches/mydocker", 0022) && own_folder($caches, 0022);
	my $runtime = $ENV{MYDOCKER_RUNTIME} // '';
	my @runtime = $runtime eq '' || $runtime eq 'auto' ? () : ('--runtime', $runtime);
	my @command = ($own->{node}, "${dist}engine.js", '--root', $store, '--idle', 30, @runtime, '--report', 3);
	# Of the descriptors that this program opens, 3 alone may go on to others.
	local $^F = 3;
	pipe(my $word, my $report) or return 0;
	my $child = fork // return 0;
	if (!$child) {
		close $word;
		become($report, "$store/engine.log", $has_cache ? "$caches/mydocker" : undef, @command);
	}
	close $report;
	my ($said, $until) = ('', time + 10);
	while ($said !~ /\n/ && time < $until) {
		my $readable = '';
		vec($readable, fileno $word, 1) = 1;
		next if select($readable, undef, undef, 1) <= 0;
		my $count = sysread $word, $said, 4096, length $said;
		last if defined $count && !$count;
	}
	close $word;
	return $said eq "ready\n";
}

1;
