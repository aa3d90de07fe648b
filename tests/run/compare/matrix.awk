# SPDX-License-Identifier: BSD-2-Clause
# Records (read.awk, explain.awk, and compare.sh's C lines) to the table, fields parted by tabs, for those who draw it:
#   COL name state about words verdicts note seconds run    state: ok, bad; none: no results; absent: cannot run here;
#                                                           unjudged: has results
#   SEC title text            a section: its columns are those of the COL lines that are ok or bad
#   ROW scenario
#   CELL verdict class anchor title text numbers            class: pass xfail skip bad none; `+` in front: a difference
#   IDLE scenario column verdict anchor                     an explanation that nothing needed
#   DOC anchor title, TEXT line...                          what the anchors of the cells stand for
#   TOTAL columns scenarios differences unexplained absent failed
# A difference is a cell whose verdict is not its row's: `pass` if any column passes, else what the first one says. Verdicts
# alone decide: numbers may depend on time. A column that is not judged makes no row's verdict, and its differences need no
# explanation.
# Knows nothing of how it is drawn.

# A glob: * is any text, ? one character, everything else is itself.
function glob(pattern, s,    re, i, c) {
	if (!(pattern in compiled)) {
		re = "^"
		for (i = 1; i <= length(pattern); i++) {
			c = substr(pattern, i, 1)
			if (c == "*")
				re = re ".*"
			else if (c == "?")
				re = re "."
			else if (c ~ /[A-Za-z0-9_: -]/)
				re = re c
			else
				re = re "[" c "]"
		}
		compiled[pattern] = re "$"
	}
	return s ~ compiled[pattern]
}

# The first line of the table that fits; 0 if none does.
function explanation(scenario, column, verdict,    i) {
	for (i = 1; i <= explanations; i++) {
		if (glob(e_verdict[i], verdict) && glob(e_scenario[i], scenario) && glob(e_column[i], column)) {
			e_used[i] = 1
			return i
		}
	}
	return 0
}

function class(verdict) {
	if (verdict ~ /^(pass|skip|none)$/)
		return verdict
	return verdict ~ /^xfail/ ? "xfail" : "bad"
}

function count(column,    i, v, n, s) {
	for (i = 1; i <= scenarios; i++) {
		v = class(verdict[scenario[i], column])
		n[v]++
	}
	s = "pass:" n["pass"] + 0 " xfail:" n["xfail"] + 0 " skip:" n["skip"] + 0 " fail:" n["bad"] + 0
	bad[column] = n["bad"]
	return n["none"] ? s " none:" n["none"] : s
}

function add(s, more) {
	return s == "" ? more : s "; " more
}

function say_status(column) {
	if (status[column] == 124 || status[column] == 137)
		return "its deadline has passed"
	return "exit status " status[column] (why[column] == "" ? "" : ": " why[column])
}

# What is wrong with a run as a whole.
function trouble(column,    s) {
	if (status[column] != 0)
		s = say_status(column)
	else if (!results[column])
		s = "its report is empty"
	if (bailed[column] != "")
		s = add(s, "bail out: " bailed[column])
	if (results[column] && results[column] < plan[column])
		s = add(s, results[column] " of " plan[column] " scenarios have ended")
	return s
}

function judge_column(column,    verdicts, note) {
	if (status[column] == "absent")
		note = why[column]
	else
		note = trouble(column)
	if (results[column])
		verdicts = count(column)
	if (status[column] != "absent" && unjudged[column] == "" && (note != "" || bad[column]))
		failed++
	if (status[column] != "absent" && unjudged[column] != "")
		note = add("not judged: " unjudged[column], note)
	if (!results[column])
		state[column] = status[column] == "absent" ? "absent" : "none"
	else
		state[column] = unjudged[column] != "" ? "unjudged" : note != "" || bad[column] ? "bad" : "ok"
	print "COL", column, state[column], about[column], words[column], verdicts, note, seconds[column], run[column]
}

# Columns that have results, in order.
function judge_columns(    i) {
	for (i = 1; i <= all_columns; i++) {
		judge_column(all[i])
		if (!results[all[i]]) {
			absent++
			continue
		}
		column[++columns] = all[i]
		any_unjudged += unjudged[all[i]] != ""
	}
}

function row_verdict(s,    i) {
	for (i = 1; i <= columns; i++)
		if (verdict[s, column[i]] == "pass" && unjudged[column[i]] == "")
			return "pass"
	for (i = 1; i <= columns; i++)
		if (verdict[s, column[i]] != "none" && unjudged[column[i]] == "")
			return verdict[s, column[i]]
	return "none"
}

# Which section a row belongs to: 1 unexplained, 2 explained, 3 the same but that some skip, 4 numbers, 5 all the same; those
# that are not judged do not count.
function judge_row(s,    want, i, c, v, section) {
	want = row_verdict(s)
	section = 5
	for (i = 1; i <= columns; i++) {
		c = column[i]
		v = verdict[s, c]
		if (v == want)
			continue
		differs[s, c] = 1
		if (unjudged[c] != "")
			continue
		differences++
		why_of[s, c] = explanation(s, c, v)
		if (!why_of[s, c]) {
			unexplained++
			section = 1
		} else if (section > 2) {
			section = v == "skip" || want == "skip" ? 3 : 2
		}
	}
	return section == 5 && other_numbers(s) ? 4 : section
}

