/* SPDX-License-Identifier: BSD-2-Clause
 * The VMCS before the first entry: the controls out of what the CPU allows, the host's state, the guest's.
 * Knows nothing of what happens afterwards, nor of the host except where its tables are. */
#include "x86.h"
#include "x86/vmx.h"

#define ENTRY_CS 0x08
#define ENTRY_DS 0x10
#define SEG_LIMIT 0xffffffffu
#define TSS_LIMIT 0x67
#define NO_LINK UINT64_MAX
/* Bits of CR0 that VMX operation pins in any case or that would change what is memory of the host's: NE, CD and NW. PE and
 * PG are the guest's, "unrestricted guest" frees them. */
#define CR0_OURS (CR0_NE | CR0_CD | CR0_NW)
#define CR0_GUESTS (CR0_PE | CR0_PG)

/* Exceptions whose delivery can raise the same one again, in front of any instruction: by a data breakpoint on the stack, by an
 * unaligned one. The CPU would not come out of that, so they exit, and each delivery is an entry of ours. */
#define HANDED_ON (BIT(VEC_DB) | BIT(VEC_AC) | BIT(VEC_MC))

struct field {
	enum vmcs_field field;
	uint64_t val;
};

/* vmx_enter.S */
void vmx_vmexit(void);

static void write_fields(struct vmx *x, const struct field *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vmcs_write(x, f[i].field, f[i].val);
}

/* SDM v3, "Algorithms for Determining VMX Capabilities": what we do not know stays as the CPU wants it by default. */
static uint32_t allowed(uint64_t msr, uint32_t wanted)
{
	return (wanted | VMX_ALLOWED_0(msr)) & VMX_ALLOWED_1(msr);
}

static void init_control(struct vmx *x)
{
	const struct vmx_caps *c = &x->caps;
	uint32_t pin = PIN_EXTINT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER;
	uint32_t proc = PROC_TSC_OFFSETTING | PROC_HLT_EXITING | PROC_MWAIT_EXITING | PROC_RDPMC_EXITING | PROC_TPR_SHADOW |
			PROC_MOV_DR_EXITING | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_MONITOR_EXITING | PROC_SECONDARY_CTLS;
	/* The last two where the CPU has them, and what CPUID shows follows: vmx_cpuid(). */
	uint32_t proc2 = PROC2_EPT | PROC2_WBINVD_EXITING | PROC2_UNRESTRICTED_GUEST | PROC2_RDTSCP | PROC2_INVPCID;
	uint32_t exit = VM_EXIT_SAVE_DEBUG | VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_SAVE_PAT | VM_EXIT_LOAD_PAT |
			VM_EXIT_SAVE_EFER | VM_EXIT_LOAD_EFER | VM_EXIT_SAVE_PREEMPTION_TIMER;
	uint32_t entry = VM_ENTRY_LOAD_DEBUG | VM_ENTRY_LOAD_PAT | VM_ENTRY_LOAD_EFER;
	uint32_t ack = x->posted ? VM_EXIT_ACK_INTERRUPT : 0;
	const struct field fields[] = {
		{ VMCS_PIN_CTLS, allowed(c->pin, pin) },
		{ VMCS_PROC_CTLS, allowed(c->proc, proc) },
		{ VMCS_PROC_CTLS2, allowed(c->proc2, proc2) },
		{ VMCS_EXIT_CTLS, allowed(c->exit, exit | ack) },
		/* Written once. IA-32e mode guest follows EFER.LMA by itself: with unrestricted guest each exit stores it. */
		{ VMCS_ENTRY_CTLS, allowed(c->entry, entry) },
		{ VMCS_IO_BITMAP_A, (uintptr_t)x->iopm },
		{ VMCS_IO_BITMAP_B, (uintptr_t)x->iopm + PAGE_SIZE },
		{ VMCS_MSR_BITMAP, (uintptr_t)x->msrpm },
		{ VMCS_EPT_POINTER, x->eptp },
		{ VMCS_VIRTUAL_APIC_ADDR, (uintptr_t)x->apic_page },
		{ VMCS_TPR_THRESHOLD, 0 },
		{ VMCS_TSC_OFFSET, 0 },
		{ VMCS_EXCEPTION_BITMAP, HANDED_ON },
		{ VMCS_PF_ERROR_MASK, 0 },
		{ VMCS_PF_ERROR_MATCH, 0 },
		{ VMCS_CR3_TARGET_COUNT, 0 },
		{ VMCS_EXIT_MSR_STORE_COUNT, 0 },
		{ VMCS_EXIT_MSR_LOAD_COUNT, 0 },
		{ VMCS_ENTRY_MSR_LOAD_COUNT, 0 },
		{ VMCS_ENTRY_INTR_INFO, 0 },
		{ VMCS_CR0_MASK, x->cr0_mask },
		{ VMCS_CR0_READ_SHADOW, x->cr0_shadow },
		{ VMCS_CR4_MASK, UINT64_MAX },
		{ VMCS_CR4_READ_SHADOW, x->cr4_shadow },
	};

	x->pin.want = x->pin.is = allowed(c->pin, pin);
	x->proc.want = x->proc.is = allowed(c->proc, proc);
	x->proc2.want = x->proc2.is = allowed(c->proc2, proc2);
	x->has_breakpoints = !(x->proc.is & PROC_MOV_DR_EXITING);
	write_fields(x, fields, ARRAY_SIZE(fields));
}

