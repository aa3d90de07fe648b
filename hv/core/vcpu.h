/* SPDX-License-Identifier: BSD-2-Clause
 * The kernel half: one vCPU, its event queue, its local APIC, and KVM_RUN over any hvm_ops.
 * Knows nothing of the 8259, and of the CPU only what hvm_ops says. */
#pragma once

#include "core/emulate.h"
#include "core/features.h"
#include "core/hvm.h"
#include "core/irq.h"
#include "core/lapic.h"
#include "status.h"
#include "trace.h"
#include "vcpu_run.h"

#define STASH_EMPTY (-1)
#define VECTOR_NONE (-1)
/* Window exits in a row, with the same RIP and the same pending vector, that make a livelock. Real windows move RIP. */
#define LIVELOCK_EXITS 10000

/* Guest memory: [0, size) of guest-physical addresses, contiguous in the host. */
struct ram {
	uint8_t *base;
	uint64_t size;
};
/* The pointer behind [gpa, gpa + len), NULL unless all of it is RAM. */
void *ram_at(const struct ram *r, gpa_t gpa, uint64_t len);

/* Events on their way to the CPU. "injected" is KVM's word: committed, must be delivered before anything else. */
struct events {
	struct {
		bool pending, injected;
		uint8_t vector;
		bool has_error;
		uint32_t error;
		uint64_t dr6; /* bits that a pending #DB sets when it is injected */
		bool db_behind; /* a #DB that the delivery of this one has raised */
	} exc;
	struct {
		uint8_t pending; /* 0..1 while NMIs are blocked, "latched once" */
		bool injected;
	} nmi;
	struct {
		bool injected;
		uint8_t vector;
	} intr;
	int stash;             /* vector of KVM_INTERRUPT in split mode, or STASH_EMPTY */
	enum event_type handed; /* what this entry carries */
	bool shutdown;          /* a fault on the way to the double fault's handler */
};

enum pending_op { OP_NONE, OP_IN, OP_EMULATE, OP_RDMSR, OP_WRMSR };

struct vcpu {
	struct hvm_regs regs; /* first: the entry code finds it at offset 0 */
	const struct hvm_ops *ops;
	void *hw;             /* the backend's own */
	enum irq_rule rule;
	enum irqchip_mode mode;
	struct vcpu_run run;
	struct events ev;
	struct check check;
	bool vid_wanted;
	bool post_wanted;     /* messages are posted while VID is on */
	bool vid_held;        /* by the backend: software delivers for now, as where KVM inhibits APICv */
	enum hvm_vid vid;     /* as the backend was told: V of the rule */
	struct lapic lapic;   /* split mode; in the other its page still holds the TPR that CR8 shows */
	struct ram ram;
	struct tsc_clock tsc;
	uint64_t eoi_exits[4];
	uint64_t now;
	bool halted;
	struct features features;
	struct {
		enum pending_op op;
		uint8_t insn_len;
	} io;
	struct emu emu;
	struct {
		uint64_t exits; /* window exits in a row that found the same; 0: the last exit was none */
		struct window_state {
			uint64_t rip, delivered;
			int lapic_vector, stash;
			struct hvm_regs regs;
		} state;
		bool known;
	} livelock;
	uint64_t pat, misc_enable, xcr0, tsc_adjust;
	uint64_t msr[MSR_ROWS]; /* what the plain ones hold, by the table's rows */
	struct vcpu_stats stats;
	uint64_t exit_counts[HVM_EXITS];
	struct trace *trace;  /* NULL: off */
};

struct vcpu_config {
	enum irq_rule rule;
	enum irqchip_mode mode;
	bool vid;          /* deliver by virtual-interrupt delivery where the mode and the guest's LAPIC allow it */
	bool post;         /* with vid: by posted interrupts, if the message is an edge */
	struct ram ram;
	uint64_t tsc_mult; /* struct tsc_clock */
	uint64_t tsc0;
	struct trace *trace;
};

/* hw must be ready: the reset writes guest state through ops. */
void vcpu_init(struct vcpu *v, const struct hvm_ops *ops, void *hw, const struct vcpu_config *cfg);
/* Multiboot-1 entry state: 32-bit flat protected mode, paging off. */
void vcpu_set_entry(struct vcpu *v, uint32_t eip, uint32_t eax, uint32_t ebx);

/* The contract over a native vCPU; h is a struct vcpu. */
extern const struct vcpu_api vcpu_native_api;

/* --- between the files of the kernel half --- */

/* vcpu.c: an instruction that the user half does its part of; vcpu_complete_io() does the rest, if any (OP_NONE). */
void vcpu_leave_open(struct vcpu *v, enum pending_op op);

/* events.c */
struct irq_view vcpu_irq_view(const struct vcpu *v);
bool vcpu_ready(const struct vcpu *v);
void vcpu_queue_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
void vcpu_queue_gp(struct vcpu *v);
/* Whether the manuals let it be injected. SDM v3, "Checks on VM-Entry Control Fields"; APM v2, "Event Injection". */
bool vcpu_event_allowed(const struct event *e, bool protected_mode);
/* Gives the CPU at most one event, arms the windows; returns whether the entry must exit at once. */
bool vcpu_inject(struct vcpu *v);
/* After the exit: what was handed over is delivered, unless the exit says that it was cut short. */
void vcpu_complete_injection(struct vcpu *v, const struct hvm_exit *x);
/* Would a halted vCPU wake? */
bool vcpu_has_wake_event(const struct vcpu *v);

/* exits.c: returns true when the user half must be told (run is filled). */
bool vcpu_handle_exit(struct vcpu *v, const struct hvm_exit *x);
/* Finishes what the last return to the user half left open. Returns true to return to the user half again
 * (the write half of a read-modify-write). */
bool vcpu_complete_io(struct vcpu *v);
bool vcpu_exit_to_user(struct vcpu *v, enum vcpu_exit_reason reason);
bool vcpu_internal_error(struct vcpu *v, enum vcpu_suberror why, uint64_t a, uint64_t b);

/* debug.c. dr6: the breakpoints that the instruction has hit. */
enum debug_access { DEBUG_READ, DEBUG_WRITE, DEBUG_IO };
uint64_t vcpu_breakpoints(const struct vcpu *v, enum debug_access how, uint64_t at, uint8_t len);
/* Past the instruction at RIP; owes a #DB where the CPU would raise one behind it. */
void vcpu_skip(struct vcpu *v, uint8_t len, uint64_t dr6);
/* The same behind an iteration that is not the last: RIP stays. */
void vcpu_iterate(struct vcpu *v, uint64_t dr6);

/* cpuid.c, msr.c: the CPU that the guest sees. msr: 0, or E_INVAL for #GP, or E_NXIO: the user half's. */
void vcpu_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
/* The MSRs as after reset. */
void vcpu_reset_msrs(struct vcpu *v);
int vcpu_read_msr(struct vcpu *v, uint32_t msr, uint64_t *val);
int vcpu_write_msr(struct vcpu *v, uint32_t msr, uint64_t val);
