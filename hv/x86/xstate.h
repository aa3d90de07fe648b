/* SPDX-License-Identifier: BSD-2-Clause
 * Guest state that neither VMRUN nor a VM entry switches, nor FXSAVE saves: XCR0, the upper halves of the YMM registers, TSC_AUX.
 * No code of ours uses them, so that they are changed once for each guest, and not on exits.
 * Knows nothing of guests. */
#pragma once

#include <stdalign.h>

#include "types.h"

#define XSTATE_SIZE 832 /* legacy region, header, AVX */
#define XSTATE_ALIGN 64

struct xstate {
	alignas(XSTATE_ALIGN) uint8_t ymm[XSTATE_SIZE];
	bool has_xsave, has_avx, has_tsc_aux;
	uint64_t xcr0, tsc_aux;
};

/* Before the first entry of each guest: as after reset, with CR4.OSXSAVE set for XSETBV. */
void xstate_take(struct xstate *x);
/* XCR0, YMM and TSC_AUX as they were. */
void xstate_give(const struct xstate *x);
