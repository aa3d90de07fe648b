/* SPDX-License-Identifier: BSD-2-Clause
 * The MSRs that exit: those that Intack emulates; all others are #GP, as on a CPU without them.
 * Knows nothing of the MSRs that the CPU switches by itself (they do not exit). */
#include "core/vcpu.h"

#include "x86.h"

#define UCODE_REV_NONE 0
/* Memory types that a PAT entry may hold: all but 2 and 3. */
#define PAT_TYPES_RESERVED(t) ((t) == 2 || (t) == 3 || (t) > 7)

int vcpu_read_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	if (lapic_owns_msr(msr))
		return v->mode == IRQCHIP_USER ? E_NXIO : lapic_read_msr(&v->lapic, msr, val, v->now);
	switch (msr) {
	case MSR_TSC:
		*val = v->ops->guest_tsc(v);
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
	case MSR_UCODE_REV:
		*val = UCODE_REV_NONE;
		return 0;
	default:
		return E_INVAL;
	}
}

/* APM v2, "Extended Feature Enable Register (EFER)"; SDM v4: LMA is read-only, and LME cannot change while paging. */
static int write_efer(struct vcpu *v, uint64_t val)
{
	uint64_t old = v->ops->get(v, HVM_EFER);
	uint64_t allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	if (val & ~allowed)
		return E_INVAL;
	if (((old ^ val) & EFER_LME) && (v->ops->get(v, HVM_CR0) & CR0_PG))
		return E_INVAL;
	v->ops->set(v, HVM_EFER, (val & ~EFER_LMA) | (old & EFER_LMA));
	return 0;
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
static void write_tsc(struct vcpu *v, uint64_t val)
{
	uint64_t jump = val - v->ops->guest_tsc(v);

	v->ops->set(v, HVM_TSC_OFFSET, v->ops->get(v, HVM_TSC_OFFSET) + jump);
	v->tsc.tsc0 += jump;
	if (v->mode == IRQCHIP_SPLIT && v->lapic.tsc_deadline)
		lapic_write_msr(&v->lapic, MSR_TSC_DEADLINE, v->lapic.tsc_deadline, v->now, &v->tsc);
}

int vcpu_write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (lapic_owns_msr(msr))
		return v->mode == IRQCHIP_USER ? E_NXIO : lapic_write_msr(&v->lapic, msr, val, v->now, &v->tsc);
	switch (msr) {
	case MSR_TSC:
		write_tsc(v, val);
		return 0;
	case MSR_EFER:
		return write_efer(v, val);
	case MSR_PAT:
		return write_pat(v, val);
	case MSR_MISC_ENABLE:
	case MSR_UCODE_REV:
		return 0; /* nothing behind them: accepted and dropped */
	default:
		return E_INVAL;
	}
}