/* These fields exist only where the CPU has what they serve. */
static void init_vid_control(struct vmx *x)
{
	const struct field fields[] = {
		{ VMCS_APIC_ACCESS_ADDR, x->apic_access.v },
		{ VMCS_GUEST_INTR_STATUS, 0 },
		{ VMCS_EOI_EXIT_BITMAP_0, 0 },
		{ VMCS_EOI_EXIT_BITMAP_1, 0 },
		{ VMCS_EOI_EXIT_BITMAP_2, 0 },
		{ VMCS_EOI_EXIT_BITMAP_3, 0 },
	};

	write_fields(x, fields, ARRAY_SIZE(fields));
}

static void init_posting(struct vmx *x)
{
	vmcs_write(x, VMCS_POSTED_INTR_VECTOR, HOST_POST_VECTOR);
	vmcs_write(x, VMCS_POSTED_INTR_DESC_ADDR, (uintptr_t)x->posted);
}

static void init_host(struct vmx *x)
{
	const struct host *h = x->host;
	const struct field fields[] = {
		{ VMCS_HOST_CR0, read_cr0() },
		{ VMCS_HOST_CR3, read_cr3() },
		{ VMCS_HOST_CR4, read_cr4() },
		{ VMCS_HOST_CS, HOST_CS },
		{ VMCS_HOST_ES, HOST_DS },
		{ VMCS_HOST_SS, HOST_DS },
		{ VMCS_HOST_DS, HOST_DS },
		{ VMCS_HOST_FS, HOST_DS },
		{ VMCS_HOST_GS, HOST_DS },
		{ VMCS_HOST_TR, HOST_TSS },
		{ VMCS_HOST_FS_BASE, rdmsr(MSR_FS_BASE) },
		{ VMCS_HOST_GS_BASE, rdmsr(MSR_GS_BASE) },
		{ VMCS_HOST_TR_BASE, (uintptr_t)&h->tss },
		{ VMCS_HOST_GDTR_BASE, (uintptr_t)h->gdt },
		{ VMCS_HOST_IDTR_BASE, (uintptr_t)h->idt },
		{ VMCS_HOST_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS) },
		{ VMCS_HOST_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP) },
		{ VMCS_HOST_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP) },
		{ VMCS_HOST_PAT, rdmsr(MSR_PAT) },
		{ VMCS_HOST_EFER, rdmsr(MSR_EFER) },
		{ VMCS_HOST_RIP, (uintptr_t)vmx_vmexit },
	};

	write_fields(x, fields, ARRAY_SIZE(fields));
}

