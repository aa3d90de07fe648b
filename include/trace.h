/* SPDX-License-Identifier: BSD-2-Clause
 * Trace records: 32 bytes each, one list of events, the same on the hypervisor, the KVM runner and the fake CPU,
 * so that two traces can be laid side by side. Event names are KVM's where KVM has one.
 * Knows nothing of who reads the buffer. */
#pragma once

#include "types.h"

/* X(name, "format of a and b") */
#define TRACE_EVENTS(X)                                          \
	X(kvm_entry, "rip=%#llx inject=%#llx")                   \
	X(kvm_exit, "reason=%llu rip=%#llx")                     \
	X(kvm_userspace_exit, "reason=%llu ready=%llu")          \
	X(kvm_inj_virq, "vector=%#llx reinjected=%llu")          \
	X(kvm_inj_nmi, "reinjected=%llu")                        \
	X(kvm_inj_exception, "vector=%#llx reinjected=%llu")     \
	X(dm_stash, "vector=%#llx result=%lld")                  \
	X(irq_window, "armed=%llu state=%#llx")                  \
	X(kvm_apic_accept_irq, "vector=%#llx mode=%llu")         \
	X(kvm_eoi, "vector=%#llx")                               \
	X(kvm_pic_set_irq, "pin=%llu level=%llu")                \
	X(kvm_ioapic_set_irq, "pin=%llu level=%llu")             \
	X(kvm_msi_set_irq, "vector=%#llx mode=%llu")             \
	X(kvm_ack_irq, "vector=%#llx intr=%llu")                 \
	X(kvm_pio, "port=%#llx value=%#llx")                     \
	X(kvm_mmio, "gpa=%#llx value=%#llx")                     \
	X(kvm_msr, "index=%#llx value=%#llx")

enum trace_event {
#define X(name, fmt) TRACE_##name,
	TRACE_EVENTS(X)
#undef X
	TRACE_MAX
};

struct trace_rec {
	uint64_t time; /* ns */
	uint32_t event;
	uint32_t seq;
	uint64_t a, b;
};
_Static_assert(sizeof(struct trace_rec) == 32, "a trace record is 32 bytes");

/* A ring that the owner provides; `next` counts all records ever written. */
struct trace {
	struct trace_rec *ring;
	uint32_t size; /* records in ring, a power of two */
	uint32_t next;
	uint64_t now;
};

static inline void trace_add(struct trace *t, enum trace_event e, uint64_t a, uint64_t b)
{
	if (__builtin_expect(!t, 1))
		return;
	t->ring[t->next & (t->size - 1)] =
		(struct trace_rec){ .time = t->now, .event = e, .seq = t->next, .a = a, .b = b };
	t->next++;
}
