/* SPDX-License-Identifier: BSD-2-Clause
 * The vCPU contract between the kernel half (vCPU, LAPIC) and the user half (PIC, PIT, I/O APIC): KVM_RUN's shape
 * and names, so that the same user half runs on our kernel half and on Linux KVM.
 * Knows nothing of how either half is built. */
#pragma once

#include "check.h"

/* Who owns the local APIC: the kernel half (KVM_CAP_SPLIT_IRQCHIP) or the user half (no in-kernel irqchip at all). */
enum irqchip_mode { IRQCHIP_SPLIT, IRQCHIP_USER };

enum vcpu_exit_reason {
	VCPU_EXIT_UNKNOWN,
	VCPU_EXIT_IO,
	VCPU_EXIT_MMIO,
	VCPU_EXIT_RDMSR,
	VCPU_EXIT_WRMSR,
	VCPU_EXIT_IRQ_WINDOW_OPEN,
	VCPU_EXIT_HLT,            /* user irqchip only: in split mode HLT stays in the kernel half */
	VCPU_EXIT_SHUTDOWN,       /* triple fault */
	VCPU_EXIT_INTR,           /* kicked: immediate_exit or the deadline (KVM: -EINTR) */
	VCPU_EXIT_SET_TPR,        /* user irqchip only: the guest lowered CR8 */
	VCPU_EXIT_IOAPIC_EOI,     /* split mode only: a vector of set_eoi_exits got its EOI */
	VCPU_EXIT_FAIL_ENTRY,
	VCPU_EXIT_INTERNAL_ERROR, /* the kernel half cannot emulate what the guest did */
	VCPU_EXIT_LIVELOCK,       /* window exit after window exit with nothing changing */
};

#define VCPU_IO_IN 0
#define VCPU_IO_OUT 1

enum vcpu_suberror {
	VCPU_ERROR_EMULATION = 1, /* instruction that touches MMIO and is not decoded */
	VCPU_ERROR_FETCH,         /* instruction fetch from a gpa that is not RAM */
	VCPU_ERROR_DELIVERY,      /* event delivery needs memory that is not RAM */
	VCPU_ERROR_EXIT,          /* exit reason without a handler */
	VCPU_ERROR_CHECK,         /* a condition of the kernel half's own does not hold */
};

struct vcpu_run {
	/* in */
	uint8_t request_interrupt_window; /* W */
	uint8_t immediate_exit;           /* finish pending I/O, then return with INTR */
	/* out */
	uint8_t ready_for_interrupt_injection;
	uint8_t if_flag; /* RFLAGS.IF, nothing else: no shadow, no stash */
	/* The instruction of this exit is complete, and all the above true, only after the next run, which may be one with
	 * immediate_exit. KVM says so of every operation (api.rst: "only after userspace has re-entered the kernel with
	 * KVM_RUN"). */
	uint8_t operation_pending;
	uint32_t exit_reason;
	uint64_t deadline;  /* in: return with INTR no later than this time (TIME_NEVER: never) */
	uint64_t cr8;       /* in and out, user irqchip only */
	uint64_t apic_base; /* in and out, user irqchip only */
	union {
		struct {
			uint8_t direction;
			uint8_t size; /* 1, 2 or 4 */
			uint16_t port;
			uint32_t data; /* in: the user half stores here before the next run */
		} io;
		struct {
			uint64_t phys_addr;
			uint8_t data[8];
			uint32_t len; /* 1, 2, 4 or 8 */
			uint8_t is_write;
		} mmio;
		struct {
			uint32_t index;
			uint8_t error; /* from the user half: 1 = inject #GP */
			uint64_t data;
		} msr;
		struct {
			uint8_t vector;
		} eoi;
		struct {
			uint64_t hardware_entry_failure_reason;
		} fail_entry;
		struct {
			uint32_t suberror;
			uint64_t data[2]; /* EMULATION: gpa; FETCH, DELIVERY: gpa; EXIT: vendor code, info */
			uint8_t insn_size, insn_bytes[15]; /* EMULATION */
			const struct check *check; /* CHECK */
		} internal;
		struct {
			uint64_t window_exits;
			uint64_t rip;
			int32_t lapic_vector; /* the pending vector that blocks readiness */
			int32_t rvi;          /* as the CPU has it, -1 without virtual-interrupt delivery */
		} livelock;
	};
};