# What every scenario has costs other things on other platforms: shown, but no reason to show a row among the first.
function own_numbers(s, column) {
	s = " " numbers[s, column]
	gsub(/ (user_exits|window_exits|extint|lapic)=[^ ]*/, "", s)
	return s
}

function other_numbers(s,    i) {
	for (i = 2; i <= columns; i++)
		if (own_numbers(s, column[i]) != own_numbers(s, column[1]) && unjudged[column[i]] == "")
			break
	if (i > columns)
		return 0
	for (i = 1; i <= columns; i++)
		why_of[s, column[i]] = explanation(s, column[i], "numbers")
	return 1
}

function print_row(s,    i, c, e) {
	print "ROW", s
	for (i = 1; i <= columns; i++) {
		c = column[i]
		e = why_of[s, c]
		if (e)
			needed[e_anchor[e]] = 1
		print "CELL", verdict[s, c], (differs[s, c] ? "+" : "") class(verdict[s, c]), e ? e_anchor[e] : "", \
			e ? e_title[e] : unjudged[c] != "" && differs[s, c] ? "not judged" : "", text[s, c], numbers[s, c]
	}
}

function group(s) {
	sub(/\..*/, "", s)
	return s
}

function print_section(section, title, about,    i, head) {
	for (i = 1; i <= scenarios; i++) {
		if (section_of[scenario[i]] != section)
			continue
		if (!head++)
			print "SEC", title, about
		print_row(scenario[i])
	}
}

# In the suite's order, a section for each group.
function print_groups(    i, j, g, n, groups) {
	for (i = 1; i <= scenarios; i++) {
		g = group(scenario[i])
		if (section_of[scenario[i]] != 5 || g in groups)
			continue
		groups[g] = 1
		print "SEC", g, any_unjudged ? "the same in every column that is judged" : "the same everywhere"
		for (j = i; j <= scenarios; j++)
			if (section_of[scenario[j]] == 5 && group(scenario[j]) == g)
				print_row(scenario[j])
	}
}

# A line of the table for something that was run, and that nothing needed.
function print_idle(    e, i, j, fits) {
	for (e = 1; e <= explanations; e++) {
		if (e_used[e] || e_verdict[e] == "numbers")
			continue
		fits = 0
		for (i = 1; i <= columns && !fits; i++)
			for (j = 1; j <= scenarios && glob(e_column[e], column[i]) && !fits; j++)
				fits = glob(e_scenario[e], scenario[j])
		if (fits)
			print "IDLE", e_scenario[e], e_column[e], e_verdict[e], e_anchor[e]
	}
}

function print_docs(    i, shown) {
	for (i = 1; i <= docs; i++) {
		if (!(doc_anchor[i] in needed))
			continue
		if (!(doc_anchor[i] in shown))
			print "DOC", doc_anchor[i], title_of[doc_anchor[i]]
		shown[doc_anchor[i]] = 1
		print "TEXT", doc_text[i]
	}
}

BEGIN { FS = OFS = "\t" }

$1 == "E" {
	explanations++
	e_scenario[explanations] = $2
	e_column[explanations] = $3
	e_verdict[explanations] = $4
	e_anchor[explanations] = $5
	e_title[explanations] = title_of[$5] = $6
}

$1 == "D" {
	doc_anchor[++docs] = $2
	doc_text[docs] = $3
}

$1 == "C" {
	all[++all_columns] = $2
	about[$2] = $3
	status[$2] = $4
	seconds[$2] = $5
	why[$2] = $6
	unjudged[$2] = $7
}

$1 == "I" {
	plan[$2] = $3
	results[$2] = $4
	words[$2] = $5
	run[$2] = $6
	bailed[$2] = $7
}

$1 == "R" {
	if (!($3 in known)) {
		known[$3] = 1
		scenario[++scenarios] = $3
	}
	verdict[$3, $2] = $4
	text[$3, $2] = $5
	numbers[$3, $2] = $6
}

END {
	for (i = 1; i <= scenarios; i++)
		for (j = 1; j <= all_columns; j++)
			if (!((scenario[i], all[j]) in verdict))
				verdict[scenario[i], all[j]] = "none"
	judge_columns()
	for (i = 1; i <= scenarios; i++)
		section_of[scenario[i]] = judge_row(scenario[i])
	print_section(1, "Differences that nobody has explained", "a column's verdict is not that of the others")
	print_section(2, "Differences", "a column's verdict is not that of the others")
	print_section(3, "Not run everywhere", "some columns skip it")
	print_section(4, "Other numbers", "the verdicts are the same, the numbers are not; most of them depend on time")
	print_groups()
	print_idle()
	print_docs()
	print "TOTAL", columns + 0, scenarios + 0, differences + 0, unexplained + 0, absent + 0, failed + 0
}
