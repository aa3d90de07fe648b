#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# clang-tidy.sh FLAG... -- FILE...: says nothing about files in which there is nothing to say.
flags=()
while [ "$1" != -- ]; do
	flags+=("$1")
	shift
done
shift
status=0
for f; do
	out=$(clang-tidy --quiet --config-file="$(dirname "$0")/clang-tidy" "$f" -- "${flags[@]}" 2>/dev/null) || {
		printf '%s\n' "$out"
		status=1
	}
done
exit $status
