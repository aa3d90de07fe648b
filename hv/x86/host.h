/* SPDX-License-Identifier: BSD-2-Clause
 * The machine beneath the hypervisor: taken over from the firmware for one run, with its interrupts and a one-shot
 * timer, and given back as it was.
 * Knows nothing of guests, nor of the firmware's services. */
#pragma once

#include <stdalign.h>
#include <stdnoreturn.h>

#include "types.h"
#include "x86/host_nmi.h"
#include "x86/insn.h"
#include "x86/lapic_hw.h"

/* Selectors of our GDT. */
#define HOST_CS 0x08
#define HOST_DS 0x10
#define HOST_TSS 0x18

/* Our vectors are in the highest priority class and TPR lets only that class through: an interrupt of the firmware's
 * own devices stays in IRR for the whole run and is delivered to the firmware's IDT after host_giveback(). */
#define HOST_TIMER_VECTOR 0xf0
#define HOST_KICK_VECTOR 0xf1
#define HOST_POST_VECTOR 0xf2 /* the notification of posted interrupts */
#define HOST_SPURIOUS_VECTOR 0xff
#define HOST_TPR 0xe0

struct host_clock {
	uint64_t tsc_khz;
	uint64_t lapic_khz; /* of the timer at divide-by-1 */
};

/* What host_entry.S leaves on the stack. */
struct host_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define HOST_IDT_ENTRIES 256
#define HOST_IST_SIZE 4096
#define HOST_LVTS 7
#define HOST_MSRS 12
#define HOST_FXSAVE_SIZE 512

struct host_gate {
	uint64_t lo, hi;
};

/* "64-Bit TSS Format" */
struct host_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iopb;
} __attribute__((packed));

enum host_ist { HOST_IST_DF, HOST_IST_NMI, HOST_IST_MC, HOST_ISTS };

/* Everything that belongs to the firmware. */
struct host_saved {
	alignas(16) uint8_t fxsave[HOST_FXSAVE_SIZE];
	uint64_t rflags, cr0, cr3, cr4;
	uint64_t dr[4], dr6, dr7;
	struct table_ptr gdt, idt;
	uint16_t cs, ds, es, fs, gs, ss, ldt, tr;
	uint64_t msr[HOST_MSRS];
	uint64_t hsave; /* VM_HSAVE_PA, where there is SVM */
	uint64_t debugctl; /* where there is one */
	bool has_debugctl;
	uint8_t pic_mask[2];
	struct {
		uint32_t svr, tpr, divide, initial, current;
		uint32_t lvt[HOST_LVTS];
		uint64_t tsc_deadline;
	} lapic;
};

struct host {
	struct host_clock clock; /* in: filled before host_takeover() */
	uint64_t tsc0, mult;     /* ns since takeover = ((tsc - tsc0) * mult) >> 32 */
	uint64_t timer_mult;     /* timer counts = (ns * timer_mult) >> 32 */
	uint64_t armed;          /* the time that the timer is set to, TIME_NEVER if it does not run */
	/* Interrupts that the hypervisor itself has taken. */
	struct {
		uint64_t timer, kick, post, nmi, other, spurious;
	} seen;
	bool has_svm;
	struct lapic_hw lapic;
	struct host_nmi nmi;
	struct host_saved saved;
	alignas(16) uint64_t gdt[5];
	alignas(16) struct host_tss tss;
	alignas(16) struct host_gate idt[HOST_IDT_ENTRIES];
	alignas(16) uint8_t ist[HOST_ISTS][HOST_IST_SIZE];
};

/* Takes the machine: IF=0, our GDT, TSS and IDT, 8259s and LVTs masked, the LAPIC timer ours. The firmware's
 * page tables stay. h must keep its address until host_giveback(); all of it but the clock is overwritten.
 * E_INVAL: a frequency is 0. E_NODEV: no usable local APIC, or its timer does not interrupt; the machine is the
 * firmware's again. */
int host_takeover(struct host *h);
/* What no entry loads and no exit stores is the guest's while it runs: the FPU and DR0 to DR3. As after reset, for the next. */
void host_fresh_guest(void);
/* Puts everything back. What cannot be put back is a TR that was null: no instruction loads it, so TR keeps our
 * selector; the firmware has no use for it then. */
void host_giveback(struct host *h);

/* Whether NMI, #DF and #MC switch stacks. A backend that lets the guest's TR stay loaded turns it off: the stacks are
 * found through TR. */
void host_use_ist(struct host *h, bool use);

/* ns since takeover. */
uint64_t host_now(const struct host *h);
/* Timer interrupt no later than this time; it may come earlier (the counter has 32 bits, and an earlier deadline that
 * is armed already stays). Once it has come nothing is armed. */
void host_timer_arm(struct host *h, uint64_t deadline);
/* Takes what is pending. */
void host_take_interrupts(struct host *h);
/* Halts until the deadline or any interrupt other than our timer's. */
void host_halt_until(struct host *h, uint64_t deadline);
/* HOST_KICK_VECTOR to ourselves, and it has arrived: the next VM entry exits at once. */
void host_self_ipi(struct host *h);
/* An NMI to ourselves. */
void host_self_nmi(struct host *h);
/* HOST_POST_VECTOR to ourselves, and it has arrived: the next VM entry finds it pending. */
void host_self_post(struct host *h);
/* An interrupt that a VM exit has acknowledged: what its handler would do. */
void host_dispatch(struct host *h, uint8_t vector);

/* For MSRs that this CPU may lack, between takeover and giveback. E_NODEV: #GP. */
int host_rdmsr_safe(uint32_t index, uint64_t *v);
int host_wrmsr_safe(uint32_t index, uint64_t v);

/* Our own fault, beyond repair: `# intack: panic: ...` to COM1, then the end of the emulator or of the machine. */
noreturn void host_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
