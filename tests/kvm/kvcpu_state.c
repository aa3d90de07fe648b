/* SPDX-License-Identifier: BSD-2-Clause
 * The vCPU's registers: where it starts, what CPUID shows it, and how it looks at its end.
 * Knows nothing of how it runs. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tests/kvm/kvcpu.h"
#include "x86.h"

#define CPUID_ENTRIES 256
#define CPUID_FEATURES 1u
#define CPUID_AMD_FEATURES 0x80000001u
#define CPUID_HV_FIRST 0x40000000u
#define CPUID_HV_LAST 0x4fffffffu
#define F1C_MONITOR BIT(3)
#define F1C_VMX BIT(5)
#define F1C_X2APIC BIT(21)
#define F1C_TSC_DEADLINE BIT(24)
#define F1C_HYPERVISOR BIT(31)
#define A1C_SVM BIT(2)

#define ENTRY_CS 0x08
#define ENTRY_DS 0x10
#define SEG_LIMIT 0xffffffffu
#define TSS_LIMIT 0x67
/* SDM v3, "Code- and Data-Segment Descriptor Types" and "System Descriptor Types" */
#define TYPE_CODE 0xb
#define TYPE_DATA 0x3
#define TYPE_LDT 0x2
#define TYPE_TSS_BUSY 0xb

/* ---- CPUID ---- */

/* KVM_GET_SUPPORTED_CPUID never shows the TSC deadline, and x2APIC is ours to show: both are KVM's in split mode, and the
 * user half's in the other. */
static void adapt(struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case CPUID_FEATURES:
		e->ecx &= ~(F1C_MONITOR | F1C_VMX);
		e->ecx |= F1C_X2APIC | F1C_TSC_DEADLINE | F1C_HYPERVISOR;
		return;
	case CPUID_AMD_FEATURES:
		e->ecx &= ~A1C_SVM;
		return;
	case CPUID_HV_FIRST ... CPUID_HV_LAST: /* nothing of KVM's own */
		memset(&e->eax, 0, sizeof(e->eax));
		e->ebx = e->ecx = e->edx = 0;
		return;
	default:
		return;
	}
}

int kvcpu_set_cpuid(const struct kvcpu *v)
{
	static union {
		struct kvm_cpuid2 head;
		uint8_t bytes[sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2)];
	} table;

	table.head.nent = CPUID_ENTRIES;
	if (ioctl(v->vm->kvm, KVM_GET_SUPPORTED_CPUID, &table.head))
		return -1;
	for (uint32_t i = 0; i < table.head.nent; i++)
		adapt(&table.head.entries[i]);
	return ioctl(v->fd, KVM_SET_CPUID2, &table.head);
}

/* ---- entry ---- */

/* Multiboot: 32-bit flat protected mode, paging off, interrupts off. */
int kvcpu_set_entry(const struct kvcpu *v, uint32_t eip, uint32_t eax, uint32_t ebx)
{
	const struct kvm_segment code = { .limit = SEG_LIMIT, .selector = ENTRY_CS, .type = TYPE_CODE, .present = 1, .db = 1,
					  .s = 1, .g = 1 };
	const struct kvm_segment data = { .limit = SEG_LIMIT, .selector = ENTRY_DS, .type = TYPE_DATA, .present = 1, .db = 1,
					  .s = 1, .g = 1 };
	struct kvm_regs r = { .rip = eip, .rax = eax, .rbx = ebx, .rflags = RFLAGS_RESERVED1 };
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return -1;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.ldt = (struct kvm_segment){ .type = TYPE_LDT, .unusable = 1 };
	s.tr = (struct kvm_segment){ .limit = TSS_LIMIT, .type = TYPE_TSS_BUSY, .present = 1 };
	s.gdt.limit = s.idt.limit = 0;
	s.cr0 = CR0_PE | CR0_ET;
	if (ioctl(v->fd, KVM_SET_SREGS, &s))
		return -1;
	return ioctl(v->fd, KVM_SET_REGS, &r);
}

/* ---- dump ---- */

static uint32_t apic_reg(const struct kvm_lapic_state *l, uint32_t offset)
{
	uint32_t val;

	memcpy(&val, l->regs + offset, sizeof(val));
	return val;
}

uint32_t kvcpu_lapic_reg(const struct kvcpu *v, uint32_t reg)
{
	struct kvm_lapic_state l;

	if (v->vm->mode == IRQCHIP_USER || ioctl(v->fd, KVM_GET_LAPIC, &l))
		return 0;
	return apic_reg(&l, reg);
}

/* The highest vector in IRR that the processor priority lets through, -1 if none. */
static int lapic_pending_vector(const struct kvcpu *v)
{
	const int word_bits = 32;
	const uint32_t stride = APIC_TMR - APIC_ISR;
	struct kvm_lapic_state l;

	if (v->vm->mode == IRQCHIP_USER || ioctl(v->fd, KVM_GET_LAPIC, &l))
		return -1;
	for (int word = LAPIC_VECTORS / word_bits - 1; word >= 0; word--) {
		uint32_t irr = apic_reg(&l, APIC_IRR + (uint32_t)word * stride / 8);
		int vector = word * word_bits + fls64(irr);

		if (irr)
			return GET_FIELD(7, 4, vector) > GET_FIELD(7, 4, apic_reg(&l, APIC_PPR)) ? vector : -1;
	}
	return -1;
}

static void dump_regs(const struct kvcpu *v, struct vcpu_dump *out)
{
	struct kvm_regs r;

	if (ioctl(v->fd, KVM_GET_REGS, &r))
		return;
	const uint64_t gpr[] = { r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi,
				 r.r8,  r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 };

	memcpy(out->gpr, gpr, sizeof(out->gpr));
	out->rip = r.rip;
	out->rsp = r.rsp;
	out->rflags = r.rflags;
}

static void dump_sregs(const struct kvcpu *v, struct vcpu_dump *out)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return;
	out->cr0 = s.cr0;
	out->cr2 = s.cr2;
	out->cr3 = s.cr3;
	out->cr4 = s.cr4;
	out->efer = s.efer;
	out->cs = s.cs.selector;
	out->ss = s.ss.selector;
	out->cs_base = s.cs.l ? 0 : s.cs.base;
}

/* What is in the stash KVM keeps to itself. */
void kvcpu_dump(const struct kvcpu *v, struct vcpu_dump *out)
{
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;

	memset(out, 0, sizeof(*out));
	dump_regs(v, out);
	dump_sregs(v, out);
	out->stash = -1;
	out->lapic_pending = lapic_pending_vector(v);
	if (!ioctl(v->fd, KVM_GET_MP_STATE, &mp))
		out->halted = mp.mp_state == KVM_MP_STATE_HALTED;
	if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events))
		return;
	out->nmi_masked = events.nmi.masked;
	out->shadow = events.interrupt.shadow;
}
