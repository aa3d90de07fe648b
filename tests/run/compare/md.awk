# SPDX-License-Identifier: BSD-2-Clause
# The table of matrix.awk as Markdown. -v up=PATH: from where it will be to the root of the tree.
# Knows nothing of what is a difference.

function clean(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/[|*]/, "\\\\&", s)
	return s
}

function link(anchor, title) {
	return "[" clean(title) "](" up "/" anchor ")"
}

function trouble(state) {
	return state == "absent" ? "did not run: " : state == "none" ? "no results: " : ""
}

function column_head(    i) {
	printf "\n| column | what | its words | verdicts | s | |\n|---|---|---|---|---|---|\n"
	for (i = 1; i <= all; i++)
		print col[i]
}

function end_row() {
	if (row != "")
		print row " |"
	row = ""
}

function cell(    s, br) {
	s = substr($3, 1, 1) == "+" ? "**" clean($2) "**" : clean($2)
	br = "<br>"
	if ($4 != "")
		s = s br link($4, $5)
	else if (substr($3, 1, 1) == "+")
		s = s br ($5 != "" ? clean($5) : "unexplained")
	if ($6 != "" && $3 != "skip")
		s = s br clean($6)
	if ($7 != "")
		s = s ($3 == "pass" ? " " : br) clean($7)
	return s
}

BEGIN {
	FS = "\t"
	print "# Scenario by platform"
}

$1 == "COL" {
	col[++all] = "| " clean($2) " | " clean($4) " | " clean($5) " | " clean($6) " | " $8 " | " \
		trouble($3) clean($7) ($3 == "bad" && $7 == "" ? "failed" : "") " |"
	if ($3 == "ok" || $3 == "bad" || $3 == "unjudged") {
		column[++columns] = $2
		run[columns] = $9
	}
}

$1 == "SEC" || $1 == "IDLE" || $1 == "TOTAL" { end_row() }
$1 == "SEC" && !headed { headed = 1; column_head() }

$1 == "SEC" {
	printf "\n## %s\n\n%s\n\n| scenario |", $2, toupper(substr($3, 1, 1)) substr($3, 2) "."
	for (i = 1; i <= columns; i++)
		printf " %s |", clean(column[i])
	printf "\n|---|"
	for (i = 1; i <= columns; i++)
		printf "---|"
	printf "\n"
}

$1 == "ROW" {
	end_row()
	row = "| " clean($2)
}

$1 == "CELL" { row = row " | " cell() }

$1 == "IDLE" && !idle++ {
	printf "\n## Explanations that nothing needed\n\n| scenario | column | verdict | |\n|---|---|---|---|\n"
}
$1 == "IDLE" { print "| " clean($2) " | " clean($3) " | " clean($4) " | " link($5, $5) " |" }

$1 == "TOTAL" {
	if (!headed)
		column_head()
	printf "\n## Whole runs\n\n"
	for (i = 1; i <= columns; i++)
		if (run[i] != "")
			print "- " clean(column[i]) ": " clean(run[i])
	printf "\n%d columns, %d scenarios, %d differences, %d unexplained, %d did not run\n", $2, $3, $4, $5, $6
}
