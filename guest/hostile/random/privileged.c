/* SPDX-License-Identifier: BSD-2-Clause
 * The privileged and the strange, each biased to where hypervisors and emulators are weak.
 * Knows nothing of what becomes of it. */
#include "random.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define REX_R 4
#define RET_FAR 0xcb
#define IRET 0xcf
#define HLT 0xf4
#define STI 0xfb
#define CLI 0xfa
#define POPF 0x9d
#define BIT_BTC 7
#define OP_GROUP5 0xff
#define G5_FAR_CALL 3
#define G5_FAR_JMP 5
#define OP_GROUP7 0x0f01
#define G7_LGDT 2
#define G7_SMSW 4
#define G7_INVLPG 7
#define OP_CLTS 0x0f06
#define OP_XSETBV 0x0f01d1
#define OP_MOV_FROM_CR 0x0f20
#define OP_MOV_FROM_DR 0x0f21
#define OP_MOV_TO_CR 0x0f22
#define OP_MOV_TO_DR 0x0f23
#define OP_WRMSR 0x0f30
#define OP_RDMSR 0x0f32
#define OP_PUSH_RAX 0x50
#define OP_MOV_LOAD 0x8b
#define OP_MOV_FROM_SREG 0x8c
#define OP_MOV_TO_SREG 0x8e
#define OP_INT 0xcd
#define FLAGS_RESERVED 0x2u
#define FLAGS_TF 0x100u
#define FLAGS_IF 0x200u
#define FLAGS_NT 0x4000u
#define FLAGS_VM 0x20000u
#define DESC_L 0x200000u /* of a descriptor's upper half */
#define DESC_D 0x400000u
#define DR7_GD 0x2000u
#define DR7_ENABLES 0x3ffu
#define PAGE_BITS 0xfffu
#define APIC_ICR 0x300

/* ---- control, debug and model-specific registers ---- */

/* Read, one bit changed, written back: most bits of a value nobody likes hide the one that matters. */
static void e_flip(struct gen *g, unsigned reg, uint32_t bit)
{
	e_bits32(g);
	e_rex_w(g);
	e_rm(g, OP_BIT_IMM, BIT_BTC, reg);
	e8(g, bit);
}

void make_control(struct gen *g)
{
	static const uint8_t crs[] = { 0, 0, 0, 2, 3, 4, 4, 4, 8, 1, 5 };
	unsigned cr = PICK(g, crs), reg = some_reg(g);

	switch (rnd(g, 8)) {
	case 0:
		e_rm(g, OP_GROUP7, G7_SMSW + 2 * rnd(g, 2), reg); /* or LMSW */
		return;
	case 1:
		e_op(g, OP_CLTS);
		return;
	case 2:
		e_mov(g, RCX, rnd(g, 2));
		e_mov(g, RAX, odd_value(g));
		e_mov(g, RDX, 0);
		e_op(g, OP_XSETBV);
		return;
	case 3:
		e_mov(g, reg, odd_value(g));
		break;
	default:
		if (cr >= 8)
			e8(g, REX | REX_R);
		e_rm(g, OP_MOV_FROM_CR, cr, reg);
		e_flip(g, reg, cr == 0 && one_in(g, 2) ? PICK(g, ((const uint8_t[]){ 0, 16, 18, 29, 30, 31 })) : rnd(g, 32));
		break;
	}
	if (cr >= 8)
		e8(g, REX | REX_R);
	e_rm(g, OP_MOV_TO_CR, cr, reg);
}

void make_debug(struct gen *g)
{
	unsigned dr = rnd(g, 8), reg = some_reg(g);
	uint32_t value = dr == 7 ? (rnd32(g) | 1) & ~DR7_GD : some_address(g);

	if (one_in(g, 4))
		value = odd_value(g);
	else if (dr < 4 && one_in(g, 3))
		value = (one_in(g, 2) ? USER_STACK : STACK_TOP) - rnd(g, 64);
	if (is_dr7(dr) && same_word(g->avoid, "watched-stack"))
		value &= DR7_ENABLES; /* all on execution */
	if (one_in(g, 4)) {
		e_rm(g, OP_MOV_FROM_DR, dr, reg);
		return;
	}
	e_mov(g, reg, value);
	e_rm(g, OP_MOV_TO_DR, dr, reg);
}

