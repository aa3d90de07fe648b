# SPDX-License-Identifier: BSD-2-Clause
# A trace of Intack, or of the KVM runner, as trace_text.c writes it, to records; fields parted by tabs:
#   microseconds kind argument rip
# Kinds: entry, exit, user (an exit to the user half), raise, lower, ack, stash, inject, eoi, accept (by the local APIC), armed,
# unarmed (a window that was wanted and is not armed), and what tells more of an exit: pio, mmio, msr.
# Before the trace comes the output of names.awk. -v half=user: the kernel half is somebody else's, who tells of it himself.
# Knows nothing of scenarios.

function value(name,    i) {
	for (i = 4; i <= NF; i++)
		if (index($i, name "=") == 1)
			return substr($i, length(name) + 2)
	wrong("no " name)
}

function wrong(why) {
	printf "trace: error: %s:%d: %s: %s\n", FILENAME, FNR, why, $0 >"/dev/stderr"
	exit 2
}

function named(table, number) {
	if (!((table, number) in names))
		wrong("the headers have no name for it")
	return names[table, number]
}

function record(kind, argument, rip) {
	printf "%.0f\t%s\t%s\t%s\n", time, kind, argument, rip
}

function again(name) {
	return value(name) != 0 ? " again" : ""
}

function exception(vector) {
	return vector in mnemonic ? "#" mnemonic[vector] : "exception " vector
}

# W is bit 0 of the state.
function window() {
	if (value("armed") == 1)
		record("armed")
	else if (value("state") ~ /[13579bdf]$/)
		record("unarmed")
}

# The wire of an ISA line goes to both controllers; it is the 8259's record that tells of it.
function wire(line) {
	if ($3 == "kvm_pic_set_irq:" || line + 0 >= ISA_LINES)
		record(value("level") == 1 ? "raise" : "lower", line)
}

BEGIN {
	ISA_LINES = 16
	split("0x0 DE 0x1 DB 0x3 BP 0x4 OF 0x5 BR 0x6 UD 0x7 NM 0x8 DF 0xa TS 0xb NP 0xc SS 0xd GP 0xe PF 0x10 MF 0x11 AC " \
	      "0x12 MC", pair, " ")
	for (i = 1; i in pair; i += 2)
		mnemonic[pair[i]] = pair[i + 1]
}

$1 ~ /^(exit|user|port)$/ {
	names[$1, $2] = $3
	next
}

!($1 ~ /^[0-9]+$/ && $2 ~ /^[0-9]+\.[0-9]+$/ && $3 ~ /:$/) { wrong("not a record") }

{ time = int(substr($2, 1, index($2, ".") - 1)) * 1000000 + int(substr($2, index($2, ".") + 1, 6)) }

$3 == "kvm_entry:" { record("entry", "", value("rip")); next }
$3 == "kvm_exit:" { record("exit", named("exit", value("reason")), value("rip")); next }
$3 == "kvm_userspace_exit:" { record("user", named("user", value("reason")) (value("ready") == 1 ? " ready" : "")); next }
$3 == "kvm_inj_virq:" { record("inject", value("vector") again("reinjected")); next }
$3 == "kvm_inj_nmi:" { record("nmi", "NMI" again("reinjected")); next }
$3 == "kvm_inj_exception:" { record("inject", exception(value("vector")) again("reinjected")); next }
$3 == "dm_stash:" { record("stash", value("vector") (value("result") == 0 ? "" : " refused")); next }
$3 == "irq_window:" { window(); next }
$3 == "kvm_apic_accept_irq:" { record("accept", value("vector")); next }
$3 == "kvm_eoi:" { if (half != "user") record("eoi", value("vector")); next }
$3 == "kvm_pic_set_irq:" || $3 == "kvm_ioapic_set_irq:" { wire(value("pin")); next }
$3 == "kvm_msi_set_irq:" { record("raise", "MSI " value("vector")); next }
$3 == "kvm_ack_irq:" { record("ack", value("vector") (value("intr") == 1 ? ", INTR still high" : "")); next }
$3 == "kvm_pio:" { record("pio", value("port") " " value("value")); next }
$3 == "kvm_mmio:" { record("mmio", value("gpa")); next }
$3 == "kvm_msr:" { record("msr", value("index")); next }
{ wrong("no such event") }
