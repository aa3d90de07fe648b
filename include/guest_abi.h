/* SPDX-License-Identifier: BSD-2-Clause
 * What a guest may rely on besides the PC: the lab device, the exit port, the words of the command line.
 * Knows nothing of the hypervisor's inside. */
#pragma once

#include <stdint.h>

/* Exit port, as QEMU's isa-debug-exit: the byte written is the guest's exit status. */
#define EXIT_PORT 0xf4
/* Bochs' shutdown port: the string "Shutdown", byte by byte. */
#define BOCHS_EXIT_PORT 0x8900

/* The lab device: interrupts raised synchronously, one port write each, so that the order of events is exact.
 * All ports take the width named here; a read of LAB_MAGIC_PORT tells whether the device is there. */
#define LAB_BASE 0x0600
#define LAB_MAGIC_PORT (LAB_BASE + 0x00) /* r32: LAB_MAGIC */
#define LAB_MAGIC 0x42414c49u            /* "ILAB" */
#define LAB_UP (LAB_BASE + 0x04)         /* w16: mask of ISA lines 0..15 to drive high */
#define LAB_DOWN (LAB_BASE + 0x06)       /* w16: mask of lines to drive low */
#define LAB_PULSE (LAB_BASE + 0x08)      /* w16: mask of lines: low, then high: a new edge each; they stay high */
#define LAB_IOAPIC_UP (LAB_BASE + 0x0a)  /* w16: I/O APIC pin 16..23 to drive high (these have no 8259 input) */
#define LAB_IOAPIC_DOWN (LAB_BASE + 0x0c) /* w16: the same pin low */
#define LAB_NMI (LAB_BASE + 0x0e)        /* w8: one NMI, at once */
/* w16: mask of lines that fall between the user half's look at INTR and its INTA cycle, at the next INTA:
 * the interrupt is requested and gone when it is acknowledged. */
#define LAB_DROP_BEFORE_INTA (LAB_BASE + 0x10)
/* w32: the next command written to UP, DOWN, PULSE, NMI happens this many microseconds later, not now. */
#define LAB_DELAY (LAB_BASE + 0x14)
/* w32: page number of a guest page whose nested translation is dropped: its next access faults in the nested tables */
#define LAB_UNMAP (LAB_BASE + 0x18)
/* w8: select a counter (enum lab_counter); then LAB_COUNTER r32 reads its low half, LAB_COUNTER + 4 its high half.
 * The values are a snapshot taken at the select; the exit of the select itself is included. */
#define LAB_COUNTER_SELECT (LAB_BASE + 0x1c)
#define LAB_COUNTER (LAB_BASE + 0x20)
/* w8: no effect but the exit itself: "any unrelated exit" */
#define LAB_NOP (LAB_BASE + 0x28)
/* w32: guest-physical address of a struct lab_scenario: a scenario begins; 0: it ended */
#define LAB_SCENARIO (LAB_BASE + 0x2c)
/* w32: for the next raise commands, raise on the n-th INTA from now on instead of at once (the mask follows by LAB_UP
 * or LAB_PULSE): the line rises while an acknowledge is in progress. 0: at once again. */
#define LAB_AT_INTA (LAB_BASE + 0x30)
#define LAB_PORTS 0x40

enum lab_counter {
	LAB_EXITS,
	LAB_USER_EXITS,
	LAB_WINDOW_EXITS,
	LAB_PREEMPT_EXITS,
	LAB_EXTINT,
	LAB_LAPIC,
	LAB_NMIS,
	LAB_REINJECTED,
	LAB_HALTS,
	LAB_DELIVERY_FAULTS,
	LAB_POSTED,   /* posted-interrupt notifications that the CPU processed */
	LAB_INTAS,    /* INTA cycles run by the user half */
	LAB_WINDOWS,  /* VCPU_EXIT_IRQ_WINDOW_OPEN seen by the user half */
	LAB_REFUSED,  /* KVM_INTERRUPT refused with EEXIST */
	LAB_SPURIOUS, /* INTA cycles that returned a spurious vector */
	LAB_COUNTERS
};

/* So that a scenario that never returns still gets its name, its verdict and its deadline. */
struct lab_scenario {
	uint32_t index;       /* KTAP number, from 1 */
	uint32_t deadline_ms; /* 0: none but the run's */
	char name[64];        /* NUL-terminated */
	char expect[16];      /* the failure that is expected, or "" */
};

/* Words of the command line that Intack hands to its own suite:
 * rule=legacy|stash|boundary|rearm irqchip=split|user vid=on|off l0=NAME seed=N only=GLOB first=N */
