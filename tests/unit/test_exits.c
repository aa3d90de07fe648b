/* SPDX-License-Identifier: BSD-2-Clause
 * Exits: what the kernel half does itself, what it hands over, and how it finishes what comes back.
 * Knows nothing of injection rules. */
#include "unit/vcpu_fixture.h"

#define PORT 0x1234
#define ALL_ONES 0xffffffffffffffffull
#define PATTERN 0x1122334455667788ull
#define SOME_MSR 0xc0011029u

static void expect_io(struct rig *r, unsigned direction, unsigned size)
{
	assert_int_equal(run(r), VCPU_EXIT_IO);
	assert_int_equal(run_of(r)->io.direction, direction);
	assert_int_equal(run_of(r)->io.size, size);
	assert_int_equal(run_of(r)->io.port, PORT);
}

/* ---- ports ---- */

static void out_hands_over_as_many_bytes_as_it_has(void **state)
{
	static const uint32_t data[] = { 0x88, 0x7788, 0x55667788 };
	struct rig *r = rig_split(1);

	(void)state;
	LOAD(r, MOV(RAX, PATTERN), OUT(PORT, 1), OUT(PORT, 2), OUT(PORT, 4), LABEL(0), OUT(EXIT, 1));
	for (unsigned i = 0; i < 3; i++) {
		expect_io(r, VCPU_IO_OUT, 1u << i);
		assert_int_equal(run_of(r)->io.data, data[i]);
	}
	assert_int_equal(r->f.rip, fake_label(&r->f, 0));
	assert_int_equal(r->v.regs.gpr[RAX], PATTERN);
	rig_end(r);
}

/* SDM v1, "General-Purpose Registers in 64-Bit Mode": "32-bit operands generate a 32-bit result, zero-extended to a 64-bit
 * result"; 8 and 16 bits leave the rest. */
static void in_merges_into_rax(void **state)
{
	static const uint64_t rax[] = { 0x11223344556677ff, 0x112233445566ffff, 0xffffffff };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_split(seed);

			LOAD(r, MOV(RAX, PATTERN), IN(PORT, 1u << i), OUT(EXIT, 1));
			expect_io(r, VCPU_IO_IN, 1u << i);
			run_of(r)->io.data = UINT32_MAX;
			run_to(r, EXIT);
			assert_int_equal(r->v.regs.gpr[RAX], rax[i]);
			rig_end(r);
		}
}

/* ---- registers of the CPU ---- */

static void msrs_of_the_apic_go_to_the_user_half_in_user_mode(void **state)
{
	const uint64_t val = PATTERN & MASK(51, 0); /* above is #GP, whoever has the APIC */

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_user(seed);
		struct vcpu_run *u = run_of(r);

		LOAD(r, MOV(RAX, ALL_ONES), MOV(RDX, ALL_ONES), MOV(RCX, ALL_ONES << 32 | MSR_APIC_BASE), RDMSR,
		     OUT(RAISE, 1), WRMSR, OUT(EXIT, 1));
		assert_int_equal(run(r), VCPU_EXIT_RDMSR);
		assert_int_equal(u->msr.index, MSR_APIC_BASE);
		u->msr.data = val;
		run_to(r, RAISE);
		assert_int_equal(r->v.regs.gpr[RAX], (uint32_t)val);
		assert_int_equal(r->v.regs.gpr[RDX], val >> 32);
		assert_int_equal(run(r), VCPU_EXIT_WRMSR);
		assert_int_equal(u->msr.index, MSR_APIC_BASE);
		assert_int_equal(u->msr.data, val);
		run_to(r, EXIT);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* "error: from the user half: 1 = inject #GP" */
static void an_msr_error_of_the_user_half_is_gp(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned write = 0; write < 2; write++) {
			struct rig *r = rig_user(seed);

			if (write)
				LOAD(r, MOV(RCX, MSR_X2APIC_FIRST), LABEL(0), WRMSR, OUT(EXIT, 1));
			else
				LOAD(r, MOV(RCX, MSR_X2APIC_FIRST), MOV(RAX, PATTERN), LABEL(0), RDMSR, OUT(EXIT, 1));
			assert_int_equal(run(r), write ? VCPU_EXIT_WRMSR : VCPU_EXIT_RDMSR);
			assert_int_equal(run_of(r)->msr.error, 0);
			run_of(r)->msr.error = 1;
			run_of(r)->msr.data = 0;
			run_to(r, EXIT);
			assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0)->error, 0);
			if (!write)
				assert_int_equal(r->v.regs.gpr[RAX], PATTERN);
			rig_end(r);
		}
}

static void an_msr_that_does_not_exist_is_gp(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, seed);

			LOAD(r, MOV(RCX, SOME_MSR), LABEL(0), RDMSR, LABEL(1), WRMSR, OUT(EXIT, 1));
			run_to(r, EXIT);
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 1);
			rig_end(r);
		}
}

