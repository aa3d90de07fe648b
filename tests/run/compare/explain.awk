# SPDX-License-Identifier: BSD-2-Clause
# The table of explanations to records, fields parted by tabs:
#   E scenario-glob column-glob verdict-glob anchor title     one per line of the table, in its order
#   D anchor line                                             the text that an anchor stands for, line by line
# An anchor is FILE#HEADING, as those who show Markdown make it of a heading, or the id of an <a>. An anchor that is not there
# is an error: exit status 2.
# Knows nothing of reports.

function trim(s) {
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

function slug(text) {
	text = tolower(text)
	gsub(/[^a-z0-9 _-]/, "", text)
	gsub(/ /, "-", text)
	return text
}

function plain(s) {
	gsub(/<[^>]*>/, "", s)
	gsub(/[`*]/, "", s)
	return trim(s)
}

function add_anchor(file, id, line, level, text) {
	if ((file "#" id) in at)
		return
	at[file "#" id] = line
	depth[file "#" id] = level
	title[file "#" id] = plain(text)
}

function heading(file, line, text,    level) {
	match(text, /^#+/)
	level = RLENGTH
	text = trim(substr(text, level + 1))
	levels[file, line] = level
	add_anchor(file, slug(text), line, level, text)
}

# In a table the title is the cell's text.
function tag(file, line, text,    id) {
	if (!match(text, /<a id="[^"]*">/))
		return
	id = substr(text, RSTART + 7, RLENGTH - 9)
	text = substr(text, RSTART + RLENGTH)
	sub(/\|.*/, "", text)
	add_anchor(file, id, line, 0, text)
}

function load(file,    n, text, fence) {
	if (file in lines)
		return
	n = fence = 0
	while ((getline text < file) > 0) {
		lines_of[file, ++n] = text
		if (text ~ /^```/)
			fence = !fence
		else if (!fence && text ~ /^#+ /)
			heading(file, n, text)
		else if (!fence)
			tag(file, n, text)
	}
	close(file)
	lines[file] = n
}

function bad(what) {
	print "compare: error: " FILENAME ":" FNR ": " what | "cat >&2"
	failed = 1
}

# A heading's text goes on to the next that is not below it, a tag's to the end of its line.
function show(anchor,    file, n) {
	if (anchor in shown)
		return
	shown[anchor] = 1
	file = anchor
	sub(/#.*/, "", file)
	n = at[anchor]
	do {
		print "D", anchor, cells(lines_of[file, n])
		n++
	} while (depth[anchor] && n <= lines[file] && !(levels[file, n] && levels[file, n] <= depth[anchor]))
}

function cells(text) {
	gsub(/\t/, "        ", text)
	gsub(/<a id="[^"]*">|<\/a>/, "", text)
	return text
}

BEGIN {
	FS = "|"
	OFS = "\t"
}

/^[ \t]*(#|$)/ { next }

NF != 4 {
	bad("not `scenario | column | verdict | anchor`")
	next
}

{
	anchor = trim($4)
	file = anchor
	sub(/#.*/, "", file)
	load(file)
	if (!lines[file]) {
		bad(file ": no such file")
	} else if (!(anchor in at)) {
		bad(anchor ": no such heading")
	} else {
		print "E", trim($1), trim($2), trim($3), anchor, title[anchor]
		show(anchor)
	}
}

END { exit failed ? 2 : 0 }
