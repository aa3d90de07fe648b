/* SPDX-License-Identifier: BSD-2-Clause
 * Instructions with an operand in a register of the local APIC. Each runs on RAM first, where the CPU executes it, and then
 * on the timer's initial count, a register of 32 bits that reads back: registers, flags and operand must agree.
 * Knows nothing of the hypervisor under it. */
#include "insn.h"

#define COUNT_REGISTER (APIC_DEFAULT_PHYS + APIC_TIMER_INITIAL)
#define BEFORE 0x8000a5f1u
#define OPERAND 0x7fff0013u
#define BIT_INDEX 5
#define FLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define FLAGS_LOGIC (FLAGS_ARITHMETIC & ~RFLAGS_AF) /* AF is undefined */

static uint32_t ram[2] __attribute__((aligned(8)));
static const struct insn_setup plain;

struct outcome {
	struct insn_regs regs;
	uint32_t value;
};

static struct outcome outcome_at(const struct insn_code *code, volatile uint32_t *at, uint64_t rcx)
{
	struct insn_regs in = { .rax = BEFORE, .rcx = rcx, .rdx = OPERAND, .rsi = (uint64_t)at, .rdi = (uint64_t)at,
				.flags = RFLAGS_CF };

	*at = BEFORE;
	insn_run(code, &in, &plain);
	EXPECT_EQ(insn_fault.count, 0);
	insn_regs.rsi -= in.rsi;
	insn_regs.rdi -= in.rdi;
	return (struct outcome){ insn_regs, *at };
}

static void expect_alike(const struct insn_code *code, uint64_t rcx, uint64_t flags, const char *what)
{
	struct outcome want = outcome_at(code, ram, rcx);
	struct outcome got = outcome_at(code, (volatile uint32_t *)COUNT_REGISTER, rcx);

	if (got.value != want.value)
		fail("", "%s: operand is %#x, expected %#x", what, got.value, want.value);
	if ((got.regs.flags ^ want.regs.flags) & flags)
		fail("", "%s: flags are %#lx, expected %#lx", what, got.regs.flags, want.regs.flags);
	if (got.regs.rax != want.regs.rax || got.regs.rcx != want.regs.rcx || got.regs.rdx != want.regs.rdx ||
	    got.regs.rsi != want.regs.rsi || got.regs.rdi != want.regs.rdi)
		fail("", "%s: rax %#lx rcx %#lx rdx %#lx rsi %#lx rdi %#lx", what, got.regs.rax, got.regs.rcx,
		     got.regs.rdx, got.regs.rsi, got.regs.rdi);
}

#define ALIKE(code, flags) expect_alike(&(code), BIT_INDEX, (flags), #code)

INSN(mmio_mov_load, "mov (%rsi), %eax");
INSN(mmio_mov_store, "mov %edx, (%rdi)");
INSN(mmio_mov_imm, "movl $0x1234567, (%rdi)");
INSN(mmio_movnti, "movnti %edx, (%rdi)");
INSN(mmio_movsxd, "movslq (%rsi), %rax");
INSN(mmio_stos, "stosl");
INSN(mmio_lods, "lodsl");
INSN(mmio_scas, "scasl");
INSN(mmio_movs, "movsl");
INSN(mmio_cmps, "cmpsl");

/* SDM v2, "MOV", "MOVNTI", "STOS", "LODS", "SCAS": nothing in them depends on what is behind the address. */
SCENARIO(insn_mmio_moves, .name = "insn.mmio-moves")
{
	ALIKE(mmio_mov_load, FLAGS_ARITHMETIC);
	ALIKE(mmio_mov_store, FLAGS_ARITHMETIC);
	ALIKE(mmio_mov_imm, FLAGS_ARITHMETIC);
	ALIKE(mmio_movnti, FLAGS_ARITHMETIC);
	ALIKE(mmio_stos, FLAGS_ARITHMETIC);
	ALIKE(mmio_lods, FLAGS_ARITHMETIC);
	ALIKE(mmio_scas, FLAGS_ARITHMETIC);
	ALIKE(mmio_movs, FLAGS_ARITHMETIC);
	ALIKE(mmio_cmps, FLAGS_ARITHMETIC);
	ALIKE(mmio_movsxd, FLAGS_ARITHMETIC);
}

