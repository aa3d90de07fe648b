# SPDX-License-Identifier: BSD-2-Clause
# What the runners share: words that must be good, the report between Intack's first line and its last, and what exit status
# it comes to. Sourced by run.sh, kvm.sh and bare.sh.
# Knows nothing of platforms.
# shellcheck shell=bash disable=SC2154 # dir and seconds are the runner's

bench() {
	echo "run: error: $*" >&2
	exit 2
}

# --- the words -----------------------------------------------------------------------------------------------------------
one_of() { # VARIABLE CHOICE...
	local name=$1 choice
	shift
	for choice; do
		[ "${!name}" != "$choice" ] || return 0
	done
	bench "$name=${!name}: must be one of: $*"
}

number() { # VARIABLE MIN MAX
	if ! [[ ${!1} =~ ^(0|[1-9][0-9]{0,9})$ ]] || ((${!1} < $2 || ${!1} > $3)); then
		bench "$1=${!1}: must be a number from $2 to $3"
	fi
}

# The words that mean the same to every platform, with their defaults.
common_words() {
	IRQCHIP=${IRQCHIP:-split} VID=${VID:-} TIMEOUT=${TIMEOUT:-300} MEM=${MEM:-64} TRACE=${TRACE:-off}
	TESTDEV=${TESTDEV:-off}
	ONLY=${ONLY:-} GUEST=${GUEST:-} CMDLINE=${CMDLINE:-} MODULE=${MODULE:-} SEED=${SEED:-}
	one_of IRQCHIP split user
	[ -z "$VID" ] || one_of VID on off
	one_of TRACE on off 1 0
	one_of TESTDEV on off
	number TIMEOUT 1 86400
	number MEM 4 3072
	[[ -z $SEED || $SEED =~ ^(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19})$ ]] || bench "SEED=$SEED: must be a number"
	[[ ! $ONLY =~ [[:space:]\'\"] && ${#ONLY} -lt 128 ]] || bench "ONLY=$ONLY: must be a pattern without blanks and quotes"
	[[ $CMDLINE != *$'\n'* ]] || bench "CMDLINE: must be one line"
	[[ -z $GUEST || (-f $GUEST && -r $GUEST) ]] || bench "GUEST=$GUEST: no such file"
}

# A folder for this run, empty.
run_folder() { # DEFAULT-NAME: sets NAME, dir
	NAME=${NAME:-$1}
	[[ $NAME =~ ^[A-Za-z0-9._+-]+$ && $NAME != .* ]] || bench "NAME=$NAME: must be the name of a folder"
	dir=$O/run/$NAME
	mkdir -p "$dir" || bench "$dir: cannot be made"
	rm -f "$dir"/*
}

# --- the report ----------------------------------------------------------------------------------------------------------
# The firmware writes to the same port: keep what is between our first line and our last. Behind that there is one more, for
# emulators that have no exit status to give.
totals='' guest_status='' started='' ktap='' refused='' last_status=''
relay() {
	local line
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'# intack: status '[0-9])
			# shellcheck disable=SC2034 # the platform reads it
			last_status=${line##* }
			continue
			;;
		esac
		[ -z "$totals" ] || continue
		case $line in
		'# intack: '* | 'KTAP version 1'*) started=1 ;;
		esac
		[ -n "$started" ] || continue
		case $line in
		'KTAP version 1'*) ktap=1 ;;
		'# intack: error: '*) refused=1 ;;
		'# intack: guest exit status '*) guest_status=${line##* } ;;
		'# Totals: '*) totals=$line ;;
		esac
		printf '%s\n' "$line"
	done
}

# --- the verdict ---------------------------------------------------------------------------------------------------------
# Ends the run with its exit status, a line before it if that is 2 or 3. STATUS is that of `timeout`, SAID what Intack has said
# itself, if it has; WHAT ran is called so, and wrote LOG.
conclude() { # STATUS SAID WHAT LOG
	if [ "$1" = 124 ] || [ "$1" = 137 ]; then
		echo "run: error: deadline of $seconds s: the $3 was killed; see $4" >&2
		exit 3
	fi
	[ "$2" != 3 ] || exit 3
	[ -z "$refused" ] || [ -n "$totals" ] || bench "Intack could not run the guest; see above, and $dir"
	if [ -n "$GUEST" ] && [ -z "$totals" ] && [ -z "$ktap" ]; then
		[ -n "$guest_status" ] || [ "$2" != 1 ] || exit 1 # Intack has ended it, and has said why
		[ -n "$guest_status" ] || bench "the guest did not end (the $3's exit status $1); see $dir"
		[ "$guest_status" = 0 ]
		exit
	fi
	[ -n "$totals" ] || bench "no totals (the $3's exit status $1); see $dir"
	[[ $totals =~ \ fail:([0-9]+)\ .*\ error:([0-9]+) ]] || bench "totals cannot be read: $totals"
	((BASH_REMATCH[1] == 0 && BASH_REMATCH[2] == 0)) || exit 1
	[[ $totals =~ [1-9] ]] || bench "${ONLY:+ONLY=$ONLY: }no scenario ran"
	exit "${2:-2}"
}
