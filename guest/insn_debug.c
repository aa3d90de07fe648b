/* SPDX-License-Identifier: BSD-2-Clause
 * Traps, breakpoints, the shadow and RF, where an instruction reaches a device or exits: its executor owes them.
 * Knows nothing of who that is. */
#include "insn.h"
#include "known.h"
#include "lapic_regs.h"

#define SELECT IOAPIC_DEFAULT_PHYS
#define COUNT_REGISTER (APIC_DEFAULT_PHYS + APIC_TIMER_INITIAL)
#define NOTHING 0xd0000000ull
#define VALUE 0x1bu
#define COUNT 3
#define DWORD 4u
/* DR7, breakpoint 0. */
#define DR7_GLOBAL0 BIT64(1)
#define DR7_WRITE (1ull << 16)
#define DR7_ACCESS (3ull << 16)
#define DR7_LEN4 (3ull << 18)

static uint8_t ram[2 * INSN_PAGE] __attribute__((aligned(INSN_PAGE)));
static const struct insn_setup plain;

INSN(debug_load, "movl (%rsi), %eax");
INSN(debug_store, "movl %edx, (%rdi)");
INSN(debug_add, "addl %edx, (%rdi)");
INSN(debug_rep_movsb, "rep movsb");
INSN(debug_rep_stosl, "rep stosl");
INSN(debug_rep_lodsl, "rep lodsl");
INSN(debug_repe_scasl, "repe scasl");

static volatile uint32_t *at(uint64_t address)
{
	return (volatile uint32_t *)address;
}

/* ---- the single step ---- */

static void expect_steps(const struct insn_code *code, unsigned steps)
{
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(arrivals_of(VEC_DB), steps);
	for (unsigned i = 0; i + 1 < steps; i++)
		EXPECT_ARRIVAL(i, VEC_DB, code->at);
	EXPECT_ARRIVAL(steps - 1, VEC_DB, code->next);
	EXPECT_EQ(insn_fault.dr6, DR6_INIT | DR6_BS);
}

SCENARIO(insn_mmio_step, .name = "insn.mmio-single-step", .xfails = { KVM_STEP })
{
	struct insn_regs in = { .rsi = COUNT_REGISTER, .rdi = COUNT_REGISTER, .rdx = VALUE, .flags = RFLAGS_TF };

	insn_run(&debug_load, &in, &plain);
	expect_steps(&debug_load, 1);
	insn_run(&debug_add, &in, &plain);
	expect_steps(&debug_add, 1);
	in.rdi = SELECT;
	insn_run(&debug_store, &in, &plain);
	expect_steps(&debug_store, 1);
	EXPECT_EQ(*at(SELECT), VALUE);
}

/* APM v2, "Single Stepping": a repeated string instruction traps behind each iteration. */
SCENARIO(insn_mmio_rep_step, .name = "insn.mmio-rep-movs-single-step", .xfails = { QEMU_10_STEP, KVM_STEP })
{
	struct insn_regs in = { .rsi = SELECT, .rdi = (uint64_t)ram, .rcx = COUNT, .flags = RFLAGS_TF };

	insn_run(&debug_rep_movsb, &in, &plain);
	expect_steps(&debug_rep_movsb, COUNT);
	EXPECT_EQ(insn_regs.rcx, 0);
	EXPECT_EQ(insn_regs.rsi, SELECT + COUNT);
}

/* The first iterations on RAM, which the CPU executes, the last in the I/O APIC's page; and the other way round. */
SCENARIO(insn_stos_step, .name = "insn.mmio-rep-stos-single-step", .xfails = { QEMU_10_STOS })
{
	struct insn_regs in = { .rax = VALUE, .rcx = COUNT, .flags = RFLAGS_TF };
	uint64_t device;

	memset(ram, 0, sizeof(ram)); /* touched: no nested fault in the middle, see insn_nested_step */
	insn_window_clear();
	insn_map(0, ram, PTE_P | PTE_W);
	device = (uint64_t)insn_map(1, (const void *)SELECT, PTE_P | PTE_W | PTE_PCD);
	*at(SELECT) = 0;
	in.rdi = device - 2 * DWORD;
	insn_run(&debug_rep_stosl, &in, &plain);
	expect_steps(&debug_rep_stosl, COUNT);
	EXPECT_EQ(*at(SELECT), VALUE);
	*at(SELECT) = 0;
	in.rdi = device;
	in.flags |= RFLAGS_DF;
	insn_run(&debug_rep_stosl, &in, &plain);
	expect_steps(&debug_rep_stosl, COUNT);
	EXPECT_EQ(*at(SELECT), VALUE);
}

