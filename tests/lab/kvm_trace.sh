#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# kvm_trace.sh FILE COMMAND...: runs COMMAND and writes to FILE what KVM's tracepoints say of it meanwhile, as tracefs prints
# it, with CLOCK_MONOTONIC for the time: the KVM runner's own trace has the same clock. Wants root, and tracefs.
# Takes from the environment: TRACEFS.
# Exit status: COMMAND's, or 125 nothing was recorded.
set -u
TRACEFS=${TRACEFS:-/sys/kernel/tracing}
# Those that tests/run/trace/tracepoints.awk reads, and some for the reader of FILE.
needed='kvm_entry kvm_exit kvm_userspace_exit kvm_inj_virq'
wanted="$needed kvm_inj_exception kvm_apic_accept_irq kvm_apic_ipi kvm_eoi kvm_msr kvm_pio kvm_ack_irq"
buffer_kb=65536

error() {
	echo "kvm_trace: error: $*" >&2
	exit 125
}

[ $# -ge 2 ] || error "usage: kvm_trace.sh FILE COMMAND..."
file=$1
shift
[ -d "$TRACEFS/events" ] || error "$TRACEFS: no tracefs is mounted here"
for event in $needed; do
	[ -e "$TRACEFS/events/kvm/$event/enable" ] || error "this KVM has no tracepoint $event"
done

# FILE of tracefs: VALUE
tell() {
	echo "$2" 2>/dev/null >"$TRACEFS/$1" || error "$TRACEFS/$1: does not take '$2'"
}

events() { # 0 or 1
	for event in $wanted; do
		[ ! -e "$TRACEFS/events/kvm/$event/enable" ] || tell "events/kvm/$event/enable" "$1"
	done
}

tell tracing_on 0
tell trace_clock mono
tell buffer_size_kb $buffer_kb
tell trace ''
events 1
tell tracing_on 1
# Other machines may run beside it. The process that is to be recorded writes its own number, then becomes COMMAND.
# shellcheck disable=SC2016 # expanded there
sh -c 'echo $$ >"$0" && exec "$@"' "$TRACEFS/set_event_pid" "$@"
status=$?
tell tracing_on 0
events 0
cat "$TRACEFS/trace" >"$file" || error "$file: cannot be written"
tell set_event_pid ''
tell trace ''
exit $status
