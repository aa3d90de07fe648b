# SPDX-License-Identifier: BSD-2-Clause
# Names of what a trace has as numbers, out of the headers (guest_abi.h, vcpu_run.h, hvm.h); fields parted by tabs:
#   exit NUMBER name     why the hardware left the guest
#   user NUMBER name     why the kernel half left to the user half
#   port 0xNUMBER NAME   of the lab device
# Knows nothing of traces.

function hex(s,    i, n) {
	s = tolower(s)
	sub(/^0x/, "", s)
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return n + 0
}

BEGIN { OFS = "\t" }

/^enum hvm_exit_kind / { kind = "exit"; prefix = "HVM_EXIT_"; number = 0; next }
/^enum vcpu_exit_reason / { kind = "user"; prefix = "VCPU_EXIT_"; number = 0; next }
/^};/ { kind = "" }

kind != "" && match($1, /^[A-Z_0-9]+/) {
	name = substr($1, 1, RLENGTH)
	if (sub("^" prefix, "", name))
		print kind, number++, tolower(name)
}

$1 == "#define" && $2 == "LAB_BASE" { base = hex($3) }
$1 == "#define" && $3 == "(LAB_BASE" { sub(/\).*/, "", $5); print "port", sprintf("0x%x", base + hex($5)), $2 }
