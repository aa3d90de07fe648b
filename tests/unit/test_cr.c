/* SPDX-License-Identifier: BSD-2-Clause
 * Writes of control registers: each rule by itself, and random sequences after which no CPU refuses the entry, by the same rules that
 * explain a refusal.
 * Knows nothing of instructions. */
#include "core/cr.h"
#include "core/vcpu.h"
#include "unit/vmx_check_fixture.h"
#include "x86/svm_check.h"

#define PHYS_BITS 40
#define BEYOND BIT64(PHYS_BITS)
#define CR4_ALL                                                                                                       \
	(MASK(11, 0) | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP)
#define EFER_ALL (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define STEPS 200000
#define LONG { CR0_PE | CR0_PG | CR0_ET, 0x1000, CR4_PAE, EFER_LME | EFER_LMA, true, false }
#define COMPAT { CR0_PE | CR0_PG | CR0_ET, 0x1000, CR4_PAE, EFER_LME | EFER_LMA, false, false }
#define LEGACY { CR0_PE | CR0_ET, 0x1000, 0, 0, false, false }
#define READY { CR0_PE | CR0_ET, 0x1000, CR4_PAE, EFER_LME, false, false }

static const struct cr_cpu cpu = { .cr4 = CR4_ALL, .efer = EFER_ALL, .phys_bits = PHYS_BITS };

