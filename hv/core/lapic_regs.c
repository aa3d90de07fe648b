/* SPDX-License-Identifier: BSD-2-Clause
 * The registers of the local APIC, and the xAPIC page that maps them.
 * Knows nothing of the x2APIC MSRs but that they share the registers. */
#include "core/lapic_internal.h"

#define APIC_ID_XAPIC(id) ((uint32_t)FIELD(31, 24, id))
#define APIC_ID_OF(val) ((uint32_t)GET_FIELD(31, 24, val))
#define APIC_LDR_WRITABLE ((uint32_t)MASK(31, 24))
#define APIC_DFR_ONES ((uint32_t)MASK(27, 0))
#define APIC_VERSION_MAX_LVT(n) ((uint32_t)FIELD(23, 16, n))
#define VERSION (LAPIC_VERSION | APIC_VERSION_MAX_LVT(LAPIC_MAX_LVT) | APIC_VERSION_DIRECTED_EOI)
/* SDM v3, "Virtualizing MSR-Based APIC Accesses": RDMSR "reads the 8 bytes from offset X on the virtual-APIC page into
 * EDX:EAX". The ICR is the only one of them with 64 bits: there its upper half follows the lower one. */
#define PAGE_ICR_MSR_HIGH (APIC_ICR_LOW + sizeof(uint32_t))

#define LVT_COMMON (APIC_VECTOR_FIELD | APIC_LVT_MASKED)
#define LVT_LINT (LVT_COMMON | APIC_DM_MASK | APIC_LVT_POLARITY | APIC_LVT_LEVEL)

uint32_t lapic_lvt_writable(enum lapic_lvt n)
{
	switch (n) {
	case LVT_TIMER:
		return LVT_COMMON | APIC_TIMER_MODE_MASK;
	case LVT_THERMAL:
	case LVT_PERFMON:
		return LVT_COMMON | APIC_DM_MASK;
	case LVT_LINT0:
	case LVT_LINT1:
		return LVT_LINT;
	default:
		return LVT_COMMON;
	}
}

static enum lapic_lvt lvt_at(uint32_t offset)
{
	return (enum lapic_lvt)((offset - APIC_LVT_TIMER) / APIC_REG_STRIDE);
}

/* ISR, TMR and IRR: eight words each, one after the other up to the ESR. */
static bool is_in_map(uint32_t offset)
{
	return offset >= APIC_ISR && offset < APIC_ESR;
}

static uint32_t read_id(const struct lapic *l)
{
	return lapic_is_x2apic(l) ? l->id : APIC_ID_XAPIC(l->id);
}

bool lapic_read_reg(const struct lapic *l, uint32_t offset, uint64_t now, uint32_t *val)
{
	*val = is_in_map(offset) ? lapic_get(l, offset) : 0;
	switch (offset) {
	case APIC_ID: *val = read_id(l); break;
	case APIC_VERSION: *val = VERSION; break;
	case APIC_TPR: *val = lapic_tpr(l); break;
	case APIC_PPR: *val = lapic_ppr(l); break;
	case APIC_LDR: *val = l->ldr; break;
	case APIC_DFR: *val = l->dfr; break;
	case APIC_SVR: *val = l->svr; break;
	case APIC_ESR: *val = l->esr; break;
	case APIC_ICR_LOW: *val = ICR_HALF(lapic_icr(l)); break;
	case APIC_ICR_HIGH: *val = ICR_HIGH_HALF(lapic_icr(l)); break;
	case APIC_LVT_TIMER:
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERFMON:
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
	case APIC_LVT_ERROR: *val = l->lvt[lvt_at(offset)]; break;
	case APIC_TIMER_INITIAL: *val = l->timer_initial; break;
	case APIC_TIMER_CURRENT: *val = lapic_timer_current(l, now); break;
	case APIC_TIMER_DIVIDE: *val = l->timer_divide; break;
	case APIC_APR: /* "not supported in the Pentium 4 and Intel Xeon processors": there, and idle */
	case APIC_RRD:
	case APIC_EOI: /* write-only */
		break;
	default:
		return is_in_map(offset);
	}
	return true;
}

/* SDM v3, "Virtualizing Reads from the APIC-Access Page": a read "returns data from the corresponding page offset on
 * the virtual-APIC page". The ICR is there already, but a write that was cut short may have left reserved bits. */
void lapic_mirror(struct lapic *l)
{
	bool x2apic = lapic_is_x2apic(l);
	uint64_t icr = lapic_icr(l) & (APIC_ICR_COMMAND | (x2apic ? APIC_ICR_DEST_X2APIC : APIC_ICR_DEST_XAPIC));

	lapic_set_icr(l, icr);
	lapic_set(l, PAGE_ICR_MSR_HIGH, x2apic ? ICR_HIGH_HALF(icr) : 0);
	lapic_set(l, APIC_ID, read_id(l));
	lapic_set(l, APIC_VERSION, VERSION);
	lapic_set(l, APIC_EOI, 0);
	lapic_set(l, APIC_LDR, l->ldr);
	lapic_set(l, APIC_DFR, l->dfr);
	lapic_set(l, APIC_SVR, l->svr);
	lapic_set(l, APIC_ESR, l->esr);
	for (uint32_t i = 0; i < LVT_COUNT; i++)
		lapic_set(l, APIC_LVT_TIMER + i * APIC_REG_STRIDE, l->lvt[i]);
	lapic_set(l, APIC_TIMER_INITIAL, l->timer_initial);
	lapic_set(l, APIC_TIMER_DIVIDE, l->timer_divide);
}