/* The instruction faults in the nested page tables first, which is no part of it, and nothing is due before it has run. */
SCENARIO(insn_nested_step, .name = "insn.nested-fault-single-step", .xfails = { BOCHS_VMX_STEP })
{
	ram[0] = 0;
	lab_unmap(ram);
	insn_run(&debug_store, &(struct insn_regs){ .rdi = (uint64_t)ram, .rdx = VALUE, .flags = RFLAGS_TF }, &plain);
	EXPECT_EQ(ram[0], VALUE);
	expect_steps(&debug_store, 1);
}

SCENARIO(insn_nothing_step, .name = "insn.mmio-rep-single-step-over-nothing", .xfails = { QEMU_10_STEP, KVM_STEP })
{
	struct insn_regs in = { .rsi = NOTHING, .rdi = NOTHING, .rcx = COUNT, .flags = RFLAGS_TF };

	insn_run(&debug_rep_stosl, &in, &plain);
	expect_steps(&debug_rep_stosl, COUNT);
	insn_run(&debug_rep_lodsl, &in, &plain);
	expect_steps(&debug_rep_lodsl, COUNT);
	in.rax = *at(NOTHING);
	insn_run(&debug_repe_scasl, &in, &plain);
	expect_steps(&debug_repe_scasl, COUNT);
	in.rax = (uint32_t)~in.rax; /* the first ends it */
	insn_run(&debug_repe_scasl, &in, &plain);
	expect_steps(&debug_repe_scasl, 1);
}

/* SDM v3, "Instruction-Breakpoint Exception Condition": a trap behind any iteration but the last pushes RF = 1, so that a
 * breakpoint on the instruction does not hit in its middle. */
SCENARIO(insn_rep_rf, .name = "insn.mmio-rep-step-pushes-rf", .xfails = { QEMU_NO_RF_REP, BOCHS_NO_RF_REP, KVM_STEP })
{
	insn_run(&debug_rep_movsb,
		 &(struct insn_regs){ .rsi = SELECT, .rdi = (uint64_t)ram, .rcx = COUNT, .flags = RFLAGS_TF }, &plain);
	expect_steps(&debug_rep_movsb, COUNT);
	for (unsigned i = 0; i + 1 < COUNT; i++)
		EXPECT_EQ(arrivals.log[i].rflags & RFLAGS_RF, RFLAGS_RF);
	EXPECT_EQ(arrivals.log[COUNT - 1].rflags & RFLAGS_RF, 0);
}

/* ---- data breakpoints ---- */

static void expect_break(const struct insn_code *code, uint64_t address, uint64_t watched, uint64_t dr7, bool hit)
{
	struct insn_setup watch = { .dr0 = watched, .dr7 = DR7_GLOBAL0 | dr7 };

	insn_run(code, &(struct insn_regs){ .rsi = address, .rdi = address, .rdx = VALUE }, &watch);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(arrivals_of(VEC_DB), hit);
	if (!hit)
		return;
	EXPECT_ARRIVAL(0, VEC_DB, code->next);
	EXPECT_EQ(insn_fault.dr6, DR6_INIT | DR6_B(0));
}

/* SDM v3, "Breakpoint Field Recognition": any byte of the access in the range of DR0 and LEN0 hits; R/W0 = 01 writes alone. */
static void expect_breaks_at(uint64_t reg)
{
	expect_break(&debug_store, reg, reg, DR7_WRITE | DR7_LEN4, true);
	expect_break(&debug_load, reg, reg, DR7_WRITE | DR7_LEN4, false);
	expect_break(&debug_load, reg, reg, DR7_ACCESS | DR7_LEN4, true);
	expect_break(&debug_store, reg, reg, DR7_ACCESS | DR7_LEN4, true);
	expect_break(&debug_store, reg, reg + DWORD - 1, DR7_WRITE, true);
	expect_break(&debug_load, reg, reg + 1, DR7_ACCESS, true);
	expect_break(&debug_load, reg, reg + DWORD, DR7_ACCESS | DR7_LEN4, false);
	expect_break(&debug_load, reg, reg - 1, DR7_ACCESS, false);
	expect_break(&debug_add, reg, reg, DR7_WRITE, true);
}

