/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC by MSR: IA32_APIC_BASE and its modes, the x2APIC registers, IA32_TSC_DEADLINE.
 * Knows nothing of the RDMSR and WRMSR instructions: E_INVAL is the caller's #GP(0). */
#include "core/lapic_internal.h"
#include "status.h"

#define BASE_MODE (APIC_BASE_EN | APIC_BASE_EXTD)
#define BASE_DISABLED 0
#define BASE_XAPIC APIC_BASE_EN
#define BASE_X2APIC BASE_MODE
#define BASE_WRITABLE (APIC_BASE_ADDR | BASE_MODE | APIC_BASE_BSP)
/* Bit 12 has no meaning in x2APIC mode; processors ignore it instead of faulting, and KVM relies on that. */
#define ICR_ALLOWED (APIC_ICR_COMMAND | APIC_ICR_BUSY | APIC_ICR_DEST_X2APIC)
#define SELF_IPI_ALLOWED APIC_VECTOR_FIELD
#define NO_BITS 0
#define ALL_BITS MASK(31, 0)
#define LOW_HALF(v) ((uint32_t)GET_FIELD(31, 0, v))

static uint32_t offset_of(uint32_t msr)
{
	return (msr - MSR_X2APIC_FIRST) * APIC_REG_STRIDE;
}

bool lapic_owns_msr(uint32_t msr)
{
	return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE || (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST);
}

/* SDM v3, "x2APIC State Transitions": disabled to x2APIC and x2APIC to xAPIC raise #GP, as does EXTD without EN. */
static bool mode_change_is_legal(uint64_t from, uint64_t to)
{
	switch (to) {
	case BASE_DISABLED:
		return true;
	case BASE_XAPIC:
		return from != BASE_X2APIC;
	case BASE_X2APIC:
		return from != BASE_DISABLED;
	default:
		return false;
	}
}

/* Disabled "the processor is functionally equivalent to an IA-32 processor without an on-chip APIC"; enabled again, it
 * is in its power-up state: LVT0 is masked then, firmware's virtual wire is gone. */
static int write_base(struct lapic *l, uint64_t val)
{
	uint64_t from = l->base & BASE_MODE, to = val & BASE_MODE;

	if ((val & ~BASE_WRITABLE) || !mode_change_is_legal(from, to))
		return E_INVAL;
	l->base = val;
	if (to == BASE_DISABLED)
		lapic_power_up(l);
	else if (to == BASE_X2APIC && from != to)
		lapic_enter_x2apic(l);
	return 0;
}

/* Registers of the xAPIC page that no MSR stands for. */
static bool x2apic_readable(uint32_t offset)
{
	switch (offset) {
	case APIC_APR:
	case APIC_EOI:
	case APIC_RRD:
	case APIC_DFR:
	case APIC_ICR_HIGH:
		return false;
	default:
		return true;
	}
}

static int read_x2apic(const struct lapic *l, uint32_t offset, uint64_t now, uint64_t *val)
{
	uint32_t reg;

	if (!lapic_is_x2apic(l) || !x2apic_readable(offset) || !lapic_read_reg(l, offset, now, &reg))
		return E_INVAL;
	*val = offset == APIC_ICR_LOW ? lapic_icr(l) : reg;
	return 0;
}

/* Whether offset can be written at all; *allowed is what may be set. */
static bool x2apic_writable(uint32_t offset, uint64_t *allowed)
{
	switch (offset) {
	case APIC_TPR: *allowed = APIC_TPR_WRITABLE; break;
	case APIC_EOI: *allowed = NO_BITS; break;
	case APIC_SVR: *allowed = APIC_SVR_WRITABLE; break;
	case APIC_ESR: *allowed = NO_BITS; break;
	case APIC_ICR_LOW: *allowed = ICR_ALLOWED; break;
	case APIC_LVT_TIMER: *allowed = lapic_lvt_writable(LVT_TIMER) | APIC_LVT_PENDING; break;
	case APIC_LVT_THERMAL: *allowed = lapic_lvt_writable(LVT_THERMAL) | APIC_LVT_PENDING; break;
	case APIC_LVT_PERFMON: *allowed = lapic_lvt_writable(LVT_PERFMON) | APIC_LVT_PENDING; break;
	case APIC_LVT_LINT0: *allowed = lapic_lvt_writable(LVT_LINT0) | APIC_LVT_STATUS; break;
	case APIC_LVT_LINT1: *allowed = lapic_lvt_writable(LVT_LINT1) | APIC_LVT_STATUS; break;
	case APIC_LVT_ERROR: *allowed = lapic_lvt_writable(LVT_ERROR) | APIC_LVT_PENDING; break;
	case APIC_TIMER_INITIAL: *allowed = ALL_BITS; break;
	case APIC_TIMER_DIVIDE: *allowed = APIC_TIMER_DIVIDE_WRITABLE; break;
	case APIC_SELF_IPI: *allowed = SELF_IPI_ALLOWED; break;
	default:
		return false;
	}
	return true;
}

/* SDM v3, "ICR Operation in x2APIC Mode": one write of 64 bits, and it sends. */
static void write_icr(struct lapic *l, uint64_t val)
{
	lapic_set_icr(l, val & ~(uint64_t)APIC_ICR_BUSY);
	lapic_mirror(l);
	lapic_send_ipi(l, lapic_icr(l));
}

static int write_x2apic(struct lapic *l, uint32_t offset, uint64_t val, uint64_t now)
{
	uint64_t allowed;

	if (!lapic_is_x2apic(l) || !x2apic_writable(offset, &allowed) || (val & ~allowed))
		return E_INVAL;
	if (offset == APIC_ICR_LOW)
		write_icr(l, val);
	else if (offset == APIC_SELF_IPI)
		lapic_self_ipi(l, APIC_VECTOR(val));
	else
		lapic_write_reg(l, offset, LOW_HALF(val), now);
	return 0;
}

int lapic_read_msr(struct lapic *l, uint32_t msr, uint64_t *val, uint64_t now)
{
	lapic_advance(l, now);
	switch (msr) {
	case MSR_APIC_BASE:
		*val = l->base;
		return 0;
	case MSR_TSC_DEADLINE:
		*val = l->tsc_deadline;
		return 0;
	default:
		return lapic_owns_msr(msr) ? read_x2apic(l, offset_of(msr), now, val) : E_INVAL;
	}
}

int lapic_write_msr(struct lapic *l, uint32_t msr, uint64_t val, uint64_t now, const struct tsc_clock *clk)
{
	lapic_advance(l, now);
	switch (msr) {
	case MSR_APIC_BASE:
		return write_base(l, val);
	case MSR_TSC_DEADLINE:
		lapic_timer_write_tsc_deadline(l, val, now, clk);
		return 0;
	default:
		return lapic_owns_msr(msr) ? write_x2apic(l, offset_of(msr), val, now) : E_INVAL;
	}
}
