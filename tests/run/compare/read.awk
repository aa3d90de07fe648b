# SPDX-License-Identifier: BSD-2-Clause
# A report in KTAP (of -v column=NAME) to records, fields parted by tabs:
#   R column scenario verdict text numbers     one per scenario
#   I column plan results words run bailed     once: what the report says of itself
# Verdicts: pass, skip, `xfail WORD`, `xpass WORD`, fail, `fail WORD`, ERROR.
# Knows nothing of other columns.

function trim(s) {
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

function first_word(s) {
	sub(/[ \t:].*/, "", s)
	return s
}

# What is behind the directive or verdict that the text begins with.
function rest(s) {
	sub(/^[^ \t:]*:?[ \t]*/, "", s)
	return s
}

# Takes the numbers off the end of `text`, and returns them.
function take_numbers(    found, at) {
	found = ""
	while ((at = match(text, /(^| )[a-z_][a-z_0-9]*=(-?[0-9][0-9a-fx]*|none)$/))) {
		found = trim(substr(text, at)) (found == "" ? "" : " ") found
		text = trim(substr(text, 1, at - 1))
	}
	return found
}

function expected_failure(prefix,    word) {
	text = rest(text)
	word = first_word(text)
	if (word !~ /^[a-z][a-z0-9]*$/)
		return prefix
	text = rest(text)
	return prefix " " word
}

# Sets text to what is left of it.
function verdict_of(ok,    word) {
	word = first_word(text)
	if (word == "SKIP" || word == "ERROR") {
		text = rest(text)
		return word == "SKIP" ? "skip" : word
	}
	if (word == "XFAIL" || word == "XPASS")
		return expected_failure(word == "XPASS" ? "xpass" : ok ? "xfail" : "fail")
	if (ok)
		return "pass"
	text = rest(text)
	return word == "" || word == "fail" ? "fail" : "fail " word
}

function result(line,    ok, name, at, numbers, verdict) {
	ok = line !~ /^not /
	sub(/^(not )?ok [0-9]+[ \t]*(- )?/, "", line)
	at = match(line, /[ \t]#/)
	text = at ? trim(substr(line, at + 2)) : ""
	name = trim(at ? substr(line, 1, at) : line)
	numbers = take_numbers()
	verdict = verdict_of(ok)
	results++
	if (name in seen) {
		verdict = "ERROR"
		text = "two results"
	}
	seen[name] = 1
	print "R", column, name, verdict, text, numbers
}

# What Intack says of the run; clocks are the machine's.
function said(line) {
	sub(/^# intack: /, "", line)
	sub(/ tsc_khz=.*/, "", line)
	return line
}

BEGIN {
	OFS = "\t"
	plan = results = 0
}

{ gsub(/[\t\r]/, " ") }

/^1\.\.[0-9]+/ && substr($0, 4) + 0 > plan { plan = substr($0, 4) + 0 }
/^(not )?ok [0-9]/ { result($0) }
/^Bail out!/ {
	bailed = trim(substr($0, length("Bail out!") + 1))
	if (bailed == "")
		bailed = "it does not say why"
}
/^# intack: rule=/ { words = said($0) }
/^# intack: exits=/ { run = said($0) }

END { print "I", column, plan, results, words, run, bailed }
