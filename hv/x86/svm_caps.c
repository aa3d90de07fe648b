/* SPDX-License-Identifier: BSD-2-Clause
 * Can this CPU run a guest under SVM, and if not, what is missing?
 * Knows nothing of how the facts were read. */
#include "x86/svm.h"

const char *svm_missing(const struct svm_caps *c)
{
	const uint32_t host_and_guest = 2;

	if (!c->svm)
		return "this CPU has no SVM (CPUID Fn8000_0001 ECX.SVM = 0)";
	if (c->disabled && c->locked)
		return "SVM is disabled and locked by firmware (VM_CR.SVMDIS = 1): enable it in the firmware's set-up";
	if (c->disabled)
		return "SVM is disabled (VM_CR.SVMDIS = 1) and needs a key to unlock";
	if (!c->npt)
		return "this CPU has no nested paging (CPUID Fn8000_000A EDX.NP = 0)";
	if (c->asids < host_and_guest)
		return "this CPU has no ASID for a guest (CPUID Fn8000_000A EBX < 2)";
	return NULL;
}
