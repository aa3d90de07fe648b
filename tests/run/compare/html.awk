# SPDX-License-Identifier: BSD-2-Clause
# The table of matrix.awk as one HTML page that needs no other file: the explanations are at its end.
# Knows nothing of what is a difference.

function clean(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	gsub(/"/, "\\&quot;", s)
	return s
}

function span(class, s) {
	return s == "" ? "" : "<span class=\"" class "\">" clean(s) "</span>"
}

# Anchors of several files in one page.
function id(anchor) {
	gsub(/[^A-Za-z0-9-]/, "_", anchor)
	return anchor
}

function link(anchor, title) {
	return "<a href=\"#" id(anchor) "\">" clean(title) "</a>"
}

function head() {
	print "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Scenario by platform</title>"
	print "<style>"
	print ":root { color-scheme: light dark; --line: #8886; --pass: #2a8a3e22; --xfail: #d9920033; --skip: #88888822; --bad: #d0202044 }"
	print "body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em }"
	print "table { border-collapse: collapse; margin: .5em 0 1.5em }"
	print "th, td { border: 1px solid var(--line); padding: .2em .5em; text-align: left; vertical-align: top }"
	print "thead th { position: sticky; top: 0; background: Canvas }"
	print "tbody th { font-weight: normal; white-space: nowrap }"
	print "td span, td a { display: block }"
	print ".pass { background: var(--pass) } .xfail { background: var(--xfail) } .skip { background: var(--skip) }"
	print ".bad, .none { background: var(--bad) }"
	print ".differs { outline: 2px solid currentColor; outline-offset: -2px } .differs .verdict { font-weight: bold }"
	print ".text, .numbers { font-size: 12px; opacity: .8; max-width: 28em; overflow-wrap: anywhere }"
	print "pre { white-space: pre-wrap; border: 1px solid var(--line); padding: .7em; max-width: 60em }"
	print "summary { cursor: pointer } summary h2 { display: inline }"
	print "</style>\n<h1>Scenario by platform</h1>"
}

# The sums come last, and are wanted first: what is drawn is kept until then.
function out(s) {
	page[++lines] = s
}

function trouble(state) {
	return state == "absent" ? "did not run: " : state == "none" ? "no results: " : ""
}

function column_table(    i) {
	out("<h2>Columns</h2>\n<table><thead><tr><th>column<th>what<th>its words<th>verdicts<th>s<th>whole run<th></thead><tbody>")
	for (i = 1; i <= all; i++)
		out(col[i])
	out("</tbody></table>")
	tables = 1
}

function end_section() {
	if (in_section)
		out("</tbody></table></details>")
	in_section = 0
}

function begin_section(    i, s, same) {
	end_section()
	same = $3 ~ /^the same /
	out("<details" (same ? "" : " open") "><summary><h2>" clean($2) "</h2> " clean($3) "</summary>")
	s = "<table><thead><tr><th>scenario"
	for (i = 1; i <= columns; i++)
		s = s "<th>" clean(column[i])
	out(s "</thead><tbody>")
	in_section = 1
}

function cell(    class, differs, s) {
	class = $3
	differs = sub(/^[+]/, "", class)
	s = span("verdict", $2)
	if ($4 != "")
		s = s link($4, $5)
	else if (differs)
		s = s span("unexplained", $5 != "" ? $5 : "unexplained")
	return "<td class=\"" class (differs ? " differs" : "") "\">" s span("text", $6) span("numbers", $7)
}

BEGIN { FS = "\t" }

$1 == "COL" {
	col[++all] = "<tr class=\"" ($3 == "ok" ? "pass" : $3 == "absent" || $3 == "unjudged" ? "skip" : "bad") "\"><th>" clean($2) "<td>" clean($4) "<td>" \
		clean($5) "<td>" clean($6) "<td>" $8 "<td>" span("numbers", $9) "<td>" trouble($3) \
		clean($7) ($3 == "bad" && $7 == "" ? "failed" : "")
	if ($3 == "ok" || $3 == "bad" || $3 == "unjudged")
		column[++columns] = $2
}

$1 != "COL" && !tables { column_table() }
$1 == "SEC" { begin_section() }
$1 == "ROW" { out("<tr><th>" clean($2)) }
$1 == "CELL" { out(cell()) }
$1 == "IDLE" || $1 == "DOC" || $1 == "TOTAL" { end_section() }

$1 == "IDLE" && !idle++ { out("<h2>Explanations that nothing needed</h2>") }
$1 == "IDLE" { out("<p>" clean($2) " | " clean($3) " | " clean($4) " | " clean($5)) }

$1 == "DOC" {
	out((docs++ ? "</pre>" : "<h2>Explanations</h2>") "\n<h3 id=\"" id($2) "\">" clean($3) "</h3>\n<p>" clean($2) "<pre>")
}
$1 == "TEXT" { out(clean($2)) }

$1 == "TOTAL" {
	if (docs)
		out("</pre>")
	head()
	printf "<p>%d columns, %d scenarios, %d differences, %d unexplained, %d did not run\n", $2, $3, $4, $5, $6
	for (i = 1; i <= lines; i++)
		print page[i]
	print "</html>"
}