static uint32_t some_msr(struct gen *g)
{
	/* TSC, PLATFORM_ID, APIC_BASE, FEATURE_CONTROL, TSC_ADJUST, SPEC_CTRL, BIOS_SIGN_ID, PMC0, MTRRCAP, ARCH_CAPABILITIES,
	 * SYSENTER_*, MCG_CAP, PERFEVTSEL0, PERF_STATUS, MISC_ENABLE, DEBUGCTL, MTRRs, PAT, MTRR_DEF_TYPE, PERF_CAPABILITIES,
	 * PERF_GLOBAL_CTRL, MC0_CTL, VMX_BASIC, TSC_DEADLINE; x2APIC: its first, TPR, EOI, LDR, ESR, ICR, LVT timer, initial count,
	 * self-IPI; BNDCFGS, XSS; the ranges of hypervisors, KVM's; EFER, STAR, LSTAR, CSTAR, SFMASK, FS_BASE, GS_BASE,
	 * KERNEL_GS_BASE, TSC_AUX; AMD: PerfEvtSel0, SYSCFG, HWCR, the pending-message MSR, VM_CR, VM_HSAVE_PA, DE_CFG */
	static const uint32_t first[] = { 0x10, 0x17, 0x1b, 0x3a, 0x3b, 0x48, 0x8b, 0xc1, 0xfe, 0x10a, 0x174, 0x175, 0x176, 0x179,
					  0x186, 0x198, 0x1a0, 0x1d9, 0x200, 0x250, 0x277, 0x2ff, 0x345, 0x38f, 0x400, 0x480, 0x6e0,
					  0x800, 0x808, 0x80b, 0x80d, 0x828, 0x830, 0x832, 0x838, 0x83f, 0xd90, 0xda0, 0x40000000,
					  0x4b564d00, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101,
					  0xc0000102, 0xc0000103, 0xc0010000, 0xc0010010, 0xc0010015, 0xc0010055, 0xc0010114,
					  0xc0010117, 0xc0011029 };

	uint32_t msr = PICK(g, first);

	if (one_in(g, 12))
		return rnd32(g);
	return one_in(g, 4) ? msr + rnd(g, 8) : msr;
}

void make_msrs(struct gen *g)
{
	e_mov(g, RCX, some_msr(g));
	if (one_in(g, 3)) {
		e_op(g, OP_RDMSR);
		return;
	}
	if (one_in(g, 2)) {
		unsigned half = one_in(g, 4) ? RDX : RAX;

		e_op(g, OP_RDMSR);
		e_flip(g, half, rnd(g, 32));
	} else {
		e_mov(g, RAX, odd_value(g));
		e_mov(g, RDX, one_in(g, 3) ? odd_value(g) : 0);
	}
	e_op(g, OP_WRMSR);
}

/* ---- descriptor tables, segments, far transfers, tasks ---- */

static uint32_t some_selector(struct gen *g)
{
	uint32_t selector = rnd(g, GDT_ENTRIES) * 8;

	if (one_in(g, 8))
		return rnd(g, UINT16_MAX + 1);
	return one_in(g, 3) ? selector | rnd(g, 8) : selector;
}

/* TF stays for long, so it is not that often. */
static uint32_t some_flags(struct gen *g, uint32_t tf_in)
{
	uint32_t flags = odd_value(g);

	if (same_word(g->avoid, mode_names[VM86]))
		flags &= ~FLAGS_VM;
	return one_in(g, tf_in) ? flags : flags & ~FLAGS_TF;
}

static uint32_t some_target(struct gen *g)
{
	return one_in(g, 8) ? some_address(g) : CODE + rnd(g, BLOCKS) * BLOCK_SIZE;
}

void make_tables(struct gen *g)
{
	static const uint32_t pointers[] = { V_GDTR, V_IDTR, V_IDTR_BAD };
	/* groups 6 and 6, LAR, LSL */
	static const uint32_t loads[] = { 0x0f00, 0x0f00, 0x0f02, 0x0f03 };

	unsigned which = rnd(g, 8);
	uint32_t address = some_address(g), value;

	switch (rnd(g, 4)) {
	case 0: /* SGDT, SIDT */
		e_mem(g, OP_GROUP7, which % 2, address);
		return;
	case 1: /* LGDT, LIDT */
		e_mem(g, OP_GROUP7, G7_LGDT + which % 2, which & 2 ? PICK(g, pointers) : address);
		return;
	case 2: /* a descriptor of any kind */
		address = GDT + rnd(g, GDT_ENTRIES) * 8 + 4;
		value = odd_value(g);
		if (same_word(g->avoid, "code-l-and-d") && (value & DESC_L))
			value &= ~DESC_D;
		e_store(g, address, value);
		return;
	default: /* SLDT, STR, LLDT, LTR, VERR, VERW; LAR, LSL */
		e_mov(g, RAX, some_selector(g));
		e_rm(g, PICK(g, loads), which, RAX);
	}
}

