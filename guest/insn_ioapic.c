/* SPDX-License-Identifier: BSD-2-Clause
 * Instructions with an operand in the I/O APIC's page or where there is nothing: every size, repeated strings, the stack, and
 * operands of which a part is RAM. The register select reads back, by bytes too.
 * Knows nothing of the hypervisor under it. */
#include "insn.h"
#include "known.h"

#define SELECT ((volatile uint32_t *)IOAPIC_DEFAULT_PHYS)
#define INDEX 0x9bu /* a byte whose sign is set */
#define OTHER 0x12u
#define NOTHING 0xd0000000ull /* between RAM and the I/O APIC */
#define FILL 0x5aa5c33c96690ff0ull
#define COUNT 4
#define DWORD ((unsigned)sizeof(uint32_t))
#define HALF 2

static uint8_t ram[2 * INSN_PAGE] __attribute__((aligned(INSN_PAGE)));
static const struct insn_setup plain;

static void run(const struct insn_code *code, const struct insn_regs *in)
{
	insn_run(code, in, &plain);
	EXPECT_EQ(insn_fault.count, 0);
}

static uint32_t *ram_dwords(void)
{
	return (uint32_t *)(void *)ram;
}

/* ---- loads of every size ---- */

INSN(ioapic_movzbl, "movzbl (%rsi), %eax");
INSN(ioapic_movzwq, "movzwq (%rsi), %rax");
INSN(ioapic_movsbw, "movsbw (%rsi), %ax");
INSN(ioapic_movsbq, "movsbq (%rsi), %rax");
INSN(ioapic_movswl, "movswl (%rsi), %eax");
INSN(ioapic_movb, "movb (%rsi), %al");
INSN(ioapic_movw, "movw (%rsi), %ax");
INSN(ioapic_movl, "movl (%rsi), %eax");
INSN(ioapic_movq, "movq (%rsi), %rax");

static uint64_t loaded(const struct insn_code *code, uint64_t from)
{
	run(code, &(struct insn_regs){ .rax = FILL, .rsi = from });
	return insn_regs.rax;
}

/* SDM v2, "MOVZX" and "MOVSX"; SDM v1, "General-Purpose Registers in 64-Bit Mode": a result of 8 or 16 bits leaves the rest
 * of its register, one of 32 bits clears it. */
SCENARIO(insn_load_sizes, .name = "insn.mmio-load-sizes")
{
	*SELECT = INDEX;
	EXPECT_EQ(loaded(&ioapic_movzbl, (uint64_t)SELECT), INDEX);
	EXPECT_EQ(loaded(&ioapic_movzwq, (uint64_t)SELECT), INDEX);
	EXPECT_EQ(loaded(&ioapic_movswl, (uint64_t)SELECT), INDEX);
	EXPECT_EQ(loaded(&ioapic_movsbw, (uint64_t)SELECT), (FILL & ~(uint64_t)UINT16_MAX) | (uint16_t)(int8_t)INDEX);
	EXPECT_EQ(loaded(&ioapic_movsbq, (uint64_t)SELECT), (uint64_t)(int8_t)INDEX);
	EXPECT_EQ(loaded(&ioapic_movb, (uint64_t)SELECT), (FILL & ~(uint64_t)UINT8_MAX) | INDEX);
	EXPECT_EQ(loaded(&ioapic_movw, (uint64_t)SELECT), (FILL & ~(uint64_t)UINT16_MAX) | INDEX);
	EXPECT_EQ(loaded(&ioapic_movl, (uint64_t)SELECT), INDEX);
}

/* Nobody drives the bus of a PC there: ones, in each size. */
SCENARIO(insn_load_nothing, .name = "insn.mmio-nothing-is-ones", .xfails = { QEMU_NOTHING })
{
	EXPECT_EQ(loaded(&ioapic_movb, NOTHING), FILL | UINT8_MAX);
	EXPECT_EQ(loaded(&ioapic_movw, NOTHING), FILL | UINT16_MAX);
	EXPECT_EQ(loaded(&ioapic_movl, NOTHING), UINT32_MAX);
	EXPECT_EQ(loaded(&ioapic_movq, NOTHING), UINT64_MAX);
}

/* ---- strings ---- */

INSN(ioapic_rep_movsb, "rep movsb");
INSN(ioapic_rep_movsl, "rep movsl");
INSN(ioapic_rep_stosl, "rep stosl");
INSN(ioapic_rep_lodsb, "rep lodsb");
INSN(ioapic_repe_cmpsb, "repe cmpsb");
INSN(ioapic_repe_scasb, "repe scasb");
INSN(ioapic_repne_scasb, "repne scasb");

