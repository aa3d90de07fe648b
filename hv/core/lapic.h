/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC, xAPIC and x2APIC: messages and register accesses in, a pending vector, an NMI and EOIs out.
 * Knows nothing of the CPU that takes the vector, nor of the 8259 except whether LINT0 lets it through. */
#pragma once

#include "vcpu_run.h"

#define LAPIC_VECTORS 256
#define APIC_FIRST_VALID_VECTOR 16
#define LAPIC_SIZE 0x1000
#define LAPIC_WORDS (LAPIC_SIZE / 4)
/* Bus clock of the timer: one count at divide-by-1 is one nanosecond, as KVM's APIC_BUS_CYCLE_NS. */
#define LAPIC_TIMER_NS 1ull
#define LAPIC_VERSION 0x14
#define LAPIC_MAX_LVT 5 /* six entries, 0..5 */

/* SDM v3, "Format of Posted-Interrupt Descriptor". It is to be 64-byte aligned; Bochs 3.0 refuses all but a page's start. */
struct posted_desc {
	uint32_t pir[LAPIC_VECTORS / 32]; /* posted-interrupt requests: one bit a vector */
	uint32_t notification;            /* bit 0: outstanding notification */
	uint32_t available[7];            /* "may be used by software and by other agents in the system" */
};
#define POSTED_OUTSTANDING 1u

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERFMON, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

struct lapic {
	/* The registers as the guest reads them, at their xAPIC offsets: the CPU's virtual-APIC page. IRR, ISR, TMR, TPR and
	 * ICR live here and nowhere else: with virtual-interrupt delivery the CPU changes them and does not tell. Of all
	 * others this is the copy that the CPU gives the guest; ours are below. */
	_Alignas(LAPIC_SIZE) uint32_t page[LAPIC_WORDS];
	/* Messages that the CPU is to move into IRR by itself. The rest of its page is ours. */
	_Alignas(LAPIC_SIZE) struct posted_desc posted;
	bool changed;           /* software has changed IRR or ISR since it was last cleared */
	uint64_t base;          /* IA32_APIC_BASE */
	uint32_t id;            /* xAPIC: bits 31:24 of the register; kept here as the plain ID */
	uint32_t reset_id;      /* what id returns to in x2APIC mode and after a global disable */
	uint32_t svr, ldr, dfr, esr, esr_pending;
	uint32_t lvt[LVT_COUNT];
	uint32_t timer_initial, timer_divide;
	uint64_t timer_deadline; /* ns of the next expiry, TIME_NEVER when stopped */
	uint64_t tsc_deadline;  /* IA32_TSC_DEADLINE as the guest reads it; 0 = disarmed */
	bool nmi;               /* an NMI waits to be taken by lapic_take_nmi() */
	bool lint0_level;       /* the wire, for lapic_set_lint0(): true is asserted, whatever the polarity bit */
	uint8_t lint0_vector;   /* whose EOI clears LVT0's Remote IRR */
	int eoi_broadcast;      /* vector whose EOI goes to the I/O APIC, -1 none: lapic_take_eoi() */
	bool bsp;
};

/* KVM's reset state for the BSP: LVT0 = ExtINT, unmasked (the virtual wire that firmware leaves behind);
 * everything else architectural. */
void lapic_reset(struct lapic *l, uint32_t id, bool bsp);

/* P of the rule: APICBASE.EN=0, or LVT0 unmasked in ExtINT mode. SVR is not consulted. */
bool lapic_accepts_extint(const struct lapic *l);
/* Highest vector in IRR or posted whose class is above PPR's, -1 if none or the APIC is globally disabled. Changes nothing. */
int lapic_pending(const struct lapic *l);
/* Highest vector in IRR whatever PPR says, -1 if none; one that is posted is not there yet. */
int lapic_highest_irr(const struct lapic *l);
/* Highest vector in ISR, -1 if none. */
int lapic_highest_isr(const struct lapic *l);
uint8_t lapic_tpr(const struct lapic *l);
/* IRR to ISR: call only with what lapic_pending() answered, after the CPU took it. */
void lapic_accept(struct lapic *l, uint8_t vector);
/* A message from the I/O APIC, an MSI or an IPI that has this APIC among its destinations or not. Returns whether it
 * matched. SMI, INIT, SIPI and ExtINT messages match and do nothing: there is no SMM, the only CPU is not to be reset
 * under the guest's feet, and KVM drops ExtINT messages too. */
bool lapic_deliver(struct lapic *l, const struct apic_msg *msg);
/* The same, but an edge-triggered vector goes into the posted-interrupt descriptor instead of into IRR. */
bool lapic_post(struct lapic *l, const struct apic_msg *msg);
/* Whether the CPU has yet to process the descriptor. */
bool lapic_has_posted(const struct lapic *l);
/* Software does it: from the descriptor into IRR. */
void lapic_take_posted(struct lapic *l);
/* Whether a destination, as wide as the mode's own (8 or 32 bits), names this APIC. */
bool lapic_matches(const struct lapic *l, uint32_t dest, bool logical);
/* LINT0 wired to the 8259 (user irqchip only: the split contract has no such wire). Fixed and NMI modes act;
 * ExtINT mode does nothing here, lapic_accepts_extint() is asked instead. */
void lapic_set_lint0(struct lapic *l, bool high);
/* Each answers once: the NMI, or the vector whose EOI is to be broadcast (-1 none). */
bool lapic_take_nmi(struct lapic *l);
int lapic_take_eoi(struct lapic *l);

/* Runs the timer up to now (ns). */
void lapic_advance(struct lapic *l, uint64_t now);
/* When the timer delivers next, TIME_NEVER if it is stopped or masked: a masked timer counts on, but wakes nobody. */
uint64_t lapic_deadline(const struct lapic *l);

uint8_t lapic_cr8(const struct lapic *l);            /* TPR bits 7:4 */
void lapic_set_cr8(struct lapic *l, uint8_t cr8);
uint32_t lapic_ppr(const struct lapic *l);

/* xAPIC page; offset 0..0xfff, 32-bit accesses at multiples of 16. Others read 0 and are dropped, as is everything
 * while the APIC is not in xAPIC mode. */
uint32_t lapic_read(struct lapic *l, uint32_t offset, uint64_t now);
void lapic_write(struct lapic *l, uint32_t offset, uint32_t val, uint64_t now);
/* What a CPU with APIC-register virtualization and virtual-interrupt delivery leaves to us. The guest has written the
 * register at this offset, and the page holds the value: do what the write means. */
void lapic_written(struct lapic *l, uint32_t offset, uint64_t now);
/* The CPU has taken the vector out of ISR: the rest of its EOI. */
void lapic_eoi_virtualized(struct lapic *l, uint8_t vector);
/* IA32_APIC_BASE, x2APIC registers, IA32_TSC_DEADLINE. Return 0, or E_INVAL: the caller injects #GP(0).
 * clk is read for IA32_TSC_DEADLINE only. If the guest TSC jumps, write l->tsc_deadline back with the new clock. */
int lapic_read_msr(struct lapic *l, uint32_t msr, uint64_t *val, uint64_t now);
int lapic_write_msr(struct lapic *l, uint32_t msr, uint64_t val, uint64_t now, const struct tsc_clock *clk);
bool lapic_owns_msr(uint32_t msr);
