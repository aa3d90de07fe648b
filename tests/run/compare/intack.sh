# SPDX-License-Identifier: BSD-2-Clause
# What the columns share that run Intack by run.sh. Sourced by them, into compare.sh, which has set here, dir, rule and deadline.
# Knows nothing of the platforms.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

rules='rearm boundary stash legacy'

# The platform's own file knows what it needs, and says it by bench().
# shellcheck disable=SC2317
intack_can() { # L0
	[ -r "$here/l0/$1.sh" ] || {
		echo "there is no L0=$1"
		return 1
	}
	[ -r "$O/intack.efi" ] || {
		echo "$O/intack.efi is not built"
		return 1
	}
	(
		bench() {
			echo "$*"
			exit 1
		}
		mem=64 seconds=1 image=$dir/disk.img
		# shellcheck source=tests/run/l0/tcg-svm.sh
		. "$here/l0/$1.sh"
	)
}

# The comparison is one of the suite: other guests are not meant for it.
intack_run() { # L0 VID
	L0=$1 VID=$2 RULE=$rule TIMEOUT=$deadline NAME=compare-$(basename "$dir") GUEST='' CMDLINE='' MODULE='' "$here/run.sh"
}
