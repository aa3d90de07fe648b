/* SPDX-License-Identifier: BSD-2-Clause
 * Debug traps behind an instruction that was executed for the guest: the single step, and the breakpoints of DR0 to DR3.
 * Knows nothing of what the instruction did but where it reached. */
#include "core/vcpu.h"
#include "x86.h"

#define BREAKPOINTS 4
#define DR7_ENABLED(dr7, n) GET_FIELD(2 * (n) + 1, 2 * (n), dr7)
#define DR7_RW(dr7, n) GET_FIELD(17 + 4 * (n), 16 + 4 * (n), dr7)
#define DR7_LEN(dr7, n) GET_FIELD(19 + 4 * (n), 18 + 4 * (n), dr7)
enum { RW_EXECUTE, RW_WRITE, RW_IO, RW_DATA };

/* SDM v3, "Debug Control Register (DR7)", on R/W0 to R/W3: "10 (if CR4.DE = 1) - Break on I/O reads or writes." */
static bool kind_matches(const struct vcpu *v, unsigned rw, enum debug_access how)
{
	switch (how) {
	case DEBUG_WRITE: return rw == RW_WRITE || rw == RW_DATA;
	case DEBUG_READ: return rw == RW_DATA;
	case DEBUG_IO: return rw == RW_IO && (v->ops->get(v, HVM_CR4) & CR4_DE);
	}
	return false;
}

/* SDM v3, "Breakpoint Field Recognition": the LENn field makes DRn an aligned range, and an access hits it "if any of the bytes
 * participating in the access is within the range". */
uint64_t vcpu_breakpoints(const struct vcpu *v, enum debug_access how, uint64_t at, uint8_t len)
{
	static const uint8_t sizes[] = { 1, 2, 8, 4 };
	uint64_t dr7 = v->ops->get(v, HVM_DR7), hit = 0, wrap;

	if (!(dr7 & DR7_ENABLE))
		return 0;
	/* Addresses wrap, the differences with them. */
	wrap = how != DEBUG_IO && v->ops->get(v, HVM_CS_MODE) == CS_64 ? UINT64_MAX : UINT32_MAX;
	for (unsigned n = 0; n < BREAKPOINTS; n++) {
		uint64_t size = sizes[DR7_LEN(dr7, n)], start = v->ops->get(v, HVM_DR0 + n) & ~(size - 1);

		if (DR7_ENABLED(dr7, n) && kind_matches(v, (unsigned)DR7_RW(dr7, n), how) &&
		    (((at - start) & wrap) < size || ((start - at) & wrap) < len))
			hit |= BIT64(n);
	}
	return hit;
}

static void trap(struct vcpu *v, uint64_t dr6)
{
	if (v->ops->get(v, HVM_RFLAGS) & RFLAGS_TF)
		dr6 |= DR6_BS;
	if (!dr6)
		return;
	vcpu_queue_exception(v, VEC_DB, false, 0);
	v->ev.exc.dr6 = dr6;
}

/* SDM v3, "Single-Step Exception Condition": with TF set a single-step exception is due, "generated after the instruction is
 * executed", emulated or not. */
void vcpu_skip(struct vcpu *v, uint8_t len, uint64_t dr6)
{
	if (!CHECK(v, len && len <= INSN_MAX)) /* 0: it would run for ever */
		return;
	v->ops->skip(v, len);
	trap(v, dr6);
}

/* SDM v3, "Instruction-Breakpoint Exception Condition": RF is 1 in the image that is pushed "in the middle of an iteration of a
 * repeated string instruction", so that a breakpoint on it is not hit anew. */
void vcpu_iterate(struct vcpu *v, uint64_t dr6)
{
	v->ops->skip(v, 0);
	v->ops->set(v, HVM_RFLAGS, v->ops->get(v, HVM_RFLAGS) | RFLAGS_RF);
	trap(v, dr6);
}
