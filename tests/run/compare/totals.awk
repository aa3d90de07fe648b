# SPDX-License-Identifier: BSD-2-Clause
# The table of matrix.awk as KTAP's line of totals, and before it a line for all that is wrong and for each column that cannot
# run here. An error is a column whose run went wrong, or a difference that nobody has explained. A column that is not judged
# counts for nothing.
# Knows nothing of what is a difference.

# `pass:N xfail:N skip:N fail:N`
function count(verdicts,    word, pair, i, n) {
	n = split(verdicts, word, " ")
	for (i = 1; i <= n; i++) {
		split(word[i], pair, ":")
		sum[pair[1]] += pair[2]
	}
}

BEGIN { FS = "\t" }

$1 == "COL" && $3 ~ /^(ok|bad|unjudged)$/ {
	column[++columns] = $2
	judged[columns] = $3 != "unjudged"
	if (judged[columns])
		count($6)
}

$1 == "COL" && ($3 == "bad" && $7 != "" || $3 == "none" && $7 !~ /^not judged/) {
	error++
	print "not ok " $2 ": " $7
}

$1 == "COL" && $3 == "absent" {
	sum["skip"]++
	print "skip " $2 ": " $7
}

$1 == "ROW" {
	row = $2
	i = 0
}

$1 == "CELL" {
	i++
	if (!judged[i])
		next
	if ($3 ~ /bad$/) {
		print "not ok " column[i] ": " row ": " $2 ($6 == "" ? "" : ": " $6)
	} else if ($3 ~ /^\+/ && $4 == "") {
		error++
		print "not ok " column[i] ": " row ": " $2 ", and nobody has explained it"
	}
}

END {
	print "# Totals: pass:" sum["pass"] + 0 " fail:" sum["fail"] + 0 " xfail:" sum["xfail"] + 0 " skip:" sum["skip"] + 0 \
		" error:" error + 0
}
