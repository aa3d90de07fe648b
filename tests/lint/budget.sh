#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# budget.sh FILE...: files of more than 600 lines (assembly: 100) and functions of more than 80, flat switches excepted.
over=$(
	for f; do
		max=600
		case $f in
		*.S) max=100 ;;
		esac
		n=$(wc -l <"$f")
		((n <= max)) || echo "$f: $n lines, more than $max"
	done
	awk 'FNR == 1 { start = 0 }
		/^[a-zA-Z_].*\)$/ { name = $0; start = FNR; cases = 0 }
		/^\t+case / { cases++ }
		/^}/ && start {
			if (FNR - start - 2 > 80 && cases < 10)
				print FILENAME ": " name ": " FNR - start - 2 " lines, more than 80"
			start = 0
		}' "$@"
)
[ -z "$over" ] || {
	printf '%s\n' "$over"
	exit 1
}
