#!/bin/sh
# mydocker: lets the engine that runs carry the command out (command.pl), or runs it (cli.js).
#   MYDOCKER_NODE   Node's program, `node` by default
case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac
[ -h "$0" ] && here=$(dirname -- "$(readlink -f -- "$0")")
if command -v perl > /dev/null; then
	# Perl would tell of a locale that this machine has not.
	PERL_BADLANG=0 exec perl -- "$here/command.pl" "${MYDOCKER_NODE:-node}" "$here/cli.js" "$@"
fi
exec "${MYDOCKER_NODE:-node}" -- "$here/cli.js" "$@"