INSN(mmio_add, "add %edx, (%rdi)");
INSN(mmio_adc, "adc %edx, (%rdi)");
INSN(mmio_sub, "sub %edx, (%rdi)");
INSN(mmio_sbb, "sbb (%rsi), %eax");
INSN(mmio_cmp, "cmp %edx, (%rdi)");
INSN(mmio_inc, "incl (%rdi)");
INSN(mmio_dec, "decl (%rdi)");
INSN(mmio_neg, "negl (%rdi)");
INSN(mmio_and, "and %edx, (%rdi)");
INSN(mmio_or, "or (%rsi), %eax");
INSN(mmio_xor, "xor %edx, (%rdi)");
INSN(mmio_not, "notl (%rdi)");
INSN(mmio_test, "test %edx, (%rdi)");

/* SDM v2, "Flags Affected" of each: the same flags, whatever memory is behind the operand. */
SCENARIO(insn_mmio_arithmetic, .name = "insn.mmio-arithmetic")
{
	ALIKE(mmio_add, FLAGS_ARITHMETIC);
	ALIKE(mmio_adc, FLAGS_ARITHMETIC);
	ALIKE(mmio_sub, FLAGS_ARITHMETIC);
	ALIKE(mmio_sbb, FLAGS_ARITHMETIC);
	ALIKE(mmio_cmp, FLAGS_ARITHMETIC);
	ALIKE(mmio_inc, FLAGS_ARITHMETIC);
	ALIKE(mmio_dec, FLAGS_ARITHMETIC);
	ALIKE(mmio_neg, FLAGS_ARITHMETIC);
	ALIKE(mmio_and, FLAGS_LOGIC);
	ALIKE(mmio_or, FLAGS_LOGIC);
	ALIKE(mmio_xor, FLAGS_LOGIC);
	ALIKE(mmio_not, FLAGS_ARITHMETIC);
	ALIKE(mmio_test, FLAGS_LOGIC);
}

INSN(mmio_xchg, "xchg %edx, (%rdi)");
INSN(mmio_cmpxchg, "lock cmpxchg %edx, (%rdi)");
INSN(mmio_xadd, "lock xadd %edx, (%rdi)");
INSN(mmio_bt, "bt %ecx, (%rdi)");
INSN(mmio_bts, "lock btsl $1, (%rdi)");
INSN(mmio_btr, "btr %ecx, (%rdi)");
INSN(mmio_btc, "btc %ecx, (%rdi)");

/* Of BT and its kind CF alone is defined (SDM v2, "BT": OF, SF, AF and PF are undefined). */
SCENARIO(insn_mmio_exchange, .name = "insn.mmio-exchange")
{
	ALIKE(mmio_xchg, FLAGS_ARITHMETIC);
	ALIKE(mmio_cmpxchg, FLAGS_ARITHMETIC);
	ALIKE(mmio_xadd, FLAGS_ARITHMETIC);
	ALIKE(mmio_bt, RFLAGS_CF);
	ALIKE(mmio_bts, RFLAGS_CF);
	ALIKE(mmio_btr, RFLAGS_CF);
	ALIKE(mmio_btc, RFLAGS_CF);
}

INSN(mmio_bts_far, "btsl %ecx, (%rdi)");
#define NEXT_OPERAND (8 * 4) /* bits: the doubleword behind the operand */

/* SDM v2, "Bit(BitBase, BitOffset)": a register's offset is signed and reaches beyond the operand, to either side. */
SCENARIO(insn_mmio_bit_string, .name = "insn.mmio-bit-string")
{
	volatile uint32_t *reg = (volatile uint32_t *)COUNT_REGISTER;
	const uint64_t far = NEXT_OPERAND * 4 + BIT_INDEX;

	*reg = BEFORE & ~BIT(BIT_INDEX);
	insn_run(&mmio_bts_far, &(struct insn_regs){ .rdi = COUNT_REGISTER - 16, .rcx = far, .flags = RFLAGS_CF }, &plain);
	EXPECT_EQ(insn_fault.count, 0);
	EXPECT_EQ(insn_regs.flags & RFLAGS_CF, 0);
	EXPECT_EQ(*reg, BEFORE | BIT(BIT_INDEX));
	*reg = BEFORE & ~BIT(BIT_INDEX);
	insn_run(&mmio_bts_far, &(struct insn_regs){ .rdi = COUNT_REGISTER + 16, .rcx = BIT_INDEX - far + BIT_INDEX }, &plain);
	EXPECT_EQ(*reg, BEFORE | BIT(BIT_INDEX));
}