void make_segments(struct gen *g)
{
	/* POP ES, SS, DS, FS, GS; LES, LDS, LSS, LFS, LGS */
	static const uint32_t pops[] = { 0x07, 0x17, 0x1f, 0x0fa1, 0x0fa9 };
	static const uint32_t far_loads[] = { 0xc4, 0xc5, 0x0fb2, 0x0fb4, 0x0fb5 };

	uint32_t load = PICK(g, far_loads);

	e_mov(g, RAX, some_selector(g));
	switch (rnd(g, 4)) {
	case 0:
		e8(g, OP_PUSH_RAX);
		e_op(g, PICK(g, pops));
		return;
	case 1:
		e_mem(g, load, RDX, DATA + rnd(g, DATA_SIZE));
		return;
	default:
		e_rm(g, OP_MOV_TO_SREG, rnd(g, 6), RAX);
	}
}

/* JMP and CALL through a pointer in memory, RETF, IRET. */
void make_far(struct gen *g)
{
	uint32_t at = DATA + rnd(g, DATA_SIZE - 16);

	if (one_in(g, 2)) {
		e_store(g, at, some_target(g));
		e_store(g, at + (g->bits == 16 ? 2 : 4), some_selector(g));
		e_mem(g, OP_GROUP5, one_in(g, 2) ? G5_FAR_JMP : G5_FAR_CALL, at);
		return;
	}
	if (one_in(g, 2)) { /* outward, maybe */
		e_push(g, some_selector(g));
		e_push(g, USER_STACK);
	}
	if (one_in(g, 2)) {
		e_push(g, some_flags(g, 2));
		e_push(g, some_selector(g));
		e_push(g, some_target(g));
		e_bits32(g);
		e_rex_w(g);
		e8(g, IRET);
	} else {
		e_push(g, some_selector(g));
		e_push(g, some_target(g));
		e_bits32(g);
		e_rex_w(g);
		e8(g, RET_FAR);
	}
}

void make_system_calls(struct gen *g)
{
	/* SYSCALL, SYSRET, SYSENTER, SYSEXIT, INT3, INTO, INT1, UD2, UD0, SWAPGS, RSM */
	static const uint32_t ops[] = { 0x0f05, 0x0f07, 0x0f34, 0x0f35, 0xcc, 0xce, 0xf1, 0x0f0b, 0x0fff, 0x0f01f8, 0x0faa };

	if (one_in(g, 2)) {
		e8(g, OP_INT);
		e8(g, rnd(g, 256));
	} else {
		e_mov(g, RCX, some_target(g));
		e_mov(g, RDX, some_target(g));
		e_op(g, PICK(g, ops));
	}
}

void make_tasks(struct gen *g)
{
	uint32_t at = DATA + rnd(g, DATA_SIZE - 16);

	if (one_in(g, 4)) {
		at = rnd(g, TSS_SIZE) + (one_in(g, 2) ? TSS : TSS_OTHER);
		e_store(g, at, odd_value(g));
		return;
	}
	if (one_in(g, 4)) { /* a nested task returns */
		e_push(g, FLAGS_NT | FLAGS_RESERVED | (one_in(g, 2) ? FLAGS_IF : 0));
		e_bits32(g);
		e8(g, POPF);
		e_bits32(g);
		e8(g, IRET);
		return;
	}
	e_store(g, at, 0);
	e_store(g, at + (g->bits == 16 ? 2 : 4), one_in(g, 2) ? SEL_TSS_OTHER : SEL_TASK_GATE);
	e_mem(g, OP_GROUP5, one_in(g, 2) ? G5_FAR_JMP : G5_FAR_CALL, at);
}

/* ---- flags, shadows, sleep ---- */

void make_flags(struct gen *g)
{
	/* then PUSHF, CLD, STD, NOP, PAUSE, SAHF, LAHF, PUSH SS */
	static const uint32_t ops[] = { STI, CLI, 0x9c, 0xfc, 0xfd, 0x90, 0xf390, 0x9e, 0x9f, 0x16 };

	switch (rnd(g, 6)) {
	case 0:
		e_push(g, some_flags(g, 3));
		e_bits32(g);
		e8(g, POPF);
		return;
	case 1:
		e8(g, STI);
		e8(g, HLT);
		return;
	case 2:
		if (one_in(g, 4))
			e8(g, HLT);
		return;
	case 3: /* MOV SS and what it shadows */
		e_rm(g, OP_MOV_FROM_SREG, 2, RAX);
		e_rm(g, OP_MOV_TO_SREG, 2, RAX);
		return;
	default:
		e_op(g, PICK(g, ops));
	}
}

/* ---- paging ---- */