/* As a kernel copies from a device: the bytes of a register, each an access of its own. */
SCENARIO(insn_rep_movs, .name = "insn.mmio-rep-movs")
{
	*SELECT = INDEX;
	ram_dwords()[0] = ram_dwords()[1] = UINT32_MAX;
	run(&ioapic_rep_movsb, &(struct insn_regs){ .rsi = (uint64_t)SELECT, .rdi = (uint64_t)ram, .rcx = DWORD });
	EXPECT_EQ(ram_dwords()[0], INDEX);
	EXPECT_EQ(ram_dwords()[1], UINT32_MAX);
	EXPECT_EQ(insn_regs.rcx, 0);
	EXPECT_EQ(insn_regs.rsi, (uint64_t)SELECT + DWORD);
	EXPECT_EQ(insn_regs.rdi, ram + DWORD);
}

/* The page in front of the I/O APIC's is RAM: one instruction copies from both, and to both. */
static uint8_t *map_ram_and(uint64_t device)
{
	insn_window_clear();
	insn_map(0, ram, PTE_P | PTE_W);
	return insn_map(1, (const void *)device, PTE_P | PTE_W | PTE_PCD);
}

SCENARIO(insn_rep_movs_cross, .name = "insn.mmio-rep-movs-from-ram-and-device")
{
	uint8_t *device = map_ram_and(IOAPIC_DEFAULT_PHYS);
	uint32_t *last = (uint32_t *)(void *)(ram + INSN_PAGE) - 1, *copy = (uint32_t *)(void *)(ram + INSN_PAGE);

	*SELECT = INDEX;
	*last = OTHER;
	copy[0] = copy[1] = 0;
	run(&ioapic_rep_movsl, &(struct insn_regs){ .rsi = (uint64_t)(device - DWORD), .rdi = (uint64_t)copy, .rcx = 2 });
	EXPECT_EQ(copy[0], OTHER);
	EXPECT_EQ(copy[1], INDEX);
	copy[1] = OTHER + 1;
	run(&ioapic_rep_movsl, &(struct insn_regs){ .rsi = (uint64_t)copy, .rdi = (uint64_t)(device - DWORD), .rcx = 2 });
	EXPECT_EQ(*last, OTHER);
	EXPECT_EQ(*SELECT, OTHER + 1);
}

/* From the device down into RAM: DF = 1. */
SCENARIO(insn_rep_stos_down, .name = "insn.mmio-rep-stos-downwards")
{
	uint8_t *device = map_ram_and(IOAPIC_DEFAULT_PHYS);
	uint32_t *last = (uint32_t *)(void *)(ram + INSN_PAGE) - 1;

	*SELECT = 0;
	last[-1] = last[0] = 0;
	run(&ioapic_rep_stosl,
	    &(struct insn_regs){ .rax = INDEX, .rdi = (uint64_t)device, .rcx = 2, .flags = RFLAGS_DF });
	EXPECT_EQ(*SELECT, INDEX);
	EXPECT_EQ(last[0], INDEX);
	EXPECT_EQ(last[-1], 0);
	EXPECT_EQ(insn_regs.rcx, 0);
	EXPECT_EQ(insn_regs.rdi, device - 2 * DWORD);
}

SCENARIO(insn_rep_lods, .name = "insn.mmio-rep-lods")
{
	*SELECT = INDEX;
	run(&ioapic_rep_lodsb,
	    &(struct insn_regs){ .rax = FILL, .rsi = (uint64_t)SELECT + DWORD - 1, .rcx = DWORD, .flags = RFLAGS_DF });
	EXPECT_EQ(insn_regs.rax, (FILL & ~(uint64_t)UINT8_MAX) | INDEX);
	EXPECT_EQ(insn_regs.rcx, 0);
	EXPECT_EQ(insn_regs.rsi, (uint64_t)SELECT - 1);
}

/* SDM v2, "REP": REPE and REPNE end by ZF too, behind the iteration that has set it, and its count has been taken. */
SCENARIO(insn_repe_cmps, .name = "insn.mmio-repe-cmps")
{
	struct insn_regs in = { .rsi = (uint64_t)SELECT, .rdi = (uint64_t)ram, .rcx = COUNT };

	*SELECT = INDEX;
	ram_dwords()[0] = INDEX;
	run(&ioapic_repe_cmpsb, &in);
	EXPECT_EQ(insn_regs.rcx, 0);
	EXPECT_EQ(insn_regs.flags & RFLAGS_ZF, RFLAGS_ZF);
	ram[1] = 1;
	run(&ioapic_repe_cmpsb, &in);
	EXPECT_EQ(insn_regs.rcx, COUNT - 2);
	EXPECT_EQ(insn_regs.rsi, in.rsi + 2);
	EXPECT_EQ(insn_regs.rdi, in.rdi + 2);
	EXPECT_EQ(insn_regs.flags & (RFLAGS_ZF | RFLAGS_CF), RFLAGS_CF);
}

