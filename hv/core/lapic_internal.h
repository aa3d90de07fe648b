/* SPDX-License-Identifier: BSD-2-Clause
 * What the files of the local APIC share: its events, its timer registers, its register file, the page.
 * Knows nothing that anybody outside hv/core/lapic*.c may rely on. */
#pragma once

#include "core/lapic.h"
#include "x86.h"

#define APIC_REG_STRIDE 16u
#define APIC_VECTOR_FIELD MASK(7, 0)
#define APIC_DM_MASK MASK(10, 8)
#define APIC_TIMER_MODE_MASK MASK(18, 17)
/* Bits that software can set. Reserved bits: xAPIC drops them, x2APIC answers with #GP. */
#define APIC_TPR_WRITABLE ((uint32_t)MASK(7, 0))
#define APIC_SVR_WRITABLE \
	((uint32_t)(APIC_VECTOR_FIELD | APIC_SVR_ENABLE | APIC_SVR_FOCUS_DISABLE | APIC_SVR_DIRECTED_EOI))
#define APIC_SVR_RESET ((uint32_t)MASK(7, 0))
#define APIC_TIMER_DIVIDE_WRITABLE ((uint32_t)(MASK(1, 0) | BIT(3)))
#define APIC_ICR_COMMAND \
	(APIC_VECTOR_FIELD | APIC_DM_MASK | APIC_ICR_LOGICAL | APIC_ICR_ASSERT | APIC_ICR_LEVEL | MASK(19, 18))
#define APIC_ICR_DEST_XAPIC MASK(63, 56)
#define APIC_ICR_DEST_X2APIC MASK(63, 32)
/* Read-only status bits of an LVT entry: writes neither change them nor fault. */
#define APIC_LVT_STATUS (APIC_LVT_PENDING | APIC_LVT_REMOTE_IRR)
#define ICR_HALF(v) ((uint32_t)GET_FIELD(31, 0, v))
#define ICR_HIGH_HALF(v) ((uint32_t)GET_FIELD(63, 32, v))
#define TO_ICR_HIGH(v) FIELD(63, 32, v)

static inline bool lapic_is_enabled(const struct lapic *l) { return l->base & APIC_BASE_EN; }
static inline bool lapic_is_x2apic(const struct lapic *l) { return l->base & APIC_BASE_EXTD; }

/* A register in the page; offset is the register's own in the xAPIC page. */
static inline uint32_t lapic_get(const struct lapic *l, uint32_t offset)
{
	return l->page[offset / sizeof(*l->page)];
}

static inline void lapic_set(struct lapic *l, uint32_t offset, uint32_t val)
{
	l->page[offset / sizeof(*l->page)] = val;
}

/* Both halves of the ICR have their xAPIC places in either mode. */
static inline uint64_t lapic_icr(const struct lapic *l)
{
	return TO_ICR_HIGH(lapic_get(l, APIC_ICR_HIGH)) | lapic_get(l, APIC_ICR_LOW);
}

static inline void lapic_set_icr(struct lapic *l, uint64_t icr)
{
	lapic_set(l, APIC_ICR_LOW, ICR_HALF(icr));
	lapic_set(l, APIC_ICR_HIGH, ICR_HIGH_HALF(icr));
}

/* lapic.c: power-up state of the registers; IA32_APIC_BASE, wires and events waiting to be taken stay. */
void lapic_power_up(struct lapic *l);
/* xAPIC to x2APIC: what the transition does not preserve. */
void lapic_enter_x2apic(struct lapic *l);
/* Logs bits of the ESR, and raises LVT_ERROR for the first since software wrote the ESR. */
void lapic_error(struct lapic *l, uint32_t bits);
/* An event of the APIC's own, as its LVT entry says; edge-triggered. */
void lapic_raise_lvt(struct lapic *l, enum lapic_lvt n);
/* A level-triggered fixed LINT0: delivers if the wire is high and no earlier delivery waits for its EOI. */
void lapic_update_lint0(struct lapic *l);
void lapic_send_ipi(struct lapic *l, uint64_t icr);
void lapic_self_ipi(struct lapic *l, uint8_t vector);
void lapic_eoi(struct lapic *l);

/* lapic_timer.c; the caller ran lapic_advance() up to now. */
void lapic_timer_write_lvt(struct lapic *l, uint32_t val);
void lapic_timer_write_initial(struct lapic *l, uint32_t val, uint64_t now);
void lapic_timer_write_divide(struct lapic *l, uint32_t val, uint64_t now);
void lapic_timer_write_tsc_deadline(struct lapic *l, uint64_t tsc, uint64_t now, const struct tsc_clock *clk);
uint32_t lapic_timer_current(const struct lapic *l, uint64_t now);

/* lapic_regs.c: registers that both modes have. false: no such register. */
bool lapic_read_reg(const struct lapic *l, uint32_t offset, uint64_t now, uint32_t *val);
bool lapic_write_reg(struct lapic *l, uint32_t offset, uint32_t val, uint64_t now);
/* The page shows again what our own fields hold; what lives in the page loses its reserved bits. */
void lapic_mirror(struct lapic *l);
/* Bits of an LVT entry that software can set. */
uint32_t lapic_lvt_writable(enum lapic_lvt n);
