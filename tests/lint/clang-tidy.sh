#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# clang-tidy.sh FLAG... -- FILE...: says nothing about files in which there is nothing to say.
# Exit status: 0 nothing to say, 1 something, 2 called in another way.
flags=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	flags+=("$1")
	shift
done
if [ $# -lt 2 ]; then
	echo "usage: clang-tidy.sh FLAG... -- FILE..." >&2
	exit 2
fi
shift
status=0
for f; do
	out=$(clang-tidy --quiet --config-file="$(dirname "$0")/clang-tidy" "$f" -- "${flags[@]}" 2>/dev/null) || {
		printf '%s\n' "$out"
		status=1
	}
done
exit $status