SCENARIO(insn_rep_scas, .name = "insn.mmio-rep-scas")
{
	struct insn_regs in = { .rax = INDEX, .rdi = (uint64_t)SELECT, .rcx = COUNT };

	*SELECT = INDEX;
	run(&ioapic_repe_scasb, &in);
	EXPECT_EQ(insn_regs.rcx, COUNT - 2);
	EXPECT_EQ(insn_regs.rdi, in.rdi + 2);
	run(&ioapic_repne_scasb, &in);
	EXPECT_EQ(insn_regs.rcx, COUNT - 1);
	EXPECT_EQ(insn_regs.flags & RFLAGS_ZF, RFLAGS_ZF);
	in.rax = 0;
	run(&ioapic_repne_scasb, &in);
	EXPECT_EQ(insn_regs.rcx, COUNT - 2);
	EXPECT_EQ(insn_regs.rdi, in.rdi + 2);
}

/* ---- the stack ---- */

INSN(ioapic_push, "pushq (%rsi)\n\tpopq %rax");
INSN(ioapic_pushw, "pushw (%rsi)\n\tpopw %ax");
INSN(ioapic_pop, "pushq %rdx\n\tpopq (%rdi)");

/* SDM v2, "PUSH" and "POP": the operand may be memory, and the stack moves by its size, or the routine returns astray. A
 * quadword is read of which one half is RAM. */
SCENARIO(insn_stack, .name = "insn.mmio-push-pop")
{
	uint8_t *at = map_ram_and(IOAPIC_DEFAULT_PHYS) - DWORD;
	uint32_t *low = (uint32_t *)(void *)(ram + INSN_PAGE) - 1;

	*SELECT = INDEX;
	*low = OTHER;
	EXPECT_EQ(loaded(&ioapic_push, (uint64_t)at), FIELD(63, 32, INDEX) | OTHER);
	EXPECT_EQ(loaded(&ioapic_pushw, (uint64_t)SELECT), (FILL & ~(uint64_t)UINT16_MAX) | INDEX);
	at = map_ram_and(NOTHING) - DWORD;
	run(&ioapic_pop, &(struct insn_regs){ .rdi = (uint64_t)at, .rdx = FILL });
	EXPECT_EQ(*low, (uint32_t)FILL);
}

/* ---- across a page: each byte is what is there ---- */

INSN(ioapic_load, "movl (%rsi), %eax");
INSN(ioapic_store, "movl %edx, (%rdi)");
INSN(ioapic_add, "addl %edx, (%rdi)");
#define LOW_HALF 0x4321u
#define HALF_BITS 16

SCENARIO(insn_cross_device, .name = "insn.mmio-half-ram-half-device")
{
	uint8_t *at = map_ram_and(IOAPIC_DEFAULT_PHYS) - HALF;
	uint16_t *low = (uint16_t *)(void *)(ram + INSN_PAGE) - 1;

	*SELECT = INDEX;
	*low = LOW_HALF;
	EXPECT_EQ(loaded(&ioapic_load, (uint64_t)at), INDEX << HALF_BITS | LOW_HALF);
}

SCENARIO(insn_cross_nothing, .name = "insn.mmio-half-ram-half-nothing", .xfails = { QEMU_NOTHING })
{
	uint8_t *at = map_ram_and(NOTHING) - HALF;
	uint16_t *low = (uint16_t *)(void *)(ram + INSN_PAGE) - 1;

	*low = LOW_HALF;
	EXPECT_EQ(loaded(&ioapic_load, (uint64_t)at), (uint32_t)UINT16_MAX << HALF_BITS | LOW_HALF);
	ram[INSN_PAGE] = OTHER;
	run(&ioapic_store, &(struct insn_regs){ .rdi = (uint64_t)at, .rdx = LOW_HALF + 1 });
	EXPECT_EQ(*low, LOW_HALF + 1);
	EXPECT_EQ(ram[INSN_PAGE], OTHER);
	run(&ioapic_add, &(struct insn_regs){ .rdi = (uint64_t)at, .rdx = 1 });
	EXPECT_EQ(*low, LOW_HALF + 2);
	EXPECT_EQ(insn_regs.flags & (RFLAGS_SF | RFLAGS_CF), RFLAGS_SF);
}

/* The second page is not there: #PF with its address, and the device's register in the first is not touched: a fault leaves
 * everything as it was (SDM v3, "Program or Task Restart with Exceptions"). */
SCENARIO(insn_cross_fault, .name = "insn.mmio-half-device-half-fault")
{
	uint8_t *end;

	insn_window_clear();
	end = insn_map(0, (const void *)APIC_DEFAULT_PHYS, PTE_P | PTE_W | PTE_PCD) + INSN_PAGE;
	insn_run(&ioapic_store, &(struct insn_regs){ .rdi = (uint64_t)(end - HALF), .rdx = FILL }, &plain);
	EXPECT_EQ(insn_fault.count, 1);
	EXPECT_EQ(insn_fault.vector, VEC_PF);
	EXPECT_EQ(insn_fault.error, PF_ERR_W);
	EXPECT_EQ(insn_fault.cr2, end);
	EXPECT_EQ(insn_fault.rip, ioapic_store.at);
}
