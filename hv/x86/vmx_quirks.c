/* SPDX-License-Identifier: BSD-2-Clause
 * What an emulator leaves behind from the guest before: under Bochs 2.7, NMIs that are blocked for ever.
 * Knows nothing of the guest that comes. */
#include "status.h"
#include "x86.h"
#include "x86/vmx.h"

/* A guest of two instructions, in one page at guest-physical 0. */
struct trial {
	uint8_t iret, pad[15];
	uint8_t hlt, pad2[15];
	uint64_t gdt[2];
	struct {
		uint32_t eip, cs, eflags;
	} frame;
};
#define INSN_IRET 0xcf
#define INSN_HLT 0xf4
#define ENTRY_CS 0x08
#define FLAT_CODE_32 0x00cf9b000000ffffull /* present, ring 0, execute and read, accessed, 4 GiB */

static void enter_trial(struct vmx *x)
{
	struct hvm_regs regs = { 0 };
	bool interrupted;

	do {
		vmcs_write(x, VMCS_PREEMPTION_TIMER, UINT32_MAX);
		x->entry = vmx_vmenter(&regs, &x->host_rsp, x->launched);
		x->launched = x->launched || x->entry == VMX_ENTERED;
		interrupted = x->entry == VMX_ENTERED && vmcs_read(x, VMCS_EXIT_REASON) == EXIT_REASON_EXTERNAL_INTERRUPT;
		if (interrupted)
			vmx_take_interrupt(x);
	} while (interrupted);
}

/* SDM v3, "Interruptibility State": with virtual NMIs an entry sets virtual-NMI blocking as bit 3 says. Bochs 2.7 sets it where the bit
 * is 1 and leaves it where the bit is 0 (docs/findings.md), so that a guest which ended in its NMI handler takes the NMIs of
 * the next one too. What ends the blocking is an IRET in the guest. */
int vmx_unblock_nmi(struct vmx *x, struct page_pool *pool)
{
	struct trial *t = page_alloc(pool);
	const gpa_t first_page = GPA(0);
	const hpa_t page = HPA((uintptr_t)t);

	if (!t || nested_map(&x->nested, first_page, page))
		return E_NOMEM;
	t->iret = INSN_IRET;
	t->hlt = INSN_HLT;
	t->gdt[1] = FLAT_CODE_32;
	t->frame.eip = offsetof(struct trial, hlt);
	t->frame.cs = ENTRY_CS;
	t->frame.eflags = RFLAGS_RESERVED1;
	vmcs_write(x, VMCS_GUEST_GDTR_BASE, offsetof(struct trial, gdt));
	vmcs_write(x, VMCS_GUEST_GDTR_LIMIT, sizeof(t->gdt) - 1);
	vmcs_write(x, VMCS_GUEST_RSP, offsetof(struct trial, frame));
	CHECK(x, vmx_invept(x));
	enter_trial(x);
	nested_unmap(&x->nested, first_page);
	vmx_init_vmcs(x);
	return 0;
}
