/* SPDX-License-Identifier: BSD-2-Clause
 * CPUID on a host that has every feature there is: what must be hidden is hidden.
 * Knows nothing of real CPUs. */
#include "core/cpuid.h"
#include "core/cr.h"
#include "unit/vcpu_fixture.h"

struct leaf {
	uint32_t reg[4];
};

static struct leaf leaf_of(const struct rig *r, uint32_t leaf, uint32_t sub)
{
	struct leaf l;

	vcpu_cpuid(&r->v, leaf, sub, l.reg);
	return l;
}

struct lacks {
	uint32_t leaf, bits;
	uint8_t reg;
};

/* A vCPU on a CPU of that vendor, without these bits. */
static struct rig *rig_of(bool amd, struct lacks lacks)
{
	struct rig *r = rig_split(0);

	r->f.amd = amd;
	r->f.lacks.leaf = lacks.leaf;
	r->f.lacks.bits = lacks.bits;
	r->f.lacks.reg = lacks.reg;
	features_init(&r->v.features, &r->v);
	vcpu_reset_msrs(&r->v);
	return r;
}

/* Fields of leaves that are no feature: version, sizes, caches, topology, names. A 1 may show where the mask has one. */
struct known {
	uint32_t leaf, sub;
	uint64_t mask[CPUID_REGS];
};
#define ALL MASK(31, 0)
static const struct known fields[] = {
	{ 0x0, 0, { ALL, ALL, ALL, ALL } },
	{ 0x1, 0, { ALL, MASK(15, 8) | BIT(16), 0, 0 } },
	{ 0x2, 0, { 0xff01, 0, 0, 0 } },
	{ 0x4, 0, { MASK(9, 0), ALL, ALL, MASK(2, 0) } },
	{ 0x4, 1, { MASK(9, 0), ALL, ALL, MASK(2, 0) } },
	{ 0x4, 2, { MASK(9, 0), ALL, ALL, MASK(2, 0) } },
	{ 0x4, 3, { MASK(9, 0), ALL, ALL, MASK(2, 0) } },
	{ 0x4, 4, { MASK(9, 0), ALL, ALL, MASK(2, 0) } },
	{ 0x7, 0, { 1, 0, 0, 0 } },
	{ 0xb, 0, { 0, 1, 0x100, 0 } },
	{ 0xb, 1, { 0, 1, 0x201, 0 } },
	{ 0xd, 0, { 7, ALL, ALL, 0 } },
	{ 0xd, 1, { 0, ALL, 0, 0 } },
	{ 0xd, 2, { ALL, ALL, 0, 0 } },
	{ 0x40000000, 0, { ALL, ALL, ALL, ALL } },
	{ 0x80000000, 0, { ALL, ALL, ALL, ALL } },
	{ 0x80000001, 0, { ALL, 0, 0, 0 } },
	{ 0x80000002, 0, { ALL, ALL, ALL, ALL } },
	{ 0x80000003, 0, { ALL, ALL, ALL, ALL } },
	{ 0x80000004, 0, { ALL, ALL, ALL, ALL } },
	{ 0x80000005, 0, { ALL, ALL, ALL, ALL } },
	{ 0x80000006, 0, { ALL, ALL, ALL, ALL } },
	{ 0x80000008, 0, { MASK(15, 0), 0, 0, 0 } },
};

static uint32_t known_bits(const struct rig *r, uint32_t leaf, uint32_t sub, unsigned reg)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].leaf == leaf && fields[i].sub == sub)
			bits |= (uint32_t)fields[i].mask[reg];
	for (unsigned i = 0; i < FEATURES; i++)
		if (features_show(&r->v.features, (enum feature)i) && feature_table[i].leaf == leaf &&
		    feature_table[i].sub == sub && feature_table[i].reg == reg)
			bits |= feature_table[i].mask;
	/* AMD's repetition of leaf 1, less SEP and what is hidden there */
	if (r->f.amd && leaf == 0x80000001 && reg == EDX)
		bits |= known_bits(r, 1, 0, EDX) & 0x0183f3ff;
	return bits;
}

static void check_leaf(const struct rig *r, uint32_t leaf, uint32_t sub)
{
	struct leaf l = leaf_of(r, leaf, sub);

	if (leaf == 0xb)
		l.reg[ECX] &= ~(sub > 1 ? (uint32_t)MASK(7, 0) : 0); /* repeats what was asked for */
	for (unsigned reg = 0; reg < CPUID_REGS; reg++)
		if (l.reg[reg] & ~known_bits(r, leaf, sub, reg))
			fail_msg("leaf %#x.%u register %u shows %#x", leaf, sub, reg, l.reg[reg] & ~known_bits(r, leaf, sub, reg));
}