void make_page_tables(struct gen *g)
{
	uint32_t entry = TABLES + rnd(g, TABLES_PAGES * 512) * 8;

	switch (rnd(g, 4)) {
	case 0:
		e_mem(g, OP_BIT_IMM, BIT_BTC, entry);
		e8(g, rnd(g, one_in(g, 4) ? 32 : 12));
		return;
	case 1: /* the upper half, where there is one */
		e_mem(g, OP_BIT_IMM, BIT_BTC, entry + 4);
		e8(g, rnd(g, 32));
		return;
	case 2:
		e_store(g, entry, odd_value(g) & PAGE_BITS);
		return;
	default: /* the entry is used: INVLPG, then a reload of CR3, maybe; a read */
		e_mem(g, OP_GROUP7, G7_INVLPG, some_address(g));
		if (one_in(g, 2)) {
			e_rm(g, OP_MOV_FROM_CR, 3, RAX);
			e_rm(g, OP_MOV_TO_CR, 3, RAX);
		}
		e_mem(g, OP_MOV_LOAD, RDX, DATA + rnd(g, DATA_SIZE));
	}
}

/* ---- virtualization and other things that a guest has no business with ---- */

void make_virtualization(struct gen *g)
{
	/* VMCALL, VMLAUNCH, VMRESUME, VMXOFF, VMFUNC, XEND, XTEST, VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, INVLPGA,
	 * MONITOR, MWAIT, CLAC, STAC, ENCLS, ENCLV, ENCLU, RDTSCP, MONITORX, MWAITX, WRPKRU, RDPKRU */
	static const uint32_t ops[] = { 0x0f01c1, 0x0f01c2, 0x0f01c3, 0x0f01c4, 0x0f01d4, 0x0f01d5, 0x0f01d6, 0x0f01d8, 0x0f01d9,
					0x0f01da, 0x0f01db, 0x0f01dc, 0x0f01dd, 0x0f01de, 0x0f01df, 0x0f01c8, 0x0f01c9, 0x0f01ca,
					0x0f01cb, 0x0f01cf, 0x0f01c0, 0x0f01d7, 0x0f01f9, 0x0f01fa, 0x0f01fb, 0x0f01ef, 0x0f01ee };
	/* VMREAD, VMWRITE, INVEPT, INVVPID, INVPCID; VMPTRLD and VMPTRST, VMCLEAR, VMXON */
	static const uint32_t mem_ops[] = { 0x0f78, 0x0f79, 0x660f3880, 0x660f3881, 0x660f3882, 0x0fc7, 0x660fc7, 0xf30fc7 };
	uint32_t op = PICK(g, mem_ops);

	e_mov(g, RAX, one_in(g, 2) ? DATA : some_address(g));
	e_mov(g, RCX, odd_value(g));
	if (one_in(g, 3))
		e_mem(g, op, 6 + rnd(g, 2), DATA);
	else
		e_op(g, PICK(g, ops));
}

void make_identification(struct gen *g)
{
	static const uint32_t leaves[] = { 0, 1, 2, 4, 5, 6, 7, 0xa, 0xb, 0xd, 0x14, 0x1f, 0x40000000, 0x80000000, 0x80000008,
					   0x8000000a, 0x8000001d, 0x80000021 };
	/* CPUID, RDTSC, RDTSCP, RDPMC, INVD, WBINVD, WBNOINVD, MFENCE, RDRAND, RDSEED, RDPID, RDFSBASE, WRGSBASE, XGETBV, GETSEC,
	 * PREFETCHW */
	static const uint32_t ops[] = { 0x0fa2, 0x0fa2, 0x0fa2, 0x0f31, 0x0f01f9, 0x0f33, 0x0f08, 0x0f09, 0xf30f09, 0x0faef0,
					0x0fc7f0, 0x0fc7f8, 0xf30fc7f8, 0xf30faec0, 0xf30faed8, 0x0f01d0, 0x0f37, 0x0f0d08 };

	e_mov(g, RAX, one_in(g, 8) ? odd_value(g) : PICK(g, leaves));
	e_mov(g, RCX, rnd(g, 4));
	e_op(g, PICK(g, ops));
}

/* The local APIC, in the ways that software does talk to it. */
void make_local_apic(struct gen *g)
{
	/* TPR, EOI, LDR, DFR, SVR, ESR, ICR and its high half, the LVT of the timer, of LINT0 and 1 and of errors, initial count,
	 * divisor, ID, version; INIT, NMI and SMI, fixed and lowest priority, by shorthands */
	static const uint16_t registers[] = { 0x80, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310, 0x320, 0x350, 0x360, 0x370, 0x380,
					      0x3e0, 0x20, 0x30 };
	static const uint32_t icr[] = { 0x40000, 0x44000, 0x40400, 0x80000, 0x84500, 0x84608, 0x40600, 0x4500 };

	uint32_t command = PICK(g, icr), value = odd_value(g);

	if (one_in(g, 3))
		e_store(g, LOCAL_APIC + APIC_ICR, command | (value & 0xff));
	else
		e_store(g, LOCAL_APIC + PICK(g, registers), value);
}
