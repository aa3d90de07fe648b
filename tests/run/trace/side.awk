# SPDX-License-Identifier: BSD-2-Clause
# Two sequences of events (scenario.awk) side by side. Files: the marks (a line each: = in both, < in the left one only, > in the
# right one only), the left events, the right ones; marks are about events that count. -v left=NAME right=NAME, -v context=N:
# no more than N rows around a difference (all if empty).
# Between the columns: nothing for events that are alike, | for two of a kind that differ, < and > for one without the other,
# `.` for what does not count.
# Knows nothing of how the marks were found.

function row(mark, l, r) {
	rows++
	row_mark[rows] = mark
	row_left[rows] = l
	row_right[rows] = r
	if (mark == " ")
		alike++
	else if (mark != ".")
		differ++
}

function first_word(s) {
	sub(/ .*/, "", s)
	return s
}

function idle_left() {
	while (left_at <= lefts && left_class[left_at] == ".")
		row(".", left_text[left_at++], "")
}

function idle_right() {
	while (right_at <= rights && right_class[right_at] == ".")
		row(".", "", right_text[right_at++])
}

# Is there one of this kind on the right, up to the next event that counts?
function idles_right(word,    i) {
	for (i = right_at; i <= rights && right_class[i] == "."; i++)
		if (first_word(right_text[i]) == word)
			return 1
	return 0
}

# Rows of what does not count, up to the next event that does, or the end: those of a kind go side by side.
function idle(    l, r) {
	while (left_at <= lefts && left_class[left_at] == "." && right_at <= rights && right_class[right_at] == ".") {
		l = first_word(left_text[left_at])
		r = first_word(right_text[right_at])
		if (l == r)
			row(".", left_text[left_at++], right_text[right_at++])
		else if (idles_right(l))
			row(".", "", right_text[right_at++])
		else
			row(".", left_text[left_at++], "")
	}
	idle_left()
	idle_right()
}

# Is there one of this kind among the next `n` events on the right that count?
function comes_right(n, word,    i) {
	for (i = right_at; i <= rights && n; i++)
		if (right_class[i] == "=") {
			if (first_word(right_text[i]) == word)
				return 1
			n--
		}
	return 0
}

# So many events of the left and of the right that have no partner: those of a kind go side by side.
function unlike(l, r) {
	while (l || r) {
		if (l)
			idle_left()
		if (r)
			idle_right()
		if (l && r && first_word(left_text[left_at]) == first_word(right_text[right_at])) {
			row("|", left_text[left_at++], right_text[right_at++])
			l--
			r--
		} else if (l && !comes_right(r, first_word(left_text[left_at]))) {
			row("<", left_text[left_at++], "")
			l--
		} else {
			row(">", "", right_text[right_at++])
			r--
		}
	}
}

function print_row(i,    s) {
	s = sprintf("%-" width "s %s %s", row_left[i], row_mark[i], row_right[i])
	sub(/ +$/, "", s)
	print s
}

function is_near(i,    j) {
	if (context == "")
		return 1
	for (j = i - context; j <= i + context; j++)
		if (j >= 1 && j <= rows && row_mark[j] ~ /[|<>]/)
			return 1
	return 0
}

function print_rows(    i, cut) {
	for (i = 1; i <= rows; i++)
		if (length(row_left[i]) > width)
			width = length(row_left[i])
	if (length(left) > width)
		width = length(left)
	printf "%-" width "s   %s\n", left, right
	for (i = 1; i <= rows; i++) {
		if (!is_near(i)) {
			cut++
			continue
		}
		if (cut)
			print "... " cut " rows"
		cut = 0
		print_row(i)
	}
	if (cut)
		print "... " cut " rows"
}

BEGIN {
	FS = "\t"
	left_at = right_at = 1
}

FILENAME == ARGV[1] { mark[++marks] = $1 }
FILENAME == ARGV[2] { left_class[++lefts] = $1; left_text[lefts] = $3 }
FILENAME == ARGV[3] { right_class[++rights] = $1; right_text[rights] = $3 }

END {
	for (i = 1; i <= marks; i++) {
		if (mark[i] == "=") {
			idle()
			row(" ", left_text[left_at++], right_text[right_at++])
			continue
		}
		l = r = 0
		for (; i <= marks && mark[i] != "="; i++) {
			l += mark[i] == "<"
			r += mark[i] == ">"
		}
		i--
		unlike(l, r)
	}
	idle()
	print_rows()
	print alike + 0 " events alike, " differ + 0 " differ"
}