SCENARIO(insn_lapic_breakpoint, .name = "insn.lapic-data-breakpoint", .xfails = { KVM_BREAKPOINTS })
{
	expect_breaks_at(COUNT_REGISTER);
}

SCENARIO(insn_ioapic_breakpoint, .name = "insn.ioapic-data-breakpoint", .xfails = { KVM_BREAKPOINTS })
{
	expect_breaks_at(SELECT);
}

/* SDM v3, "Data Memory and I/O Breakpoint Exception Conditions": of a repeated instruction the trap comes behind the iteration
 * that has hit, and the rest is done when its handler returns. */
SCENARIO(insn_rep_breakpoint, .name = "insn.mmio-rep-data-breakpoint", .xfails = { QEMU_10_BREAKPOINT, KVM_BREAKPOINTS })
{
	struct insn_setup watch = { .dr0 = SELECT + 1, .dr7 = DR7_GLOBAL0 | DR7_ACCESS };

	insn_run(&debug_rep_movsb, &(struct insn_regs){ .rsi = SELECT, .rdi = (uint64_t)ram, .rcx = COUNT }, &watch);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(arrivals_of(VEC_DB), 1);
	EXPECT_ARRIVAL(0, VEC_DB, debug_rep_movsb.at);
	EXPECT_EQ(insn_fault.dr6, DR6_INIT | DR6_B(0));
	EXPECT_EQ(insn_regs.rcx, 0);
}

/* ---- the shadow of STI ---- */

/* SDM v2, "STI": interrupts are blocked until the instruction behind it has been executed, be it by the CPU or not; then what
 * is pending comes, not later. */
#define SHADOW(name, insn)                                                  \
	SEQUENCE(name,                                                      \
		"	mov $" STR(SELECT_ADDRESS) ", %esi\n"               \
		"	mov $" STR(LAPIC_ADDRESS) ", %edi\n"                \
		"	sti\n"                                              \
		"	" insn "\n"                                         \
		SEQ_LABEL(name##_next)                                      \
		"	nop\n"                                              \
		"	nop\n"                                              \
		"	cli\n");                                            \
	extern const char name##_next[]
#define SELECT_ADDRESS 0xfec00000
#define LAPIC_ADDRESS 0xfee00380
_Static_assert(SELECT_ADDRESS == SELECT && LAPIC_ADDRESS == COUNT_REGISTER, "for assembly");

SHADOW(shadow_ioapic, "movl (%rsi), %eax");
SHADOW(shadow_lapic, "movl (%rdi), %eax");
SHADOW(shadow_lapic_store, "movl %eax, (%rdi)");

static void expect_behind(void (*sequence)(void), const char *next)
{
	arrivals_clear();
	apic_self_ipi(V_MID);
	sequence();
	EXPECT_ARRIVAL(0, V_MID, next);
	EXPECT_EQ(arrivals.count, 1);
}

SCENARIO(insn_shadow, .name = "insn.mmio-ends-the-shadow")
{
	on_vector(V_MID, apic_handler);
	expect_behind(shadow_ioapic, shadow_ioapic_next);
	expect_behind(shadow_lapic, shadow_lapic_next);
	expect_behind(shadow_lapic_store, shadow_lapic_store_next);
}

/* ---- RF of an instruction that exits and is none ---- */

INSN(debug_vmmcall, "vmmcall");
INSN(debug_vmcall, "vmcall");

static void expect_undefined_with_rf(const struct insn_code *code)
{
	if (on_platform("kvm-*"))
		skip("a hypercall of KVM's");
	insn_run(code, &(struct insn_regs){ 0 }, &plain);
	EXPECT_EQ(insn_fault.count, 1);
	EXPECT_EQ(insn_fault.vector, VEC_UD);
	EXPECT_EQ(insn_fault.rip, code->at);
	EXPECT_EQ(insn_fault.rflags & RFLAGS_RF, RFLAGS_RF);
}

/* Where it exits, the hypervisor injects the #UD; elsewhere it is the CPU's own. */
SCENARIO(insn_vmmcall, .name = "insn.vmmcall-pushes-rf", .xfails = { QEMU_NO_RF })
{
	expect_undefined_with_rf(&debug_vmmcall);
}

SCENARIO(insn_vmcall, .name = "insn.vmcall-pushes-rf", .xfails = { QEMU_CPU_NO_RF })
{
	expect_undefined_with_rf(&debug_vmcall);
}
