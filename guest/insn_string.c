/* SPDX-License-Identifier: BSD-2-Clause
 * INS and OUTS: operands, page protection, accessed and dirty bits, single steps and breakpoints. A hypervisor executes
 * them for the guest, and owes it all that the CPU does on the way.
 * Ports that read back on any PC: the scratch register of COM1 (16550), the RAM of the RTC.
 * Knows nothing of the hypervisor under it. */
#include "insn.h"
#include "known.h"

#define SCRATCH_PORT 0x3ff
#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define RTC_RAM 0x50
#define FIRST 0x31
#define SECOND 0x52
#define THIRD 0x73
#define OVERRIDE_BASE 16
#define COUNT 3
#define PTE_BIT51 BIT64(51)
#define NOT_CANONICAL (1ull << 47)
#define PAGE_END (INSN_PAGE - 1)
#define CPUID_PHYS_BITS 0x80000008u
#define PHYS_BITS_MAX 52
/* DR7, breakpoint 0: enabled globally, R/W0, LEN0 = one byte. */
#define DR7_GLOBAL0 BIT64(1)
#define DR7_RW0_WRITE (1ull << 16)
#define DR7_RW0_IO (2ull << 16)
#define DR7_RW0_ACCESS (3ull << 16)

static uint8_t ram[2 * INSN_PAGE] __attribute__((aligned(INSN_PAGE)));
static const struct insn_setup plain;
static const struct insn_setup protect = { .cr0 = CR0_WP };

INSN(string_outsb, "outsb");
INSN(string_outsw, "outsw");
INSN(string_insb, "insb");
INSN(string_insw, "insw");
INSN(string_rep_outsb, "rep outsb");
INSN(string_rep_insb, "rep insb");
INSN(string_fs_outsb, "fs outsb");
INSN(string_gs_outsb, "gs outsb");
INSN(string_fs_insb, "fs insb");
INSN(string_a32_outsb, "addr32 outsb");
INSN(string_a32_rep_insb, "addr32 rep insb");

static void expect_fault(const struct insn_code *code, uint64_t vector, uint64_t error)
{
	EXPECT_EQ(insn_fault.count, 1);
	EXPECT_EQ(insn_fault.vector, vector);
	EXPECT_EQ(insn_fault.error, error);
	EXPECT_EQ(insn_fault.rip, code->at);
}

/* SDM v2, "OUTS": "the (E/R)SI register is incremented or decremented automatically according to the setting of the DF
 * flag", by the size of the operand; and the byte at RSI is what the port gets. */