/* SDM v3, "Local APIC State After It Has Been Software Disabled": "The mask bits for all the LVT entries are set.
 * Attempts to reset these bits will be ignored." */
static void write_svr(struct lapic *l, uint32_t val)
{
	l->svr = val & APIC_SVR_WRITABLE;
	if (l->svr & APIC_SVR_ENABLE)
		return;
	for (int i = 0; i < LVT_COUNT; i++)
		l->lvt[i] |= APIC_LVT_MASKED;
}

static void write_lvt(struct lapic *l, enum lapic_lvt n, uint32_t val)
{
	val = (val & lapic_lvt_writable(n)) | (l->lvt[n] & APIC_LVT_STATUS);
	if (!(l->svr & APIC_SVR_ENABLE))
		val |= APIC_LVT_MASKED;
	if (n == LVT_TIMER)
		lapic_timer_write_lvt(l, val);
	else
		l->lvt[n] = val;
	if (n == LVT_LINT0)
		lapic_update_lint0(l);
}

/* SDM v3, "Error Handling": "This write clears any previously logged errors and updates the ESR with any errors
 * detected since the last write to the ESR." */
static void write_esr(struct lapic *l)
{
	l->esr = l->esr_pending;
	l->esr_pending = 0;
}

/* SDM v3, "Issuing Interprocessor Interrupts": "The act of writing to the low doubleword of the ICR causes the IPI
 * to be sent." Delivery status always reads idle: a message arrives at once. */
static void write_icr_low(struct lapic *l, uint32_t val)
{
	lapic_set(l, APIC_ICR_LOW, val & (uint32_t)APIC_ICR_COMMAND);
	lapic_send_ipi(l, lapic_icr(l));
}

static void write_icr_high(struct lapic *l, uint32_t val)
{
	lapic_set(l, APIC_ICR_HIGH, val & ICR_HIGH_HALF(APIC_ICR_DEST_XAPIC));
}

bool lapic_write_reg(struct lapic *l, uint32_t offset, uint32_t val, uint64_t now)
{
	switch (offset) {
	case APIC_TPR: lapic_set(l, APIC_TPR, val & APIC_TPR_WRITABLE); return true;
	case APIC_EOI: lapic_eoi(l); return true;
	case APIC_ID: l->id = APIC_ID_OF(val); break;
	case APIC_LDR: l->ldr = val & APIC_LDR_WRITABLE; break;
	case APIC_DFR: l->dfr = val | APIC_DFR_ONES; break;
	case APIC_SVR: write_svr(l, val); break;
	case APIC_ESR: write_esr(l); break;
	case APIC_ICR_LOW: write_icr_low(l, val); break;
	case APIC_ICR_HIGH: write_icr_high(l, val); break;
	case APIC_LVT_TIMER:
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERFMON:
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
	case APIC_LVT_ERROR: write_lvt(l, lvt_at(offset), val); break;
	case APIC_TIMER_INITIAL: lapic_timer_write_initial(l, val, now); break;
	case APIC_TIMER_DIVIDE: lapic_timer_write_divide(l, val, now); break;
	case APIC_VERSION: /* read-only */
	case APIC_APR:
	case APIC_PPR:
	case APIC_RRD:
	case APIC_TIMER_CURRENT:
		break;
	default:
		return is_in_map(offset); /* read-only too */
	}
	lapic_mirror(l);
	return true;
}

static bool page_is_mapped(const struct lapic *l, uint32_t offset)
{
	return lapic_is_enabled(l) && !lapic_is_x2apic(l) && offset % APIC_REG_STRIDE == 0;
}

/* SDM v3, "Error Handling", "Illegal Register Address": "Set when the local APIC is in xAPIC mode and software
 * attempts to access a register that is reserved in the processor's local-APIC register-address space". */
uint32_t lapic_read(struct lapic *l, uint32_t offset, uint64_t now)
{
	uint32_t val;

	lapic_advance(l, now);
	if (!page_is_mapped(l, offset))
		return 0;
	if (!lapic_read_reg(l, offset, now, &val))
		lapic_error(l, APIC_ESR_ILLEGAL_REG);
	return val;
}

void lapic_write(struct lapic *l, uint32_t offset, uint32_t val, uint64_t now)
{
	lapic_advance(l, now);
	if (page_is_mapped(l, offset) && !lapic_write_reg(l, offset, val, now))
		lapic_error(l, APIC_ESR_ILLEGAL_REG);
}

/* SDM v3, "APIC-Write VM Exits": "VMM software must be invoked to complete the virtualization of a write access". In
 * x2APIC mode only a self-IPI with a vector below 16 comes here. */
void lapic_written(struct lapic *l, uint32_t offset, uint64_t now)
{
	uint32_t val = lapic_get(l, offset);

	lapic_advance(l, now);
	if (!lapic_is_x2apic(l))
		lapic_write(l, offset, val, now);
	else if (offset == APIC_SELF_IPI)
		lapic_self_ipi(l, APIC_VECTOR(val));
	lapic_mirror(l);
}