static void each_rule(void **state)
{
	static const struct {
		const char *rule;
		struct cr_state from;
		enum cr which;
		uint64_t val;
		bool taken;
	} cases[] = {
		{ "CR0[63:32]", LONG, CR_0, CR0_PE | CR0_PG | BIT64(32), false },
		{ "CR0: reserved bits of the low half are dropped", LEGACY, CR_0, CR0_PE | BIT64(6), true },
		{ "CR0.PG without PE", LEGACY, CR_0, CR0_PG, false },
		{ "CR0.NW without CD", LEGACY, CR_0, CR0_PE | CR0_NW, false },
		{ "CR0.NW and CD", LEGACY, CR_0, CR0_PE | CR0_NW | CR0_CD, true },
		{ "paging", LEGACY, CR_0, CR0_PE | CR0_PG, true },
		{ "long mode", READY, CR_0, CR0_PE | CR0_PG, true },
		{ "long mode without PAE", { CR0_PE, 0, 0, EFER_LME, false, false }, CR_0, CR0_PE | CR0_PG, false },
		{ "long mode with CS.L", { CR0_PE, 0, CR4_PAE, EFER_LME, true, false }, CR_0, CR0_PE | CR0_PG, false },
		{ "long mode with a 16-bit TSS", { CR0_PE, 0, CR4_PAE, EFER_LME, false, true }, CR_0, CR0_PE | CR0_PG, false },
		{ "paging off in 64-bit mode", LONG, CR_0, CR0_PE, false },
		{ "paging off in compatibility mode", COMPAT, CR_0, CR0_PE, true },
		{ "paging off with PCIDE", { CR0_PE | CR0_PG, 0, CR4_PAE | CR4_PCIDE, EFER_LME | EFER_LMA, false, false }, CR_0,
		  CR0_PE, false },
		{ "CR3 beyond MAXPHYADDR", LONG, CR_3, BEYOND, false },
		{ "CR3 bit 63 without PCIDE", LONG, CR_3, BIT64(63), false },
		{ "CR3 bit 63 with PCIDE", { CR0_PE | CR0_PG, 0, CR4_PAE | CR4_PCIDE, EFER_LME | EFER_LMA, true, false }, CR_3,
		  BIT64(63) | 0x2001, true },
		{ "CR3 has 32 bits outside of long mode", LEGACY, CR_3, BEYOND | 0x3000, true },
		{ "CR4: a feature that is not shown", LONG, CR_4, CR4_PAE | CR4_VMXE, false },
		{ "CR4: LA57", LONG, CR_4, CR4_PAE | CR4_LA57, false },
		{ "CR4: PAE off in long mode", COMPAT, CR_4, 0, false },
		{ "CR4: PAE off", READY, CR_4, 0, true },
		{ "CR4: PCIDE", LONG, CR_4, CR4_PAE | CR4_PCIDE, true },
		{ "CR4: PCIDE outside of long mode", READY, CR_4, CR4_PAE | CR4_PCIDE, false },
		{ "CR4: PCIDE with a PCID", { CR0_PE | CR0_PG, 1, CR4_PAE, EFER_LME | EFER_LMA, true, false }, CR_4,
		  CR4_PAE | CR4_PCIDE, false },
		{ "EFER: a feature that is not shown", READY, CR_EFER, EFER_SVME, false },
		{ "EFER: LME while paging", LONG, CR_EFER, 0, false },
		{ "EFER: LME", READY, CR_EFER, 0, true },
		{ "EFER: LMA is not written", LONG, CR_EFER, EFER_LME | EFER_NXE, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cr_state s = cases[i].from;

		if (cr_write(&s, &cpu, cases[i].which, cases[i].val) != cases[i].taken)
			fail_msg("%s", cases[i].rule);
		if (!cases[i].taken)
			assert_memory_equal(&s, &cases[i].from, sizeof(s));
	}
}

static void what_a_write_leaves(void **state)
{
	struct cr_state s = READY;

	(void)state;
	assert_true(cr_write(&s, &cpu, CR_0, CR0_PE | CR0_PG | BIT64(6)));
	assert_int_equal(s.cr0, CR0_PE | CR0_PG | CR0_ET);
	assert_int_equal(s.efer, EFER_LME | EFER_LMA);
	assert_true(cr_write(&s, &cpu, CR_EFER, EFER_LME | EFER_SCE));
	assert_int_equal(s.efer, EFER_LME | EFER_LMA | EFER_SCE);
	assert_true(cr_write(&s, &cpu, CR_4, CR4_PAE | CR4_PCIDE));
	assert_true(cr_write(&s, &cpu, CR_3, BIT64(63) | 0x2001));
	assert_int_equal(s.cr3, 0x2001);
	assert_true(cr_write(&s, &cpu, CR_4, CR4_PAE));
	assert_true(cr_write(&s, &cpu, CR_0, CR0_PE));
	assert_int_equal(s.efer, EFER_LME | EFER_SCE);
}

/* "the instruction is modifying any of CR0.CD, CR0.NW, CR0.PG, CR4.PAE, CR4.PGE, CR4.PSE, or CR4.SMEP" */
static void pdptes_are_loaded_by_some_writes(void **state)
{
	const struct cr_state pae = { CR0_PE | CR0_PG, 0, CR4_PAE, 0, false, false };
	static const struct {
		enum cr which;
		uint64_t val;
		bool loads;
	} cases[] = {
		{ CR_0, CR0_PE | CR0_PG, false },         { CR_0, CR0_PE | CR0_PG | CR0_WP, false },
		{ CR_0, CR0_PE | CR0_PG | CR0_CD, true }, { CR_0, CR0_PE, false },
		{ CR_3, 0, true },                        { CR_4, CR4_PAE, false },
		{ CR_4, CR4_PAE | CR4_PGE, true },        { CR_4, CR4_PAE | CR4_PSE, true },
		{ CR_4, CR4_PAE | CR4_SMEP, true },       { CR_4, CR4_PAE | CR4_SMAP, false },
		{ CR_4, 0, false },                       { CR_EFER, EFER_NXE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cr_state s = pae;

		assert_true(cr_write(&s, &cpu, cases[i].which, cases[i].val));
		assert_int_equal(cr_loads_pdptes(&pae, &s, cases[i].which), cases[i].loads);
	}
}

static void pdptes_have_reserved_bits(void **state)
{
	uint64_t pdpt[PDPTES] = { PTE_P | 0x1000, 0, UINT64_MAX & ~PTE_P, PTE_P | 0x2018 };

	(void)state;
	assert_true(cr_pdptes_valid(pdpt, PHYS_BITS));
	for (unsigned bit = 0; bit < 64; bit++) {
		const uint64_t allowed = PTE_P | MASK(4, 3) | MASK(PHYS_BITS - 1, 9);

		pdpt[3] = PTE_P | BIT64(bit);
		assert_int_equal(cr_pdptes_valid(pdpt, PHYS_BITS), (allowed & BIT64(bit)) != 0);
	}
}

/* --- random sequences --- */

struct model {
	struct cr_state s;
	uint64_t pdpt[PDPTES]; /* as loaded */
	bool cs_db;
	uint64_t seed;
};

static uint64_t draw(struct model *m)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed;
}

/* The bits that decide something, some of them wrong; now and then anything. */
static uint64_t random_value(struct model *m, enum cr which)
{
	static const uint64_t bits[] = { [CR_0] = CR0_PE | CR0_PG | CR0_NW | CR0_CD | CR0_NE | CR0_WP | BIT64(32),
					 [CR_3] = BIT64(63) | BEYOND | 0x7003,
					 [CR_4] = CR4_ALL | CR4_VMXE | CR4_LA57 | CR4_CET,
					 [CR_EFER] = EFER_ALL | EFER_SVME };
	uint64_t r = draw(m), pick = draw(m) % 16;

	if (pick == 0)
		return r;
	if (which == CR_0 && pick < 12)
		r |= CR0_PE;
	if (which == CR_4 && pick < 12)
		r = (r & draw(m) & draw(m)) | CR4_PAE;
	if (which == CR_3 && pick < 12)
		r &= ~(BIT64(63) | BEYOND | MASK(11, 0));
	return r & bits[which] & ~(pick < 8 ? BIT64(32) | CR4_VMXE | CR4_LA57 | CR4_CET | EFER_SVME : 0);
}

static void random_pdptes(struct model *m, uint64_t pdpt[PDPTES])
{
	for (unsigned i = 0; i < PDPTES; i++) {
		pdpt[i] = draw(m) & (MASK(PHYS_BITS - 1, 12) | PTE_P);
		if (draw(m) % 8 == 0)
			pdpt[i] |= BIT64(draw(m) % 64);
	}
}

/* What vcpu_write_cr() does, over the model. */
static bool step(struct model *m)
{
	enum cr which = (enum cr)(draw(m) % 4);
	struct cr_state to = m->s;
	uint64_t pdpt[PDPTES];

	if (!cr_write(&to, &cpu, which, random_value(m, which)))
		return false;
	if (cr_loads_pdptes(&m->s, &to, which)) {
		random_pdptes(m, pdpt);
		if (!cr_pdptes_valid(pdpt, PHYS_BITS))
			return false;
		memcpy(m->pdpt, pdpt, sizeof(pdpt));
	}
	m->s = to;
	return true;
}

/* A far transfer: in long mode L and D are never both 1. Outside of it L means nothing. */
static void far_transfer(struct model *m)
{
	m->s.cs_l = draw(m) % 2;
	m->cs_db = (m->s.cr0 & CR0_PE) && draw(m) % 2 && !(m->s.cs_l && (m->s.efer & EFER_LMA));
}

static void check_vmx(const struct model *m)
{
	struct vmx_snapshot s = good(m->s.cr0 & CR0_PE ? PROTECTED : REAL);
	struct entry_check c;

	s.phys_bits = PHYS_BITS;
	s.field[VF_GUEST_CR0] = m->s.cr0 | CR0_NE;
	s.field[VF_GUEST_CR3] = m->s.cr3;
	s.field[VF_GUEST_CR4] = m->s.cr4 | CR4_VMXE;
	s.field[VF_GUEST_EFER] = m->s.efer;
	s.field[VF_GUEST_CS_AR] = (s.field[VF_GUEST_CS_AR] & ~(uint64_t)AR_DB) | (m->s.cs_l ? AR_L : 0) | (m->cs_db ? AR_DB : 0);
	if (m->s.efer & EFER_LMA)
		s.field[VF_ENTRY_CTLS] |= VM_ENTRY_IA32E_MODE_GUEST;
	memcpy(&s.field[VF_GUEST_PDPTE0], m->pdpt, sizeof(m->pdpt));
	vmx_check(&s, &c);
	if (c.broken)
		fail_msg("%s", c.line[1]);
}

static void check_svm(const struct model *m)
{
	const struct svm_check_facts facts = {
		.phys_bits = PHYS_BITS, .long_mode = true, .cr4_mbz = ~CR4_ALL, .efer_mbz = ~(EFER_ALL | EFER_SVME)
	};
	struct vmcb b = { .control = { .intercept_2 = INTERCEPT_VMRUN, .guest_asid = 1, .np_enable = NP_ENABLE },
			  .save = { .cs = { .attributes = SEG_CODE | SEG_G },
				    .efer = m->s.efer | EFER_SVME,
				    .cr0 = m->s.cr0,
				    .cr3 = m->s.cr3,
				    .cr4 = m->s.cr4,
				    .g_pat = PAT_RESET } };
	struct entry_check c;

	b.save.cs.attributes |= (uint16_t)((m->s.cs_l ? SEG_L : 0) | (m->cs_db ? SEG_DB : 0));
	svm_check(&b, &facts, &c);
	if (c.broken)
		fail_msg("%s", c.line[1]);
}

static void no_sequence_is_refused_at_entry(void **state)
{
	struct model m = { .s = LEGACY, .seed = 0x9e3779b97f4a7c15 };
	unsigned taken = 0, refused = 0, in_long = 0, in_pae = 0;

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) {
		if (draw(&m) % 4 == 0)
			far_transfer(&m);
		if (step(&m))
			taken++;
		else
			refused++;
		check_vmx(&m);
		check_svm(&m);
		in_long += (m.s.efer & EFER_LMA) != 0;
		in_pae += (m.s.cr0 & CR0_PG) && (m.s.cr4 & CR4_PAE) && !(m.s.efer & EFER_LMA);
	}
	assert_true(taken > STEPS / 10 && refused > STEPS / 10 && in_long > STEPS / 20 && in_pae > STEPS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule),
		cmocka_unit_test(what_a_write_leaves),
		cmocka_unit_test(pdptes_are_loaded_by_some_writes),
		cmocka_unit_test(pdptes_have_reserved_bits),
		cmocka_unit_test(no_sequence_is_refused_at_entry),
	};

	return cmocka_run_group_tests_name("cr", tests, NULL, NULL);
}
