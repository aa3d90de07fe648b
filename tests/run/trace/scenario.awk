# SPDX-License-Identifier: BSD-2-Clause
# Records (records.awk, merge.awk) to the events of the one scenario among them, from its announcement by the lab device to its
# end; fields parted by tabs:
#   class key text       class: `=` counts, `.` is shown and does not; key: what is compared; text: what is shown
# What does not count: the host's own interrupts, which come when they come; a backend's own business; memory that is mapped
# at its first touch; what was injected for an entry that was called off; kinds that the other side cannot show (-v
# hidden='KIND...'). To an exit that does not count belongs the entry behind it. -v run: where the records are from, for messages.
# Before the records come the output of names.awk and, if there is one, that of nm -n for the guest.
# Knows nothing of the other side.

function wrong(why) {
	printf "trace: error: %s: %s\n", run, why >"/dev/stderr"
	exit 2
}

# ADDRESS TYPE NAME of nm, 16 digits, in order; compared as text.
function place(rip,    low, high, middle, address) {
	if (rip == "" || !symbols)
		return rip
	address = "0000000000000000" substr(rip, 3)
	address = substr(address, length(address) - 15)
	high = symbols + 1
	while (high - low > 1) {
		middle = int((low + high) / 2)
		if ("x" symbol_at[middle] <= "x" address)
			low = middle
		else
			high = middle
	}
	if (!low || "x" symbol_at[low] != "x" address)
		return rip
	return rip " " symbol[low]
}

# What tells more of an exit stands between it and what comes of it; the first of them counts.
function more(i,    j, word) {
	for (j = i + 1; j <= last && kind[j] !~ /^(exit|entry|user)$/; j++) {
		if (kind[j] !~ /^(pio|mmio|msr)$/)
			continue
		split(argument[j], word, " ")
		return " " (kind[j] == "pio" && word[1] in port ? port[word[1]] : word[1])
	}
	return ""
}

# Nothing but to be entered again at the same place.
function is_retried(i,    j) {
	for (j = i + 1; j <= last && kind[j] ~ /^(armed|unarmed|accept)$/; j++)
		;
	return kind[j] == "entry" && rip[j] == rip[i]
}

function show(counts, key, text) {
	print counts ? "=" : ".", key, text
}

# intr: the host's interrupt. none, and KVM's db: a backend's own business, such as a single step that sees an IRET done.
function show_exit(i,    key, counts) {
	key = argument[i] == "window" ? "window open" : "exit " argument[i] more(i)
	counts = !(argument[i] ~ /^(intr|none|db)$/ || (key == "exit npf" && is_retried(i)))
	if (!counts)
		free_entries++
	show(counts, key, key)
}

function show_entry(i,    counts) {
	counts = !free_entries
	if (!counts)
		free_entries--
	injected = ""
	show(counts, "entry", "entry " place(rip[i]) (argument[i] == "" ? "" : " " argument[i]))
}

# With a user irqchip KVM calls every injection one more, and Intack none. With a split one, the first is not. Of what was put
# into the stash, or the mailbox, the first is the first.
function injection(i,    vector) {
	vector = argument[i]
	sub(/ again$/, "", vector)
	if (!(vector in stashed))
		return "inject " argument[i]
	delete stashed[vector]
	return "inject " vector
}

# Again, and nothing was entered in between: KVM has called the entry off, for a signal or a tick.
function is_called_off(key) {
	if (key == injected " again")
		return 1
	injected = key
	return 0
}

function show_event(i,    key, counts) {
	if (kind[i] ~ /^(pio|mmio|msr)$/)
		return
	key = kind[i] " " argument[i]
	if (kind[i] == "stash")
		stashed[argument[i]] = 1
	counts = !(kind[i] in cannot)
	if (kind[i] == "inject") {
		key = injection(i)
		if (is_called_off(key))
			counts = 0
	} else if (kind[i] == "user")
		key = "userspace exit " argument[i]
	else if (kind[i] == "nmi")
		key = "inject " argument[i]
	else if (kind[i] == "armed")
		key = "window armed"
	else if (kind[i] == "unarmed")
		key = "window wanted, not armed"
	else if (kind[i] == "accept")
		key = "local APIC accepts " argument[i]
	show(counts && key !~ /^userspace exit intr/, key, key)
}

BEGIN {
	OFS = "\t"
	n = split(hidden, word, " ")
	for (i = 1; i <= n; i++)
		cannot[word[i]] = 1
	cannot["unarmed"] = 1 # says why there is no other event, and is none
}

/^(exit|user)\t[0-9]+\t/ { next }
/^port\t/ { split($0, field, "\t"); port[field[2]] = field[3]; next }
/^[0-9a-f]+ [A-Za-z] / { symbol_at[++symbols] = $1; symbol[symbols] = $3; next }

{
	n = split($0, field, "\t")
	kind[++records] = field[2]
	argument[records] = field[3]
	rip[records] = field[4]
	if (field[2] != "pio")
		next
	split(field[3], word, " ")
	if (!(word[1] in port) || port[word[1]] != "LAB_SCENARIO")
		next
	if (word[2] != "0") {
		begin = records
		begins++
	} else if (!end) {
		end = records
	}
}

END {
	if (begins != 1)
		wrong(begins + 0 " scenarios begin in its trace, instead of one: ONLY names the one")
	for (last = end ? end : records; end && last > begin && kind[last] != "exit"; last--)
		;
	if (end)
		last--
	for (i = begin; i <= last && kind[i] != "user"; i++)
		;
	for (i++; i <= last; i++) {
		if (kind[i] == "exit")
			show_exit(i)
		else if (kind[i] == "entry")
			show_entry(i)
		else
			show_event(i)
	}
}
