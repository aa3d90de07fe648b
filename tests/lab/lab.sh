#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes the reference lab in $LAB (build/lab): a Debian root with QEMU, OVMF and Bochs, three kernels with their initramfs,
# a QEMU whose TCG is fit to run KVM, and KVM's modules with other rules than today's. Nothing but Debian packages, none of
# them installed on the machine.
# Each part is made in a folder of its own and moved into place when it is whole, with a stamp of what it was made from: a
# part whose stamp fits is left as it is, and an interrupted one starts over.
# Takes from the environment: LAB_MIRROR, another archive; LAB_PARTS, the parts that are wanted, with what they are made with,
# if not all of them: root kernel-6.1 kernel-6.12 kernel-current qemu modules.
# `lab.sh can` makes nothing: it succeeds, or says in one line why this machine can make none.
# Exit status: 0 the lab is there, 2 it is not.
set -uo pipefail
here=$(dirname "$0")
export LAB=${LAB:-${O:-build}/lab}
LAB_PARTS=${LAB_PARTS:-}

error() {
	echo "lab: error: $*" >&2
	exit 2
}

# --- what it takes -------------------------------------------------------------------------------------------------------
# mmdebstrap has to be root, or to look so. Says why that cannot be, if it cannot.
can() {
	if [ "$(id -u)" = 0 ]; then
		unshare --mount true 2>/dev/null || echo "root may not mount anything here"
	elif ! command -v newuidmap >/dev/null; then
		echo "neither root, nor newuidmap (Debian package uidmap) to look so"
	elif ! grep -qs "^$(id -un):" /etc/subuid || ! grep -qs "^$(id -un):" /etc/subgid; then
		echo "not root, and $(id -un) has no line in /etc/subuid and /etc/subgid"
	elif ! unshare --user --map-root-user true 2>/dev/null; then
		echo "not root, and this kernel lets users have no user namespaces"
	fi
}

needs() {
	local tool why
	for tool in mmdebstrap:mmdebstrap apt-get:apt dpkg-deb:dpkg flock:util-linux setpriv:util-linux; do
		command -v "${tool%:*}" >/dev/null || error "${tool%:*} is missing (Debian package ${tool#*:})"
	done
	[ -r /usr/share/keyrings/debian-archive-keyring.gpg ] ||
		error "the archive's keys are missing (Debian package debian-archive-keyring)"
	why=$(can)
	[ -z "$why" ] || error "the lab cannot be made here: $why"
}

# --- which parts ---------------------------------------------------------------------------------------------------------
mapfile -t kernels < <(awk '/^kernel-/ { print $1 }' "$here/pins")
all=(root "${kernels[@]}" qemu modules)
declare -A wanted=()

want_parts() {
	local part
	for part in ${LAB_PARTS:-${all[*]}}; do
		[[ " ${all[*]} " == *" $part "* ]] || error "$part: the lab has no such part; it has: ${all[*]}"
		wanted[$part]=1 wanted[root]=1
		[ "$part" != modules ] || wanted[kernel-6.1]=1
	done
}

# --- one part ------------------------------------------------------------------------------------------------------------
pid=
# shellcheck disable=SC2317 # by trap
stop() {
	[ -z "$pid" ] || { kill "-$ending" -- "-$pid" && wait "$pid"; } 2>/dev/null
}

# What a part is made from: its script, its pins, other files, and the parts that it is made with.
stamp_of() { # PART FILE...
	local part=$1
	shift
	{
		grep -E "^$part " "$here/pins"
		cat "$@"
	} | sha256sum | cut -d ' ' -f 1
}

make_part() { # PART STAMP SCRIPT ARGUMENT...
	local part=$1 stamp=$2 script=$3 new=$LAB/$1.new log=$LAB/log/$1 began=$SECONDS status
	shift 3
	needs
	echo "lab: $part ..."
	mkdir -p "$new" || error "$new: cannot be made"
	# In a process group of its own: whoever ends this ends all of it.
	set -m
	"${apart[@]}" "$here/$script" "$new" "$@" </dev/null >"$LAB/took.new" 2>"$log" &
	pid=$!
	set +m
	wait "$pid"
	status=$?
	pid=
	((status == 0)) || error "$part: $( (grep '^error: ' "$log" || echo "error: exit status $status") | tail -n1 |
		cut -d ' ' -f 2-); see $log"
	mv "$LAB/took.new" "$new/.took"
	sed -n "s/^\(.*\) instead of \(.*\)/lab: $part: \1, as the archive has \2 no longer/p" "$new/.took"
	echo "$stamp" >"$new/.stamp"
	rm -rf "${LAB:?}/$part"
	mv "$new" "$LAB/$part" || error "$LAB/$part: cannot be made"
	echo "lab: $part: $((SECONDS - began)) s"
	made=1
}

part() { # PART SCRIPT ARGUMENT... -- FILE...
	local part=$1 script=$2 arguments=() stamp
	shift 2
	while [ "$1" != -- ]; do
		arguments+=("$1")
		shift
	done
	shift
	[ -n "${wanted[$part]:-}" ] || return 0
	stamp=$(stamp_of "$part" "$here/$script" "$@") || error "$part: what it is made from cannot be read"
	[ "$(cat "$LAB/$part/.stamp" 2>/dev/null)" = "$stamp" ] || make_part "$part" "$stamp" "$script" "${arguments[@]}"
}

# --- the lab -------------------------------------------------------------------------------------------------------------
case ${1:-} in
'') ;;
can)
	why=$(can)
	[ -z "$why" ] || error "$why"
	exit
	;;
*) error "$1: no such word; there is: can" ;;
esac
want_parts
mkdir -p "$LAB/log" 2>/dev/null || error "$LAB: cannot be made"
{ exec 9>"$LAB/.lock"; } 2>/dev/null || error "$LAB: cannot be written to"
flock -n 9 || { echo "lab: another one is at it, waiting" && flock 9; }
trap stop EXIT
trap 'exit 2' INT TERM HUP
# What an interrupted one has left.
sweep() {
	rm -rf --one-file-system "$LAB/apt" "$LAB/tmp" "$LAB"/*.new || error "$LAB: cannot be written to"
}
sweep
# Root's mounts and processes are in namespaces of their own and go with us, however we end. Users have mmdebstrap's own,
# and their temporary files where those who look like root can reach them.
apart=() ending=TERM
if [ "$(id -u)" = 0 ]; then
	TMPDIR=$(realpath "$LAB")/tmp
	export TMPDIR
	mkdir "$TMPDIR" || error "$TMPDIR: cannot be made"
	apart=(setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc) ending=KILL
fi

# The versions of what the root has lent to a part.
lent() { # PACKAGE...
	local package
	for package; do
		grep "^$package " "$LAB/root/.took"
	done
}

made=
part root root.sh --
for kernel in "${kernels[@]}"; do
	part "$kernel" kernel.sh "$kernel" "$LAB/root" -- "$here/init" <(lent busybox-static kmod cpio xz-utils)
done
part qemu qemu.sh "$LAB/root" -- "$here/qemu.patch" <(lent qemu-system-x86)
part modules modules.sh "$LAB/kernel-6.1" "$LAB/root" -- "$here/vid.patch" "$here"/rule-*.patch "$LAB/kernel-6.1/.took"

if [ -n "$made" ]; then
	for took in "$LAB"/*/.took; do
		sed "s/^/$(basename "$(dirname "$took")") /" "$took"
	done >"$LAB/versions"
fi
sweep
[ -n "$LAB_PARTS" ] && [ -z "$made" ] || echo "lab: $LAB is there: $(du -sh "$LAB" | cut -f 1)"