SCENARIO(insn_outs_plain, .name = "insn.outs-plain")
{
	ram[1] = FIRST;
	insn_run(&string_outsb, &(struct insn_regs){ .rsi = (uint64_t)ram + 1, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_regs.rsi, ram + 2);
	EXPECT_EQ(inb(SCRATCH_PORT), FIRST);
	ram[1] = SECOND;
	insn_run(&string_outsb, &(struct insn_regs){ .rsi = (uint64_t)ram + 1, .rdx = SCRATCH_PORT, .flags = RFLAGS_DF },
		 &plain);
	EXPECT_EQ(insn_regs.rsi, ram);
	EXPECT_EQ(inb(SCRATCH_PORT), SECOND);
}

/* A word of which the first byte is the UART's last register, and the second nobody's. */
INSN(string_inw, "inw %dx, %ax");
SCENARIO(insn_in_beyond, .name = "insn.in-beyond-the-uart", .xfails = { QEMU_UART_WORD, BOCHS_WORD_PORT })
{
	outb(SCRATCH_PORT, FIRST);
	insn_run(&string_inw, &(struct insn_regs){ .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(insn_regs.rax & UINT8_MAX, FIRST);
}

/* SDM v2, "INS": the data goes to ES:(E/R)DI, which then moves on. */
SCENARIO(insn_ins_plain, .name = "insn.ins-plain")
{
	outb(SCRATCH_PORT, FIRST);
	ram[0] = ram[1] = 0;
	insn_run(&string_insb, &(struct insn_regs){ .rdi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_regs.rdi, ram + 1);
	EXPECT_EQ(ram[0], FIRST);
	EXPECT_EQ(ram[1], 0);
}

/* SDM v2, "REP": the string instruction is repeated "the number of times specified in the count register"; a count of 0
 * is no iteration at all. */
SCENARIO(insn_rep_counts, .name = "insn.rep-counts")
{
	ram[0] = FIRST;
	ram[1] = SECOND;
	ram[2] = THIRD;
	insn_run(&string_rep_outsb, &(struct insn_regs){ .rsi = (uint64_t)ram, .rcx = COUNT, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_regs.rcx, 0);
	EXPECT_EQ(insn_regs.rsi, ram + COUNT);
	EXPECT_EQ(inb(SCRATCH_PORT), THIRD);
	insn_run(&string_rep_insb, &(struct insn_regs){ .rdi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_regs.rdi, ram);
	EXPECT_EQ(ram[0], FIRST);
}

/* SDM v2, "OUTS": "the DS segment may be overridden with a segment override prefix"; SDM v2, "INS": "The ES segment cannot
 * be overridden". In 64-bit mode FS and GS alone have a base. */
SCENARIO(insn_override, .name = "insn.segment-override")
{
	uint8_t by_fs, by_gs;

	ram[0] = FIRST;
	ram[OVERRIDE_BASE] = SECOND;
	wrmsr(MSR_FS_BASE, OVERRIDE_BASE);
	wrmsr(MSR_GS_BASE, OVERRIDE_BASE);
	insn_run(&string_fs_outsb, &(struct insn_regs){ .rsi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &plain);
	by_fs = inb(SCRATCH_PORT);
	outb(SCRATCH_PORT, 0);
	insn_run(&string_gs_outsb, &(struct insn_regs){ .rsi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &plain);
	by_gs = inb(SCRATCH_PORT);
	insn_run(&string_fs_insb, &(struct insn_regs){ .rdi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &plain);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	EXPECT_EQ(by_fs, SECOND);
	EXPECT_EQ(by_gs, SECOND);
	EXPECT_EQ(ram[0], SECOND);
}

/* With prefix 67H in 64-bit mode ESI, EDI and ECX count: what is above bit 31 of them is no part of address or count,
 * and a write of a 32-bit register clears the upper half (SDM v1, "General-Purpose Registers in 64-Bit Mode": "32-bit
 * operands generate a 32-bit result, zero-extended to a 64-bit result"). */
SCENARIO(insn_address_size, .name = "insn.address-size-32")
{
	ram[0] = FIRST;
	insn_run(&string_a32_outsb,
		 &(struct insn_regs){ .rsi = INSN_WINDOW | (uint64_t)ram, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(insn_regs.rsi, ram + 1);
	EXPECT_EQ(inb(SCRATCH_PORT), FIRST);
	insn_run(&string_a32_rep_insb,
		 &(struct insn_regs){ .rdi = INSN_WINDOW | (uint64_t)ram, .rcx = INSN_WINDOW | COUNT, .rdx = SCRATCH_PORT },
		 &plain);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(insn_regs.rcx, 0);
	EXPECT_EQ(insn_regs.rdi, ram + COUNT);
}

/* A word of which one byte is on each page. Port 0x70 gets the first and 0x71 the second: RTC RAM shows both. */
SCENARIO(insn_outs_cross, .name = "insn.outs-across-pages", .xfails = { BOCHS_WORD_PORT })
{
	ram[PAGE_END] = RTC_RAM;
	ram[PAGE_END + 1] = FIRST;
	insn_run(&string_outsw, &(struct insn_regs){ .rsi = (uint64_t)ram + PAGE_END, .rdx = RTC_INDEX }, &plain);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(insn_regs.rsi, ram + PAGE_END + 2);
	outb(RTC_INDEX, RTC_RAM);
	EXPECT_EQ(inb(RTC_DATA), FIRST);
}

/* The second page is missing: the address of #PF is the first byte that cannot be written, and nothing is: SDM v3, "Program
 * or Task Restart with Exceptions": a fault leaves the state of before the instruction. */
SCENARIO(insn_ins_cross, .name = "insn.ins-across-pages", .xfails = { KVM_HALF_WRITE })
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, ram, PTE_P | PTE_W) + PAGE_END;
	ram[PAGE_END] = THIRD;
	insn_run(&string_insw, &(struct insn_regs){ .rdi = (uint64_t)p, .rdx = RTC_INDEX }, &plain);
	expect_fault(&string_insw, VEC_PF, PF_ERR_W);
	EXPECT_EQ(insn_fault.cr2, p + 1);
	EXPECT_EQ(insn_regs.rdi, p);
	EXPECT_EQ(ram[PAGE_END], THIRD);
}

/* SDM v3, "Determination of Access Rights": with CR0.WP = 1 supervisor-mode writes are allowed to pages with R/W = 1 alone;
 * with CR0.WP = 0 to all. #PF has P and W, and nothing is changed. */
SCENARIO(insn_ins_read_only, .name = "insn.ins-read-only")
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, ram, PTE_P);
	outb(SCRATCH_PORT, FIRST);
	ram[0] = 0;
	insn_run(&string_insb, &(struct insn_regs){ .rdi = (uint64_t)p, .rdx = SCRATCH_PORT }, &protect);
	expect_fault(&string_insb, VEC_PF, PF_ERR_P | PF_ERR_W);
	EXPECT_EQ(insn_fault.cr2, p);
	EXPECT_EQ(insn_regs.rdi, p);
	EXPECT_EQ(ram[0], 0);
	insn_run(&string_insb, &(struct insn_regs){ .rdi = (uint64_t)p, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(ram[0], FIRST);
}

/* SDM v3, "Page-Fault Exceptions": P and W/R of the error code, for a page that is not there. */
SCENARIO(insn_not_present, .name = "insn.page-not-present")
{
	insn_window_clear();
	insn_map(1, ram, PTE_P);
	insn_run(&string_outsb, &(struct insn_regs){ .rsi = INSN_WINDOW, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&string_outsb, VEC_PF, 0);
	EXPECT_EQ(insn_fault.cr2, INSN_WINDOW);
	insn_run(&string_insb, &(struct insn_regs){ .rdi = INSN_WINDOW, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&string_insb, VEC_PF, PF_ERR_W);
	EXPECT_EQ(insn_fault.cr2, INSN_WINDOW);
}

/* SDM v3, "Instruction-Breakpoint Exception Condition": the image of the flags that a fault pushes has RF = 1. */
SCENARIO(insn_fault_rf, .name = "insn.fault-pushes-rf", .xfails = { QEMU_NO_RF })
{
	insn_window_clear();
	insn_map(1, ram, PTE_P);
	insn_run(&string_outsb, &(struct insn_regs){ .rsi = INSN_WINDOW, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_fault.rflags & RFLAGS_RF, RFLAGS_RF);
}

/* SDM v1, "Canonical Addressing": #GP(0) where an address is not canonical. */
SCENARIO(insn_canonical, .name = "insn.not-canonical")
{
	insn_run(&string_outsb, &(struct insn_regs){ .rsi = NOT_CANONICAL, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&string_outsb, VEC_GP, 0);
	insn_run(&string_insb, &(struct insn_regs){ .rdi = NOT_CANONICAL, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&string_insb, VEC_GP, 0);
}

static unsigned physical_bits(void)
{
	uint32_t a = CPUID_PHYS_BITS, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (uint8_t)a;
}

/* SDM v3, "Page-Fault Exceptions": RSVD, with P, where a reserved bit is set in an entry that is present. */
SCENARIO(insn_reserved_bit, .name = "insn.reserved-bit", .xfails = { QEMU_RESERVED_NO_P })
{
	if (physical_bits() >= PHYS_BITS_MAX)
		skip("no address bit is reserved");
	insn_window_clear();
	insn_map(0, ram, PTE_P | PTE_W | PTE_BIT51);
	insn_run(&string_insb, &(struct insn_regs){ .rdi = INSN_WINDOW, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&string_insb, VEC_PF, PF_ERR_P | PF_ERR_W | PF_ERR_RSVD);
}

/* SDM v3, "Accessed and Dirty Flags": a read sets A, a write sets A and D. */
SCENARIO(insn_accessed_dirty, .name = "insn.accessed-dirty")
{
	insn_window_clear();
	insn_map(0, ram, PTE_P | PTE_W);
	insn_run(&string_outsb, &(struct insn_regs){ .rsi = INSN_WINDOW, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_pte(0) & (PTE_A | PTE_D), PTE_A);
	insn_map(1, ram, PTE_P | PTE_W);
	insn_run(&string_insb, &(struct insn_regs){ .rdi = INSN_WINDOW + INSN_PAGE, .rdx = SCRATCH_PORT }, &plain);
	EXPECT_EQ(insn_pte(1) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

/* SDM v2, "REP": a fault in an iteration leaves registers as the last whole iteration had them. */
SCENARIO(insn_rep_fault, .name = "insn.rep-ins-faults-midway")
{
	uint8_t *p;

	insn_window_clear();
	p = insn_map(0, ram, PTE_P | PTE_W) + PAGE_END - 1;
	insn_run(&string_rep_insb, &(struct insn_regs){ .rdi = (uint64_t)p, .rcx = COUNT, .rdx = SCRATCH_PORT }, &plain);
	expect_fault(&string_rep_insb, VEC_PF, PF_ERR_W);
	EXPECT_EQ(insn_fault.cr2, p + 2);
	EXPECT_EQ(insn_regs.rcx, 1);
	EXPECT_EQ(insn_regs.rdi, p + 2);
}

static void expect_steps(const struct insn_code *code)
{
	EXPECT_EQ(arrivals_of(VEC_DB), COUNT);
	for (unsigned i = 0; i + 1 < COUNT; i++)
		EXPECT_ARRIVAL(i, VEC_DB, code->at);
	EXPECT_ARRIVAL(COUNT - 1, VEC_DB, code->next);
}

/* APM v2, "Single Stepping": a repeated string instruction traps after each iteration. */
SCENARIO(insn_rep_step, .name = "insn.rep-single-step", .xfails = { QEMU_10_STEP, KVM_STEP })
{
	insn_run(&string_rep_outsb,
		 &(struct insn_regs){ .rsi = (uint64_t)ram, .rcx = COUNT, .rdx = SCRATCH_PORT, .flags = RFLAGS_TF }, &plain);
	expect_steps(&string_rep_outsb);
	insn_run(&string_rep_insb,
		 &(struct insn_regs){ .rdi = (uint64_t)ram, .rcx = COUNT, .rdx = SCRATCH_PORT, .flags = RFLAGS_TF }, &plain);
	expect_steps(&string_rep_insb);
}

/* SDM v3, "Data Memory and I/O Breakpoint Exception Conditions": a trap behind the access. */
SCENARIO(insn_data_breakpoint, .name = "insn.data-breakpoint", .xfails = { KVM_BREAKPOINTS })
{
	struct insn_setup watch = { .dr0 = (uint64_t)ram, .dr7 = DR7_GLOBAL0 | DR7_RW0_WRITE };

	insn_run(&string_insb, &(struct insn_regs){ .rdi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &watch);
	EXPECT_EQ(arrivals_of(VEC_DB), 1);
	EXPECT_ARRIVAL(0, VEC_DB, string_insb.next);
	watch.dr7 = DR7_GLOBAL0 | DR7_RW0_ACCESS;
	insn_run(&string_outsb, &(struct insn_regs){ .rsi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &watch);
	EXPECT_EQ(arrivals_of(VEC_DB), 1);
	EXPECT_ARRIVAL(0, VEC_DB, string_outsb.next);
}

/* SDM v3, "Debug Control Register (DR7)": with CR4.DE R/W = 10 breaks on I/O, behind it. */
SCENARIO(insn_io_breakpoint, .name = "insn.io-breakpoint", .xfails = { KVM_BREAKPOINTS })
{
	struct insn_setup watch = { .cr4 = CR4_DE, .dr0 = SCRATCH_PORT, .dr7 = DR7_GLOBAL0 | DR7_RW0_IO };

	insn_run(&string_outsb, &(struct insn_regs){ .rsi = (uint64_t)ram, .rdx = SCRATCH_PORT }, &watch);
	EXPECT_EQ(arrivals_of(VEC_DB), 1);
	EXPECT_ARRIVAL(0, VEC_DB, string_outsb.next);
}
