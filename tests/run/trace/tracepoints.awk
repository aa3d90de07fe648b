# SPDX-License-Identifier: BSD-2-Clause
# KVM's tracepoints, as tracefs prints them, to the records of records.awk. Two kinds are left out by the merge: an exit to the
# user half is the KVM runner's to tell, as ports are; its KVM half, `left`, says when the runner's events can have been.
# Knows nothing of the runner.

function wrong(why) {
	printf "trace: error: %s:%d: %s: %s\n", FILENAME, FNR, why, $0 >"/dev/stderr"
	exit 2
}

function record(kind, argument, rip) {
	printf "%.0f\t%s\t%s\t%s\n", time, kind, argument, rip
}

# The word behind this one.
function after(word,    i) {
	for (i = at; i < NF; i++)
		if ($i == word)
			return $(i + 1)
	wrong("no " word)
}

function plain_hex(s) {
	sub(/^0x/, "", s)
	sub(/[^0-9a-f].*/, "", s) # `rip 0x100d[immediate exit]`
	sub(/^0+/, "", s)
	return "0x" (s == "" ? "0" : s)
}

# In words of Intack's enum hvm_exit_kind where it has one.
function reason(    s) {
	s = $0
	sub(/^.* reason /, "", s)
	sub(/ rip 0x.*/, "", s)
	if (s == "msr")
		return after("info1") ~ /[1-9a-f]/ ? "wrmsr" : "rdmsr"
	if (s ~ /^write_cr[0-9]+$/)
		return "cr_write"
	if (s ~ / excp$/)
		return tolower(substr(s, 1, index(s, " ") - 1))
	return s in common ? common[s] : tolower(s)
}

# `IRQ 0x23`, `Soft/INTn 0x23`, `IRQ 0x23 [reinjected]`
function injected(    s) {
	return plain_hex(tolower($(at + 2))) (/\[reinjected\]/ ? " again" : "")
}

BEGIN {
	split("interrupt intr nmi intr vintr window iret nmi_window wbinvd nop invd nop " \
	      "EXTERNAL_INTERRUPT intr PREEMPTION_TIMER intr PENDING_INTERRUPT window INTERRUPT_WINDOW window " \
	      "IO_INSTRUCTION io MSR_READ rdmsr MSR_WRITE wrmsr CR_ACCESS cr_write EPT_VIOLATION npf EPT_MISCONFIG npf " \
	      "APIC_ACCESS npf TRIPLE_FAULT shutdown TPR_BELOW_THRESHOLD tpr EOI_INDUCED eoi WBINVD nop INVD nop " \
	      "EXCEPTION_NMI exception", pair, " ")
	for (i = 1; i in pair; i += 2)
		common[pair[i]] = pair[i + 1]
}

# All of it, or none: what is missing would look like a difference.
/^# entries-in-buffer\/entries-written:/ {
	split($3, entries, "/")
	if (entries[1] != entries[2])
		wrong("the buffer was too small")
}
/LOST [0-9]* EVENTS/ { wrong("events are lost") }
/^#/ || /^$/ { next }

# TASK-PID [CPU] FLAGS SECONDS: EVENT: ...; a task's name may hold blanks.
{
	for (at = 1; at < NF && !($at ~ /^[0-9]+\.[0-9]+:$/ && $(at + 1) ~ /:$/); at++)
		;
	if (at == NF)
		wrong("not a tracepoint")
	time = int(substr($at, 1, index($at, ".") - 1)) * 1000000 + int(substr($at, index($at, ".") + 1, 6))
	at++
}

$at == "kvm_entry:" {
	record("entry", index($0, "[immediate exit]") ? "[immediate exit]" : "", plain_hex(after("rip")))
	next
}
$at == "kvm_exit:" { record("exit", reason(), plain_hex(after("rip"))); next }
$at == "kvm_userspace_exit:" { record("left", ""); next }
$at == "kvm_inj_virq:" { record("inject", injected()); next }
$at == "kvm_inj_exception:" { record("inject", $(at + 1) (/\[reinjected\]/ ? " again" : "")); next }
$at == "kvm_apic_accept_irq:" { record("accept", sprintf("0x%x", after("vec"))); next }
$at == "kvm_eoi:" { record("eoi", sprintf("0x%x", after("vector"))); next }
$at == "kvm_msr:" { record("msr", plain_hex($(at + 2))); next }