/* Over every leaf of a host that has every bit. */
static void no_bit_that_the_table_does_not_know(void **state)
{
	static const uint32_t bases[] = { 0, 0x20000000, 0x40000000, 0x40000100, 0x80000000, 0x8fffff00, 0xc0000000, 0xffffff00 };
	const uint32_t leaves = 0x100, subs = 70;

	(void)state;
	for (unsigned amd = 0; amd < 2; amd++) {
		struct rig *r = rig_of(amd, (struct lacks){ 0 });

		for (size_t b = 0; b < ARRAY_SIZE(bases); b++)
			for (uint32_t leaf = bases[b]; leaf - bases[b] < leaves; leaf++)
				for (uint32_t sub = 0; sub < subs; sub++)
					if (leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || sub == 0)
						check_leaf(r, leaf, sub);
		rig_end(r);
	}
}

static bool msr_exists(struct rig *r, const struct msr_row *row)
{
	uint64_t val;
	int err = vcpu_read_msr(&r->v, row->first, &val);

	return row->kind == MSR_WRITE_ONLY ? !vcpu_write_msr(&r->v, row->first, 0) : err != E_INVAL;
}

/* What belongs to one row of the table is there, or all of it is not. */
static void check_feature(struct rig *r, enum feature which)
{
	const struct feature_row *row = &feature_table[which];
	bool shown = features_show(&r->v.features, which);

	r->v.lapic.base |= APIC_BASE_EXTD;
	for (const struct msr_row *m = msr_table; m->count; m++)
		if (m->feature == which && (m->first != MSR_UCODE_REV || shown) && m->first != MSR_X2APIC_FIRST &&
		    msr_exists(r, m) != shown)
			fail_msg("feature %u is %s and MSR %#x is not", which, shown ? "shown" : "hidden", m->first);
	for (unsigned bit = 0; bit < 64; bit++) {
		struct cr_state s = { .cr0 = CR0_PE | CR0_PG, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA };
		const struct cr_cpu cpu = { r->v.features.cr4 | CR4_PAE, r->v.features.efer, r->v.features.phys_bits };

		if ((row->cr4 & BIT64(bit)) && cr_write(&s, &cpu, CR_4, CR4_PAE | BIT64(bit)) != (shown || bit == 5))
			fail_msg("feature %u: CR4 bit %u", which, bit);
		s.cr0 = CR0_PE;
		if ((row->efer & BIT64(bit)) && cr_write(&s, &cpu, CR_EFER, BIT64(bit)) != shown)
			fail_msg("feature %u: EFER bit %u", which, bit);
		if ((row->xcr0 & BIT64(bit)) && vcpu_write_xcr0(&r->v, MASK(bit, 0)) != shown)
			fail_msg("feature %u: XCR0 bit %u", which, bit);
	}
}

/* On a CPU that has all, and on one for each row that lacks just that. */
static void a_feature_has_its_msrs_and_bits(void **state)
{
	(void)state;
	for (unsigned amd = 0; amd < 2; amd++)
		for (unsigned i = FEATURES; i > FEATURE_BASE; i--) {
			const struct feature_row *row = &feature_table[i % FEATURES];
			struct rig *r = rig_of(amd, (struct lacks){ row->leaf, row->mask, row->reg });

			if (i < FEATURES && row->mask && row->from == FROM_HOST)
				assert_false(features_show(&r->v.features, (enum feature)i));
			for (unsigned which = 0; which < FEATURES; which++)
				check_feature(r, (enum feature)which);
			rig_end(r);
		}
}

static void what_belongs_to_nobody_is_not_there(void **state)
{
	struct rig *r = rig_of(false, (struct lacks){ 0 });
	uint64_t cr4 = 0, efer = 0;

	(void)state;
	for (unsigned i = 0; i < FEATURES; i++) {
		cr4 |= feature_table[i].cr4;
		efer |= feature_table[i].efer;
	}
	assert_int_equal(r->v.features.cr4, cr4);
	assert_int_equal(r->v.features.efer, efer);
	assert_int_equal(cr4 & (CR4_VMXE | CR4_LA57 | CR4_CET | BIT64(14) | BIT64(19) | BIT64(22) | MASK(63, 24)), 0);
	rig_end(r);
}

static void the_apic_features_are_ours(void **state)
{
	const uint32_t x2apic = BIT(21), tsc_deadline = BIT(24), hypervisor = BIT(31);
	struct rig *r = rig_split(0);
	struct leaf l = leaf_of(r, 1, 0);

	(void)state;
	assert_int_equal(l.reg[ECX] & (x2apic | tsc_deadline | hypervisor), x2apic | tsc_deadline | hypervisor);
	assert_int_equal(l.reg[EBX] >> 24, 0); /* initial APIC ID */
	assert_int_equal(GET_FIELD(23, 16, l.reg[EBX]), 1);
	rig_end(r);
}

/* SDM v3, "Enabling or Disabling the Local APIC": disabled, the CPUID feature flag for the APIC
 * "is also set to 0". */
static void the_apic_flag_follows_apicbase(void **state)
{
	const uint32_t apic = BIT(9);

	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, 0);
		uint64_t *base = mode == IRQCHIP_USER ? &run_of(r)->apic_base : &r->v.lapic.base;

		assert_true(leaf_of(r, 1, 0).reg[EDX] & apic);
		*base &= ~APIC_BASE_EN;
		assert_false(leaf_of(r, 1, 0).reg[EDX] & apic);
		rig_end(r);
	}
}

