/* SPDX-License-Identifier: BSD-2-Clause
 * Whose page it is: user and supervisor, NX, SMEP, SMAP and alignment, for instructions that a hypervisor executes for the
 * guest. At CPL 3 with IOPL 3, where ports are open.
 * Knows nothing of the hypervisor under it. */
#include "insn.h"
#include "guest_layout.h"
#include "known.h"

#define SCRATCH_PORT 0x3ff
#define RTC_INDEX 0x70
#define RTC_RAM 0x50
#define FIRST 0x31
#define SECOND 0x52
#define DWORD 4
#define USER (PTE_P | PTE_W | PTE_U)
#define CPUID_EXT_FEATURES 7
#define CPUID_AMD_FEATURES 0x80000001u
#define F7B_SMEP BIT(7)
#define F7B_SMAP BIT(20)
#define FAMD_NX BIT(20)

static uint8_t ram[2 * INSN_PAGE] __attribute__((aligned(INSN_PAGE)));
static const struct insn_setup plain;
static const struct insn_setup aligned = { .cr0 = CR0_AM };
static const struct insn_far user = { SEL_USER_CODE64, SEL_USER_DATA, SEL_USER_DATA, SEL_USER_DATA, PTE_P | PTE_U };

INSN_FAR(user_insb, 64, "insb");
INSN_FAR(user_outsb, 64, "outsb");
INSN_FAR(user_insw, 64, "insw");
INSN_FAR(user_outsw, 64, "outsw");
INSN_FAR(user_load, 64, "movl (%rsi), %eax");
INSN_FAR(user_store, 64, "movl %edx, (%rdi)");
INSN_FAR(user_movs, 64, "movsl");
INSN_FAR(user_nop, 64, "nop");
INSN(super_insb, "insb");
INSN(super_outsb, "outsb");

static void run_at_port(const struct insn_code *code, uint8_t *at, uint16_t port, const struct insn_setup *setup, uint64_t flags)
{
	insn_far_run(code, &user,
		     &(struct insn_regs){ .rsi = (uint64_t)at, .rdi = (uint64_t)at, .rdx = port,
					  .flags = INSN_USER_FLAGS | flags }, setup);
}

static void run(const struct insn_code *code, uint8_t *at, const struct insn_setup *setup, uint64_t flags)
{
	run_at_port(code, at, SCRATCH_PORT, setup, flags);
}

static void expect_fault(const struct insn_code *code, uint64_t vector, uint64_t error)
{
	EXPECT_EQ(insn_fault.count, 1);
	EXPECT_EQ(insn_fault.vector, vector);
	EXPECT_EQ(insn_fault.error, error);
	EXPECT_EQ(insn_fault.rip, code->at);
}

static void expect_page_fault(const struct insn_code *code, uint8_t *at, uint64_t error)
{
	run(code, at, &plain, 0);
	expect_fault(code, VEC_PF, error);
	EXPECT_EQ(insn_fault.cr2, at);
	EXPECT_EQ(insn_regs.rdi, at);
	EXPECT_EQ(insn_regs.rsi, at);
}

/* ---- U/S and R/W ---- */

SCENARIO(insn_user_plain, .name = "insn.user-page")
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, ram, USER);
	ram[0] = 0;
	outb(SCRATCH_PORT, FIRST);
	run(&user_insb, p, &plain, 0);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(ram[0], FIRST);
	EXPECT_EQ(insn_regs.rdi, p + 1);
	ram[0] = SECOND;
	run(&user_outsb, p, &plain, 0);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(inb(SCRATCH_PORT), SECOND);
	EXPECT_EQ(insn_regs.rsi, p + 1);
}

/* SDM v3, "Determination of Access Rights": user-mode accesses go to user-mode addresses alone. The error code has U. */
SCENARIO(insn_user_supervisor, .name = "insn.user-at-supervisor-page")
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, ram, PTE_P | PTE_W);
	ram[0] = SECOND;
	outb(SCRATCH_PORT, FIRST);
	expect_page_fault(&user_insb, p, PF_ERR_P | PF_ERR_W | PF_ERR_U);
	EXPECT_EQ(ram[0], SECOND);
	expect_page_fault(&user_outsb, p, PF_ERR_P | PF_ERR_U);
	EXPECT_EQ(inb(SCRATCH_PORT), FIRST);
}

/* The same, and nothing there; and with R/W = 0, whatever CR0.WP says: that is the supervisor's. */
SCENARIO(insn_user_rights, .name = "insn.user-error-codes")
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, ram, PTE_P | PTE_U);
	expect_page_fault(&user_insb, p, PF_ERR_P | PF_ERR_W | PF_ERR_U);
	expect_page_fault(&user_insb, p + INSN_PAGE, PF_ERR_W | PF_ERR_U);
	expect_page_fault(&user_outsb, p + INSN_PAGE, PF_ERR_U);
}

/* A device's page is a page. */
SCENARIO(insn_user_mmio, .name = "insn.user-at-mmio")
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, (const void *)IOAPIC_DEFAULT_PHYS, PTE_P | PTE_W | PTE_PCD);
	*(volatile uint32_t *)IOAPIC_DEFAULT_PHYS = FIRST;
	expect_page_fault(&user_load, p, PF_ERR_P | PF_ERR_U);
	expect_page_fault(&user_store, p, PF_ERR_P | PF_ERR_W | PF_ERR_U);
	insn_map(0, (const void *)IOAPIC_DEFAULT_PHYS, PTE_P | PTE_U | PTE_PCD);
	expect_page_fault(&user_movs, p, PF_ERR_P | PF_ERR_W | PF_ERR_U);
	run(&user_load, p, &plain, 0);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(insn_regs.rax, FIRST);
}