/* The guest's TSC against time: ns = ((TSC - tsc0) * mult) >> 32. Used only by the local APIC's TSC-deadline mode. */
struct tsc_clock {
	uint64_t mult; /* 32.32 fixed point ns per tick */
	uint64_t tsc0; /* guest TSC at ns == 0 */
};

/* An interrupt message as the APIC bus carries it (KVM_SIGNAL_MSI). */
struct apic_msg {
	uint32_t dest;
	uint8_t vector;
	uint8_t delivery_mode; /* APIC_DM_* */
	bool dest_logical;
	bool level;
};

/* What happened so far, for verdicts that must not depend on time. The order is the ABI of the lab device. */
struct vcpu_stats {
	uint64_t exits;        /* hardware exits of any kind */
	uint64_t user_exits;   /* returns from run() */
	uint64_t window_exits; /* hardware interrupt-window exits */
	uint64_t preempt_exits; /* host interrupt or preemption-timer exits */
	uint64_t extint;       /* external interrupts handed to the CPU from the stash or the mailbox */
	uint64_t lapic;        /* LAPIC vectors handed to the CPU */
	uint64_t nmi;          /* NMIs handed to the CPU */
	uint64_t reinjected;   /* events handed to the CPU again because their delivery was cut short */
	uint64_t halts;
	uint64_t delivery_faults; /* event deliveries cut short by a nested page fault */
	uint64_t posted;       /* posted-interrupt notifications that the CPU processed, with no exit and no software */
};

struct vcpu_dump {
	uint64_t rip, rsp, rflags, cr0, cr2, cr3, cr4, efer;
	uint64_t gpr[16]; /* in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
	uint64_t cs_base;
	uint16_t cs, ss;
	bool halted, nmi_masked, shadow;
	int stash, lapic_pending;
};

/* The second of the two function tables: the kernel half as the user half sees it.
 * `h` is the implementation's own; `run` is shared memory as with KVM. */
struct vcpu_api {
	const char *name;
	/* KVM_RUN. Runs the guest until there is something for the user half; the reason is in run. */
	void (*run)(void *h);
	/* KVM_INTERRUPT. vector 0..255. Split: E_EXIST if the stash is full. User: overwrites, never fails.
	 * E_INVAL for a vector above 255. Success says nothing about IF or LVT0. */
	int (*interrupt)(void *h, uint32_t vector);
	/* KVM_NMI */
	void (*nmi)(void *h);
	/* KVM_GET_VCPU_EVENTS. Is an exception, an NMI that is not blocked or an interrupt on its way to the CPU? Then a HLT that
	 * came out of the kernel half does not wait. */
	bool (*has_event)(void *h);
	/* KVM_GET_MSRS of IA32_TSC, and KVM_GET_TSC_KHZ: the guest's TSC as it is now, which the guest may have written. */
	void (*get_tsc)(void *h, struct tsc_clock *out);
	/* KVM_GET_LAPIC, one register (APIC_*) of it. Split mode; 0 in user mode. */
	uint32_t (*get_lapic)(void *h, uint32_t reg);
	/* KVM_SIGNAL_MSI, split mode; E_NXIO in user mode. */
	int (*signal_msi)(void *h, const struct apic_msg *msg);
	/* The routes' level-triggered vectors: their EOI comes back as VCPU_EXIT_IOAPIC_EOI. Split mode. */
	void (*set_eoi_exits)(void *h, const uint64_t bitmap[4]);
	/* Drops the nested translation of [gpa, gpa + len): the next access faults in the nested tables.
	 * The memory keeps its contents. */
	void (*unmap)(void *h, gpa_t gpa, uint64_t len);
	/* The time now, ns. */
	uint64_t (*now)(void *h);
	void (*stats)(void *h, struct vcpu_stats *out);
	void (*dump)(void *h, struct vcpu_dump *out);
	/* Sleeps until `deadline` or a host event, whichever is first: a vCPU that is halted in user irqchip mode
	 * is not run. */
	void (*wait)(void *h, uint64_t deadline);
};
