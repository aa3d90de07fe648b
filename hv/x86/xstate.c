/* SPDX-License-Identifier: BSD-2-Clause
 * Guest state that neither VMRUN nor a VM entry switches, nor FXSAVE saves.
 * Knows nothing of guests. */
#include "x86/xstate.h"

#include <string.h>

#include "x86.h"
#include "x86/insn.h"

#define CPUID_FEATURES 0x1u
#define ECX_XSAVE BIT(26)
#define CPUID_XSAVE 0xdu
#define CPUID_AMD_FEATURES 0x80000001u
#define EDX_RDTSCP BIT(27)
#define XSAVE_AVX 2 /* its subleaf */
#define MXCSR_OFFSET 24
#define MXCSR_DEFAULT 0x1f80u

static bool has_avx(void)
{
	struct cpuid_regs r = cpuid(CPUID_XSAVE, 0), avx = cpuid(CPUID_XSAVE, XSAVE_AVX);

	return (r.eax & XCR0_AVX) && avx.ebx + avx.eax <= XSTATE_SIZE;
}

static void take_ymm(struct xstate *x)
{
	alignas(XSTATE_ALIGN) uint8_t clean[XSTATE_SIZE] = { 0 };
	const uint32_t mxcsr = MXCSR_DEFAULT;

	memcpy(clean + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	xsetbv(XCR0_X87 | XCR0_SSE | XCR0_AVX);
	xsave(x->ymm, XCR0_AVX);
	xrstor(clean, XCR0_AVX); /* no component is in it: each becomes as after reset */
}

void xstate_take(struct xstate *x)
{
	memset(x, 0, sizeof(*x));
	x->has_tsc_aux = cpuid(CPUID_AMD_FEATURES, 0).edx & EDX_RDTSCP;
	if (x->has_tsc_aux)
		x->tsc_aux = rdmsr(MSR_TSC_AUX);
	x->has_xsave = cpuid(CPUID_FEATURES, 0).ecx & ECX_XSAVE;
	if (!x->has_xsave)
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	x->xcr0 = xgetbv();
	x->has_avx = has_avx();
	if (x->has_avx)
		take_ymm(x);
	xsetbv(XCR0_X87);
}

void xstate_give(const struct xstate *x)
{
	if (x->has_tsc_aux)
		wrmsr(MSR_TSC_AUX, x->tsc_aux);
	if (!x->has_xsave)
		return;
	if (x->has_avx) {
		xsetbv(XCR0_X87 | XCR0_SSE | XCR0_AVX);
		xrstor(x->ymm, XCR0_AVX);
	}
	xsetbv(x->xcr0);
}