/* SDM v1, "I/O Privilege Level": with CPL above IOPL and no bit map in the TSS, no port. It comes before the page's rights. */
SCENARIO(insn_user_iopl, .name = "insn.user-iopl")
{
	insn_window_clear();
	insn_far_run(&user_insb, &user, &(struct insn_regs){ .rdi = INSN_WINDOW, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&user_insb, VEC_GP, 0);
	insn_far_run(&user_outsb, &user, &(struct insn_regs){ .rsi = INSN_WINDOW, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&user_outsb, VEC_GP, 0);
}

/* ---- fetches ---- */

static bool cpu_has(uint32_t leaf, uint32_t ebx, uint32_t edx)
{
	uint32_t a = leaf, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (b & ebx) || (d & edx);
}

SCENARIO(insn_user_fetch, .name = "insn.user-fetch")
{
	struct insn_far where = user;
	struct insn_regs in = { .flags = INSN_USER_FLAGS };
	uint64_t efer = rdmsr(MSR_EFER);

	insn_window_clear();
	where.code_pte = PTE_P;
	insn_far_run(&user_nop, &where, &in, &plain);
	expect_fault(&user_nop, VEC_PF, PF_ERR_P | PF_ERR_U);
	if (!cpu_has(CPUID_AMD_FEATURES, 0, FAMD_NX))
		return;
	wrmsr(MSR_EFER, efer | EFER_NXE);
	where.code_pte = PTE_P | PTE_U | PTE_NX;
	insn_far_run(&user_nop, &where, &in, &plain);
	wrmsr(MSR_EFER, efer);
	expect_fault(&user_nop, VEC_PF, PF_ERR_P | PF_ERR_U | PF_ERR_I);
}

/* SDM v3, "Determination of Access Rights": with CR4.SMEP = 1 the supervisor executes nothing from user pages. */
SCENARIO(insn_smep, .name = "insn.smep")
{
	const struct insn_far where = { SEL_CODE64, SEL_DATA, SEL_DATA, SEL_DATA, PTE_P | PTE_U };
	const struct insn_setup smep = { .cr4 = CR4_SMEP };
	struct insn_regs in = { 0 };

	if (!cpu_has(CPUID_EXT_FEATURES, F7B_SMEP, 0))
		skip("no SMEP");
	insn_window_clear();
	insn_far_run(&user_nop, &where, &in, &plain);
	EXPECT_EQ(insn_fault.count, 0);
	insn_far_run(&user_nop, &where, &in, &smep);
	expect_fault(&user_nop, VEC_PF, PF_ERR_P | PF_ERR_I);
}

/* The same with CR4.SMAP = 1, for data, while EFLAGS.AC = 0. */
SCENARIO(insn_smap, .name = "insn.smap")
{
	const struct insn_setup smap = { .cr4 = CR4_SMAP };
	struct insn_regs in = { .rsi = INSN_WINDOW, .rdi = INSN_WINDOW, .rdx = SCRATCH_PORT };

	if (!cpu_has(CPUID_EXT_FEATURES, F7B_SMAP, 0))
		skip("no SMAP");
	insn_window_clear();
	insn_map(0, ram, USER);
	outb(SCRATCH_PORT, FIRST);
	ram[0] = 0;
	insn_run(&super_insb, &in, &smap);
	expect_fault(&super_insb, VEC_PF, PF_ERR_P | PF_ERR_W);
	EXPECT_EQ(ram[0], 0);
	insn_run(&super_outsb, &in, &smap);
	expect_fault(&super_outsb, VEC_PF, PF_ERR_P);
	in.flags = RFLAGS_AC;
	insn_run(&super_insb, &in, &smap);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(ram[0], FIRST);
}

/* ---- alignment ---- */

static void expect_aligned(const struct insn_code *code, uint8_t *p)
{
	run_at_port(code, p + 1, RTC_INDEX, &aligned, RFLAGS_AC);
	expect_fault(code, VEC_AC, 0);
	run_at_port(code, p + 1, RTC_INDEX, &aligned, 0);
	EXPECT_EQ(insn_fault.count, 0);
	run_at_port(code, p + 1, RTC_INDEX, &plain, RFLAGS_AC);
	EXPECT_EQ(insn_fault.count, 0);
	run_at_port(code, p, RTC_INDEX, &aligned, RFLAGS_AC);
	EXPECT_EQ(insn_fault.count, 0);
}

/* SDM v3, "Interrupt 17-Alignment Check Exception (#AC)": CR0.AM, EFLAGS.AC and CPL 3 together. */
SCENARIO(insn_alignment, .name = "insn.user-alignment", .xfails = { QEMU_NO_AC, KVM_NO_AC })
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, ram, USER);
	memset(ram, RTC_RAM, DWORD); /* OUTSW writes an index and its datum */
	expect_aligned(&user_insw, p);
	expect_aligned(&user_outsw, p);
	run(&user_insb, p + 1, &aligned, RFLAGS_AC);
	EXPECT_EQ(insn_fault.count, 0);
}

SCENARIO(insn_mmio_alignment, .name = "insn.user-mmio-alignment", .xfails = { QEMU_NO_AC, KVM_NO_AC })
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, (const void *)APIC_DEFAULT_PHYS, USER | PTE_PCD) + APIC_TIMER_INITIAL;
	run(&user_load, p + 1, &aligned, RFLAGS_AC);
	expect_fault(&user_load, VEC_AC, 0);
	run(&user_store, p + 2, &aligned, RFLAGS_AC);
	expect_fault(&user_store, VEC_AC, 0);
	run(&user_load, p, &aligned, RFLAGS_AC);
	EXPECT_EQ(insn_fault.count, 0);
}