static void write_segment(struct vmx *x, unsigned index, uint16_t selector, uint32_t ar, uint32_t limit)
{
	unsigned i = index * VMCS_SEGMENT_STRIDE;

	vmcs_write(x, VMCS_GUEST_ES + i, selector);
	vmcs_write(x, VMCS_GUEST_ES_AR + i, ar);
	vmcs_write(x, VMCS_GUEST_ES_LIMIT + i, limit);
	vmcs_write(x, VMCS_GUEST_ES_BASE + i, 0);
}

/* Multiboot: 32-bit flat protected mode, paging off, interrupts off. */
static void init_guest(struct vmx *x)
{
	enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
	const uint32_t data = AR_DATA | AR_G | AR_DB, code = AR_CODE | AR_G | AR_DB;
	static const struct field fields[] = {
		{ VMCS_GUEST_GDTR_BASE, 0 },
		{ VMCS_GUEST_GDTR_LIMIT, 0 },
		{ VMCS_GUEST_IDTR_BASE, 0 },
		{ VMCS_GUEST_IDTR_LIMIT, 0 },
		{ VMCS_GUEST_CR3, 0 },
		{ VMCS_GUEST_EFER, 0 },
		{ VMCS_GUEST_PAT, PAT_RESET },
		{ VMCS_GUEST_DR7, DR7_INIT },
		{ VMCS_GUEST_DEBUGCTL, 0 },
		{ VMCS_GUEST_RIP, 0 },
		{ VMCS_GUEST_RSP, 0 },
		{ VMCS_GUEST_RFLAGS, RFLAGS_RESERVED1 },
		{ VMCS_GUEST_SYSENTER_CS, 0 },
		{ VMCS_GUEST_SYSENTER_ESP, 0 },
		{ VMCS_GUEST_SYSENTER_EIP, 0 },
		{ VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE },
		{ VMCS_GUEST_INTERRUPTIBILITY, 0 },
		{ VMCS_GUEST_PENDING_DEBUG, 0 },
		{ VMCS_GUEST_PDPTE0, 0 },
		{ VMCS_GUEST_PDPTE1, 0 },
		{ VMCS_GUEST_PDPTE2, 0 },
		{ VMCS_GUEST_PDPTE3, 0 },
		{ VMCS_LINK_POINTER, NO_LINK },
	};

	for (unsigned i = ES; i <= GS; i++)
		write_segment(x, i, i == CS ? ENTRY_CS : ENTRY_DS, i == CS ? code : data, SEG_LIMIT);
	write_segment(x, LDTR, 0, AR_UNUSABLE, 0);
	write_segment(x, TR, 0, AR_TSS_BUSY, TSS_LIMIT);
	write_fields(x, fields, ARRAY_SIZE(fields));
	vmcs_write(x, VMCS_GUEST_CR0, x->cr0_shadow | (x->caps.cr0_fixed0 & ~CR0_GUESTS));
	vmcs_write(x, VMCS_GUEST_CR4, x->cr4_shadow | x->caps.cr4_fixed0);
}

void vmx_init_vmcs(struct vmx *x)
{
	x->cr0_mask = CR0_OURS | ((x->caps.cr0_fixed0 | ~x->caps.cr0_fixed1) & ~CR0_GUESTS);
	x->cr0_shadow = CR0_PE | CR0_ET;
	x->cr4_shadow = 0;
	x->eptp = nested_root(&x->nested).v | EPTP_WB | EPTP_WALK_LENGTH_4;
	init_control(x);
	if (x->vid)
		init_vid_control(x);
	if (x->posted)
		init_posting(x);
	init_host(x);
	init_guest(x);
}
