/* SPDX-License-Identifier: BSD-2-Clause
 * RDMSR and WRMSR of what exits: the table's rows, and the MSRs that have rules of their own. All others are #GP, as on a CPU
 * without them.
 * Knows nothing of the instructions, nor of the MSRs that the CPU switches by itself, except what may be written to them. */
#include "core/cr.h"
#include "core/vcpu.h"

#include "x86.h"

/* Memory types that a PAT entry may hold: all but 2 and 3. UC- is one of PAT's alone. */
#define PAT_TYPES_RESERVED(t) ((t) == 2 || (t) == 3 || (t) > 7)
#define MTRR_TYPES_RESERVED(t) (PAT_TYPES_RESERVED(t) || (t) == 7)
#define MTRR_DEF_WRITABLE (BIT64(11) | MASK(7, 0))
#define MTRR_DEF_DROPPED BIT64(10) /* fixed-range MTRRs: MTRRCAP says that there are none */
#define MTRR_TYPE(v) GET_FIELD(7, 0, v)

void vcpu_reset_msrs(struct vcpu *v)
{
	for (size_t i = 0; i < MSR_ROWS; i++) {
		v->msr[i] = msr_table[i].reset;
		if (msr_table[i].first == MSR_MISC_ENABLE)
			v->misc_enable = msr_table[i].reset;
	}
	v->pat = PAT_RESET;
	v->tsc_adjust = 0;
	v->xcr0 = XCR0_X87;
	if (features_show(&v->features, FEATURE_RDTSCP))
		v->ops->write_msr(v, MSR_TSC_AUX, 0);
}

static int read_special(struct vcpu *v, const struct msr_row *row, uint64_t *val)
{
	switch (row->first) {
	case MSR_TSC:
		*val = v->ops->guest_tsc(v);
		return 0;
	case MSR_TSC_ADJUST:
		*val = v->tsc_adjust;
		return 0;
	case MSR_EFER:
		*val = v->ops->get(v, HVM_EFER);
		return 0;
	case MSR_PAT:
		*val = v->pat;
		return 0;
	case MSR_MISC_ENABLE:
		*val = v->misc_enable;
		return 0;
	default:
		*val = v->msr[row - msr_table];
		return 0;
	}
}

int vcpu_read_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	const struct msr_row *row = features_msr(&v->features, msr);

	if (lapic_owns_msr(msr))
		return v->mode == IRQCHIP_USER ? E_NXIO : lapic_read_msr(&v->lapic, msr, val, v->now);
	if (!row || row->kind == MSR_WRITE_ONLY)
		return E_INVAL;
	if (row->kind == MSR_SPECIAL)
		return read_special(v, row, val);
	*val = v->msr[row - msr_table];
	return 0;
}

static int write_efer(struct vcpu *v, uint64_t val)
{
	return vcpu_write_cr(v, CR_EFER, val) ? 0 : E_INVAL;
}

static int write_pat(struct vcpu *v, uint64_t val)
{
	for (int i = 0; i < 64; i += 8) {
		uint8_t type = (uint8_t)(val >> i);

		if (PAT_TYPES_RESERVED(type))
			return E_INVAL;
	}
	v->pat = val;
	v->ops->set(v, HVM_PAT, val);
	return 0;
}

/* The APIC's deadline is a guest TSC value: it means another time now. */
static void jump_tsc(struct vcpu *v, uint64_t jump)
{
	v->ops->set(v, HVM_TSC_OFFSET, v->ops->get(v, HVM_TSC_OFFSET) + jump);
	v->tsc.tsc0 += jump;
	if (v->mode == IRQCHIP_SPLIT && v->lapic.tsc_deadline)
		lapic_write_msr(&v->lapic, MSR_TSC_DEADLINE, v->lapic.tsc_deadline, v->ops->now(v), &v->tsc);
}

/* SDM v3, "Time-Stamp Counter Adjustment": a write of the one "also adds" its change to the other. */
static int write_tsc(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t jump = val - (msr == MSR_TSC ? v->ops->guest_tsc(v) : v->tsc_adjust);

	v->tsc_adjust += jump;
	jump_tsc(v, jump);
	return 0;
}

/* SDM v4, "IA32_MISC_ENABLE". What only tells is not changed by writing, and what belongs to hidden features is not there. */
static int write_misc_enable(struct vcpu *v, uint64_t val)
{
	uint64_t writable = MISC_ENABLE_FAST_STRING | MISC_ENABLE_LIMIT_CPUID;

	if (features_show(&v->features, FEATURE_NX))
		writable |= MISC_ENABLE_XD_DISABLE;
	v->misc_enable = (v->misc_enable & ~writable) | (val & writable);
	return 0;
}

static int write_mtrr_def(struct vcpu *v, const struct msr_row *row, uint64_t val)
{
	if ((val & ~(MTRR_DEF_WRITABLE | MTRR_DEF_DROPPED)) || MTRR_TYPES_RESERVED(MTRR_TYPE(val)))
		return E_INVAL;
	v->msr[row - msr_table] = val & MTRR_DEF_WRITABLE;
	return 0;
}

static int write_special(struct vcpu *v, const struct msr_row *row, uint64_t val)
{
	switch (row->first) {
	case MSR_TSC:
	case MSR_TSC_ADJUST:
		return write_tsc(v, row->first, val);
	case MSR_EFER:
		return write_efer(v, val);
	case MSR_PAT:
		return write_pat(v, val);
	case MSR_MISC_ENABLE:
		return write_misc_enable(v, val);
	case MSR_MTRR_DEF_TYPE:
		return write_mtrr_def(v, row, val);
	default:
		return E_INVAL;
	}
}

/* SDM v2, "WRMSR": #GP "If the source register contains a non-canonical address and ECX specifies one of" these. */
static bool is_canonical(uint64_t val)
{
	const unsigned unused = 16;

	return (uint64_t)((int64_t)(val << unused) >> unused) == val;
}

static int write_row(struct vcpu *v, const struct msr_row *row, uint64_t val)
{
	uint64_t *kept = &v->msr[row - msr_table];

	if (row->kind == MSR_SPECIAL)
		return write_special(v, row, val);
	if (row->kind == MSR_READ_ONLY || (val & ~(row->writable | row->dropped)))
		return E_INVAL;
	if (row->kind == MSR_CANONICAL && !is_canonical(val))
		return E_INVAL;
	*kept = val & row->writable;
	if (row->kind == MSR_CANONICAL || row->kind == MSR_OWN)
		v->ops->write_msr(v, row->first, *kept);
	return 0;
}

/* SDM v3, "Local APIC Status and Location": the base has as many bits as a physical address. */
static bool base_is_too_high(const struct vcpu *v, uint32_t msr, uint64_t val)
{
	return msr == MSR_APIC_BASE && val >> v->features.phys_bits;
}

int vcpu_write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	const struct msr_row *row = features_msr(&v->features, msr);

	if (base_is_too_high(v, msr, val))
		return E_INVAL;
	if (lapic_owns_msr(msr))
		return v->mode == IRQCHIP_USER ? E_NXIO : lapic_write_msr(&v->lapic, msr, val, v->now, &v->tsc);
	return row ? write_row(v, row, val) : E_INVAL;
}