static void leaves_of_hidden_features_are_empty(void **state)
{
	static const uint32_t empty[] = { 3,          5,          9,          0xa,        0xf,        0x12,      0x14,
					  0x15,       0x16,       0x1b,       0x1f,       0x20,       0x40000001, 0x40000010,
					  0x7fffffff, 0x8000000a, 0x80000009, 0x8000001e, 0x8000001f, 0xffffffff };
	struct rig *r = rig_split(0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(empty); i++) {
		struct leaf l = leaf_of(r, empty[i], 0);

		assert_int_equal(l.reg[EAX] | l.reg[EBX] | l.reg[ECX] | l.reg[EDX], 0);
	}
	assert_int_equal(leaf_of(r, 0, 0).reg[EAX], 0xd);
	assert_int_equal(leaf_of(r, 0x80000000, 0).reg[EAX], 0x80000008);
	rig_end(r);
}

/* APM v3, "Function 8000_0001h": EDX repeats leaf 1; SDM v2, "CPUID": there those bits are reserved. */
static void only_amd_repeats_leaf_1(void **state)
{
	const uint32_t apic = BIT(9), sep = BIT(11), syscall = BIT(11), mce = BIT(7);
	struct rig *r = rig_of(true, (struct lacks){ 0 });
	uint32_t own;

	(void)state;
	assert_int_equal(leaf_of(r, 0x80000001, 0).reg[EDX] & (apic | mce), apic | mce);
	r->v.lapic.base &= ~APIC_BASE_EN;
	assert_int_equal(leaf_of(r, 0x80000001, 0).reg[EDX] & apic, 0);
	rig_end(r);
	r = rig_of(true, (struct lacks){ 1, mce, EDX });
	assert_int_equal(leaf_of(r, 0x80000001, 0).reg[EDX] & mce, 0);
	rig_end(r);
	r = rig_of(false, (struct lacks){ 0 });
	own = syscall | BIT(20) | BIT(26) | BIT(27) | BIT(29);
	assert_int_equal(leaf_of(r, 0x80000001, 0).reg[EDX], own);
	assert_true(leaf_of(r, 1, 0).reg[EDX] & sep);
	rig_end(r);
}

/* SDM v2, "CPUID": OSXSAVE "indicates that the OS has set CR4.OSXSAVE[bit 18]"; leaf 0DH EBX is "the maximum size ... required by
 * enabled features in XCR0". */
static void xsave_follows_cr4_and_xcr0(void **state)
{
	const uint32_t osxsave = BIT(27), legacy = 576;
	struct rig *r = rig_split(0);

	(void)state;
	assert_false(leaf_of(r, 1, 0).reg[ECX] & osxsave);
	r->f.cr4 |= CR4_OSXSAVE;
	assert_true(leaf_of(r, 1, 0).reg[ECX] & osxsave);
	assert_int_equal(leaf_of(r, 0xd, 0).reg[EBX], legacy);
	assert_true(vcpu_write_xcr0(&r->v, 7));
	assert_int_equal(r->f.xcr0, 7);
	assert_int_equal(leaf_of(r, 0xd, 0).reg[EBX], leaf_of(r, 0xd, 0).reg[ECX]);
	assert_false(vcpu_write_xcr0(&r->v, 6));
	assert_false(vcpu_write_xcr0(&r->v, 5));
	assert_false(vcpu_write_xcr0(&r->v, 0xf));
	assert_int_equal(r->f.xcr0, 7);
	rig_end(r);
}

static void amd_leaves_have_no_svm(void **state)
{
	const uint32_t svm = BIT(2);
	struct rig *r = rig_of(true, (struct lacks){ 0 });

	(void)state;
	assert_false(leaf_of(r, 0x80000001, 0).reg[ECX] & svm);
	assert_int_equal(leaf_of(r, 0x80000007, 0).reg[EDX], BIT(8));
	assert_int_equal(leaf_of(r, 0x80000008, 0).reg[EBX], BIT(0) | BIT(2));
	rig_end(r);
}

static void the_hypervisor_has_a_name(void **state)
{
	struct rig *r = rig_split(0);
	struct leaf l = leaf_of(r, 0x40000000, 0);

	(void)state;
	assert_int_equal(l.reg[EAX], 0x40000000);
	assert_memory_equal(&l.reg[EBX], "IntackIntack", 12);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_bit_that_the_table_does_not_know),
		cmocka_unit_test(a_feature_has_its_msrs_and_bits),
		cmocka_unit_test(what_belongs_to_nobody_is_not_there),
		cmocka_unit_test(the_apic_features_are_ours),
		cmocka_unit_test(the_apic_flag_follows_apicbase),
		cmocka_unit_test(leaves_of_hidden_features_are_empty),
		cmocka_unit_test(only_amd_repeats_leaf_1),
		cmocka_unit_test(xsave_follows_cr4_and_xcr0),
		cmocka_unit_test(amd_leaves_have_no_svm),
		cmocka_unit_test(the_hypervisor_has_a_name),
	};

	return cmocka_run_group_tests_name("cpuid", tests, NULL, NULL);
}
