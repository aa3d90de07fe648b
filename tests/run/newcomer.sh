#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The README's two commands as they stand, in a bare root of Debian, where there is nothing but gcc, make and git, on a clone
# of this tree's HEAD. One line for each: `ok COMMAND: its last line [exit status, seconds]`, or `not ok ...`.
# Takes from the environment: SUITE (bookworm, trixie, testing or another), COMMANDS (targets and words for make, parted by ';';
# `run;test` if not given), LAB_MIRROR (another archive), and BARE: `no` goes on in the root as the last run left it, with the
# packages and the objects that it has, on a clone that is brought to HEAD.
# The bare root is kept in $O/newcomer/SUITE/root, and the packages that were downloaded next to it. What a command printed
# is in $O/newcomer/SUITE/log/.
# `newcomer.sh can` makes nothing: it succeeds, or says in one line why this machine can make no such root.
# Exit status: 0 each succeeded, 1 one did not, 2 there is no root to try it in.
set -uo pipefail
here=$(dirname "$0")
O=${O:-build}
SUITE=${SUITE:-trixie} COMMANDS=${COMMANDS:-run;test} BARE=${BARE:-yes}
LAB_MIRROR=${LAB_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

error() {
	echo "newcomer: error: $*" >&2
	exit 2
}

# The command, or nothing, then why this machine cannot have such a root.
can() {
	local tool
	for tool in mmdebstrap:mmdebstrap git:git flock:util-linux setpriv:util-linux; do
		command -v "${tool%:*}" >/dev/null || {
			echo "${tool%:*} is missing (Debian package ${tool#*:})"
			return
		}
	done
	if [ ! -r "$keyring" ]; then
		echo "the archive's keys are missing (Debian package debian-archive-keyring)"
	elif [ "$(id -u)" != 0 ]; then
		echo "not root: what installs packages in another root has to be"
	elif ! unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
		echo "root may not mount anything here"
	elif ! git -C "$here" rev-parse --verify --quiet HEAD >/dev/null; then
		echo "there is nothing to clone: this tree is no git repository that $(id -un) may read"
	fi
}

case ${1:-} in
'' | enter) ;;
can)
	why=$(can)
	[ -z "$why" ] || error "$why"
	exit
	;;
*) error "$1: no such word; there is: can" ;;
esac

# --- in namespaces of our own: mounts and processes go with us, however we end ------------------------------------------------
# enter ROOT ARCHIVES WORDS: make with these words in the clone, as the new user types it. The root is a mount of its own, so
# that whoever is in it can have namespaces in turn.
if [ "${1:-}" = enter ]; then
	root=$2
	mount --bind "$root" "$root" && mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" &&
		mount --bind "$3" "$root/var/cache/apt/archives" && cat /etc/resolv.conf >"$root/etc/resolv.conf" || exit 125
	exec chroot "$root" /usr/bin/env -i HOME=/root USER=root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		sh -c "cd /intack && exec make $4"
fi

why=$(can)
[ -z "$why" ] || error "$why"
case $BARE in yes | no) ;; *) error "BARE=$BARE: must be one of: yes no" ;; esac
[[ $SUITE =~ ^[a-z][a-z-]*$ ]] || error "SUITE=$SUITE: must be the name of a Debian suite"
dir=$O/newcomer/$SUITE
mkdir -p "$dir/archives/partial" "$dir/log" 2>/dev/null || error "$dir: cannot be made"
dir=$(realpath "$dir")
{ exec 9>"$dir/.lock"; } 2>/dev/null || error "$dir: cannot be written to"
flock -n 9 || { echo "# another one is at it in $dir, waiting" && flock 9; }

pid=
# shellcheck disable=SC2317 # by trap
stop() {
	[ -z "$pid" ] || { kill -KILL -- "-$pid" && wait "$pid"; } 2>/dev/null
}
trap stop EXIT
trap 'exit 2' INT TERM HUP

apart() { # LOG COMMAND...
	local log=$1 status
	shift
	set -m
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$@" </dev/null >"$log" 2>&1 9>&- &
	pid=$!
	set +m
	wait "$pid"
	status=$?
	pid=
	return $status
}

# --- the bare root -----------------------------------------------------------------------------------------------------------
# As for the lab, an archive may be a copy that stands still.
bare_root() {
	local how=(--mode=root --variant=apt --format=directory '--include=gcc,make,git'
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"'
		--aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io)
	local stamp="${how[*]} $SUITE $LAB_MIRROR"
	[ "$(cat "$dir/root/.stamp" 2>/dev/null)" != "$stamp" ] || return 0
	echo "# a bare root of $SUITE ..."
	rm -rf --one-file-system "$dir/root" "$dir/root.new" || error "$dir: cannot be written to"
	apart "$dir/log/root" mmdebstrap "${how[@]}" "$SUITE" "$dir/root.new" \
		"deb [signed-by=$keyring] $LAB_MIRROR $SUITE main" ||
		error "no root of $SUITE: $(grep '^E: ' "$dir/log/root" | head -n1); see $dir/log/root"
	echo "$stamp" >"$dir/root.new/.stamp"
	mv "$dir/root.new" "$dir/root" || error "$dir/root: cannot be made"
}

# What is used is a copy, so that the root stays bare.
used=$dir/used
if [ "$BARE" = yes ] || [ ! -r "$used/.stamp" ] || [ ! -d "$used/intack/.git" ]; then
	bare_root
	rm -rf --one-file-system "$used" || error "$used: cannot be written to"
	cp -a --reflink=auto "$dir/root" "$used" || error "$used: cannot be made"
	git clone --quiet --no-local "$here/../.." "$used/intack" 2>"$dir/log/clone" ||
		error "HEAD cannot be cloned: $(tail -n1 "$dir/log/clone")"
fi
# Git looks for a repository in the folders above too, and there is ours: it is told which one it is to force.
clone=(git -C "$used/intack" --git-dir=.git --work-tree=.)
{ "${clone[@]}" fetch --quiet "$(git -C "$here" rev-parse --show-toplevel)" HEAD &&
	"${clone[@]}" checkout --quiet --force --detach FETCH_HEAD; } 2>>"$dir/log/clone" ||
	error "HEAD cannot be cloned: $(tail -n1 "$dir/log/clone")"
echo "# $SUITE, $(cat "$used/etc/debian_version"), at $("${clone[@]}" rev-parse --short HEAD)"

# --- the commands ------------------------------------------------------------------------------------------------------------
failed=0
IFS=';' read -r -a commands <<<"$COMMANDS"
for command in "${commands[@]}"; do
	read -r command <<<"$command"
	log=$dir/log/make-${command//[^a-zA-Z0-9.=_-]/_} began=$SECONDS
	apart "$log" "$BASH" "$here/newcomer.sh" enter "$used" "$dir/archives" "$command"
	status=$? verdict=ok
	((status == 0)) || verdict='not ok' failed=1
	echo "$verdict make $command: $(tail -n1 "$log") [$SUITE, exit status $status, $((SECONDS - began)) s]"
done
exit $failed
