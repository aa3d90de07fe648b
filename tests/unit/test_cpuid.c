/* SPDX-License-Identifier: BSD-2-Clause
 * CPUID on a host that has every feature there is: what must be hidden is hidden.
 * Knows nothing of real CPUs. */
#include "unit/vcpu_fixture.h"

enum { EAX, EBX, ECX, EDX };

struct leaf {
	uint32_t reg[4];
};

static struct leaf leaf_of(const struct rig *r, uint32_t leaf, uint32_t sub)
{
	struct leaf l;

	vcpu_cpuid(&r->v, leaf, sub, l.reg);
	return l;
}

static void no_state_that_we_do_not_switch(void **state)
{
	/* MONITOR, VMX, SMX, EIST, TM2, FMA, PDCM, PCID, XSAVE, OSXSAVE, AVX, F16C */
	static const unsigned hidden_ecx[] = { 3, 5, 6, 7, 8, 12, 15, 17, 26, 27, 28, 29 };
	/* MCE, MTRR, MCA, DS, ACPI, TM */
	static const unsigned hidden_edx[] = { 7, 12, 14, 21, 22, 29 };
	struct rig *r = rig_split(0);
	struct leaf l = leaf_of(r, 1, 0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(hidden_ecx); i++)
		assert_false(l.reg[ECX] & BIT(hidden_ecx[i]));
	for (unsigned i = 0; i < ARRAY_SIZE(hidden_edx); i++)
		assert_false(l.reg[EDX] & BIT(hidden_edx[i]));
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
	static const uint32_t empty[] = { 0xd, 0xf, 0x12, 0x1b, 0x20, 0x40000001, 0x40000010, 0x7fffffff,
					  0x8000000a, 0x80000009, 0x8000001f, 0xffffffff };
	struct rig *r = rig_split(0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(empty); i++) {
		struct leaf l = leaf_of(r, empty[i], 0);

		assert_int_equal(l.reg[EAX] | l.reg[EBX] | l.reg[ECX] | l.reg[EDX], 0);
	}
	assert_int_equal(leaf_of(r, 0, 0).reg[EAX], 0xc);
	assert_int_equal(leaf_of(r, 0x80000000, 0).reg[EAX], 0x80000008);
	rig_end(r);
}

static void extended_features_are_those_without_state(void **state)
{
	const uint32_t shown = BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(20); /* FSGSBASE BMI1 SMEP BMI2 ERMS SMAP */
	struct rig *r = rig_split(0);
	struct leaf l = leaf_of(r, 7, 0);

	(void)state;
	assert_int_equal(l.reg[EBX], shown);
	assert_int_equal(l.reg[EAX] | l.reg[ECX] | l.reg[EDX], 0);
	assert_int_equal(leaf_of(r, 7, 1).reg[EBX], 0);
	rig_end(r);
}

static void amd_leaves_have_no_svm(void **state)
{
	const uint32_t svm = BIT(2), rdtscp = BIT(27), long_mode = BIT(29), nx = BIT(20), syscall = BIT(11);
	struct rig *r = rig_split(0);
	struct leaf l = leaf_of(r, 0x80000001, 0);

	(void)state;
	assert_false(l.reg[ECX] & svm);
	assert_false(l.reg[EDX] & rdtscp);
	assert_int_equal(l.reg[EDX] & (long_mode | nx | syscall), long_mode | nx | syscall);
	l = leaf_of(r, 0x80000007, 0);
	assert_int_equal(l.reg[EDX], BIT(8));
	assert_int_equal(l.reg[EAX] | l.reg[EBX] | l.reg[ECX], 0);
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

/* A CR4 bit may be set if its feature shows. */
static void cr4_agrees_with_cpuid(void **state)
{
	struct rig *r = rig_split(0);
	uint64_t allowed = vcpu_cr4_allowed(&r->v);

	(void)state;
	assert_int_equal(allowed & (CR4_VMXE | CR4_OSXSAVE | CR4_PCIDE | CR4_MCE | CR4_LA57 | CR4_UMIP), 0);
	assert_int_equal(allowed & (CR4_FSGSBASE | CR4_SMEP | CR4_SMAP), CR4_FSGSBASE | CR4_SMEP | CR4_SMAP);
	assert_int_equal(allowed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT),
			 CR4_PAE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	assert_int_equal(r->v.cr4_allowed, allowed);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_state_that_we_do_not_switch),
		cmocka_unit_test(the_apic_features_are_ours),
		cmocka_unit_test(the_apic_flag_follows_apicbase),
		cmocka_unit_test(leaves_of_hidden_features_are_empty),
		cmocka_unit_test(extended_features_are_those_without_state),
		cmocka_unit_test(amd_leaves_have_no_svm),
		cmocka_unit_test(the_hypervisor_has_a_name),
		cmocka_unit_test(cr4_agrees_with_cpuid),
	};

	return cmocka_run_group_tests_name("cpuid", tests, NULL, NULL);
}