static void rdmsr_fills_edx_and_eax(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, MOV(RCX, MSR_PAT), MOV(RAX, ALL_ONES << 32 | 6), MOV(RDX, ALL_ONES << 32 | 1), WRMSR, MOV(RAX, ALL_ONES),
		     MOV(RDX, ALL_ONES), RDMSR, OUT(EXIT, 1));
		run_to(r, EXIT);
		assert_int_equal(r->v.regs.gpr[RAX], 6);
		assert_int_equal(r->v.regs.gpr[RDX], 1);
		expect_no_arrival(r);
		rig_end(r);
	}
}

static void the_apics_own_gp_reaches_the_guest(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, MOV(RCX, MSR_APIC_BASE), MOV(RAX, APIC_BASE_EXTD), MOV(RDX, 0), LABEL(0), WRMSR, OUT(EXIT, 1));
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
	assert_true(r->v.lapic.base & APIC_BASE_EN);
	assert_int_equal(run_of(r)->apic_base, r->v.lapic.base);
	rig_end(r);
}

/* SDM v2, "MOV-Move to/from Control Registers": #GP "If an attempt is made to write a 1 to any reserved bit in CR4." */
static void cr4_takes_only_what_we_virtualize(void **state)
{
	static const uint64_t bad[] = { CR4_VMXE, CR4_LA57, CR4_CET, BIT64(14), BIT64(22), BIT64(63) };
	const uint64_t good = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_FSGSBASE;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rig *r = rig_split(0);

		fake_long_mode(&r->f);
		LOAD(r, MOV(RAX, CR4_PAE | bad[i]), LABEL(0), MOV_CR4, MOV(RAX, good), MOV_CR4, MOV(RAX, good & ~CR4_PAE), LABEL(1),
		     MOV_CR4, OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 1); /* leaving IA-32e mode by clearing PAE */
		expect_no_arrival(r);
		assert_int_equal(r->f.cr4, good);
		rig_end(r);
	}
}

/* Outside 64-bit mode the operand has 32 bits, and PAE may be cleared. */
static void cr4_in_32_bit_mode(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, MOV(RAX, ALL_ONES << 32 | CR4_PAE), MOV_CR4, OUT(RAISE, 1), MOV(RAX, 0), MOV_CR4, OUT(EXIT, 1));
	run_to(r, RAISE);
	assert_int_equal(r->f.cr4, CR4_PAE);
	run_to(r, EXIT);
	assert_int_equal(r->f.cr4, 0);
	expect_no_arrival(r);
	rig_end(r);
}

static void cr8_above_15_is_gp(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, 0);

		r->f.quirks.cr8_always = true;
		fake_long_mode(&r->f);
		LOAD(r, MOV(RAX, 16), LABEL(0), MOV_CR8, MOV(RAX, 15), MOV_CR8, OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
		assert_int_equal(fake_tpr(&r->f) >> 4, 15);
		rig_end(r);
	}
}

/* What the CPU does not have is #UD, RDPMC is #GP, INVD and WBINVD do nothing. */
static void instructions_without_a_meaning_here(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, LABEL(0), VMCALL, LABEL(1), RDPMC, WBINVD, INVD, LABEL(2), CAUGHT(VEC_NP, 7), OUT(EXIT, 1));
		run_to(r, EXIT);
		assert_false(expect_arrival_at(r, EVENT_EXCEPTION, VEC_UD, 0)->has_error);
		assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 1)->error, 0);
		assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_NP, 2)->error, 7);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* A 32-bit result in each of the four registers. */
static void cpuid_writes_four_registers(void **state)
{
	struct rig *r = rig_split(1);
	const uint64_t *g = r->v.regs.gpr;

	(void)state;
	LOAD(r, MOV(RAX, ALL_ONES << 32 | 1), MOV(RBX, ALL_ONES), MOV(RCX, ALL_ONES << 32), MOV(RDX, ALL_ONES), CPUID,
	     OUT(EXIT, 1));
	run_to(r, EXIT);
	assert_int_equal((g[RAX] | g[RBX] | g[RCX] | g[RDX]) >> 32, 0);
	assert_int_equal(g[RAX], UINT32_MAX);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_hands_over_as_many_bytes_as_it_has),
		cmocka_unit_test(in_merges_into_rax),
		cmocka_unit_test(msrs_of_the_apic_go_to_the_user_half_in_user_mode),
		cmocka_unit_test(an_msr_error_of_the_user_half_is_gp),
		cmocka_unit_test(an_msr_that_does_not_exist_is_gp),
		cmocka_unit_test(rdmsr_fills_edx_and_eax),
		cmocka_unit_test(the_apics_own_gp_reaches_the_guest),
		cmocka_unit_test(cr4_takes_only_what_we_virtualize),
		cmocka_unit_test(cr4_in_32_bit_mode),
		cmocka_unit_test(cr8_above_15_is_gp),
		cmocka_unit_test(instructions_without_a_meaning_here),
		cmocka_unit_test(cpuid_writes_four_registers),
	};

	return RUN_BOTH_WAYS("exits", tests);
}
