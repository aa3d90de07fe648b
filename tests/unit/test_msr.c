/* SPDX-License-Identifier: BSD-2-Clause
 * The MSRs that the kernel half emulates: values, and what is #GP.
 * Knows nothing of the instructions; those are proved with the exits. */
#include "unit/vcpu_fixture.h"

static uint64_t rd(struct rig *r, uint32_t msr)
{
	uint64_t val = 0;

	assert_int_equal(vcpu_read_msr(&r->v, msr, &val), 0);
	return val;
}

static int wr(struct rig *r, uint32_t msr, uint64_t val) { return vcpu_write_msr(&r->v, msr, val); }

/* SDM v3, "Time-Stamp Counter": a write sets the counter, which then counts on. */
static void the_tsc_is_offset(void **state)
{
	const uint64_t val = 1000000, later = 500;
	struct rig *r = rig_split(0);

	(void)state;
	r->f.clock = later;
	assert_int_equal(rd(r, MSR_TSC), 2 * later);
	assert_int_equal(wr(r, MSR_TSC, val), 0);
	assert_int_equal(rd(r, MSR_TSC), val);
	r->f.clock += later;
	assert_int_equal(rd(r, MSR_TSC), val + 2 * later);
	assert_int_equal(wr(r, MSR_TSC, 0), 0);
	assert_int_equal(rd(r, MSR_TSC), 0);
	rig_end(r);
}

/* APM v2, "Extended Feature Enable Register (EFER)": reserved bits are #GP, LMA follows paging and not WRMSR, and LME does not
 * change while paging is on. */
static void efer_rules(void **state)
{
	static const uint64_t bad[] = { EFER_SVME, BIT64(1), BIT64(9), BIT64(13), BIT64(14), BIT64(63) };
	struct rig *r = rig_split(0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(wr(r, MSR_EFER, bad[i]), E_INVAL);
	assert_int_equal(wr(r, MSR_EFER, EFER_LME | EFER_SCE | EFER_NXE | EFER_LMA), 0);
	assert_int_equal(rd(r, MSR_EFER), EFER_LME | EFER_SCE | EFER_NXE); /* LMA does not set by hand */
	r->f.cr0 |= CR0_PG;
	r->f.efer |= EFER_LMA;
	assert_int_equal(wr(r, MSR_EFER, EFER_LMA), E_INVAL);
	assert_int_equal(wr(r, MSR_EFER, EFER_LME), 0);
	assert_int_equal(rd(r, MSR_EFER), EFER_LME | EFER_LMA); /* nor clear */
	rig_end(r);
}

/* SDM v3, "Page Attribute Table": encodings 2, 3 and above 7 are reserved: #GP. */
static void pat_takes_memory_types_only(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	assert_int_equal(rd(r, MSR_PAT), PAT_RESET);
	for (unsigned entry = 0; entry < 8; entry++)
		for (unsigned type = 0; type < 256; type++) {
			uint64_t val = (PAT_RESET & ~(MASK(7, 0) << 8 * entry)) | (uint64_t)type << 8 * entry;
			bool legal = type < 8 && type != 2 && type != 3;

			assert_int_equal(wr(r, MSR_PAT, val), legal ? 0 : E_INVAL);
			if (legal) {
				assert_int_equal(rd(r, MSR_PAT), val);
				assert_int_equal(r->f.pat, val);
			}
		}
	rig_end(r);
}

static void harmless_msrs_are_there(void **state)
{
	struct rig *r = rig_split(0);
	uint64_t misc = rd(r, MSR_MISC_ENABLE);

	(void)state;
	assert_int_equal(wr(r, MSR_MISC_ENABLE, UINT64_MAX), 0);
	assert_int_equal(rd(r, MSR_MISC_ENABLE), misc);
	assert_int_equal(wr(r, MSR_UCODE_REV, 0), 0);
	assert_int_equal(rd(r, MSR_UCODE_REV), 0);
	rig_end(r);
}

/* CPUID hides what these belong to. */
static void other_msrs_do_not_exist(void **state)
{
	static const uint32_t none[] = { 0, MSR_FEATURE_CONTROL, MSR_TSC_ADJUST, MSR_MTRRCAP, MSR_MTRR_DEF_TYPE, 0x7ff, 0x900,
					 0xc0000080 - 1, 0xc0000103, MSR_VM_CR, MSR_VM_HSAVE_PA, UINT32_MAX };
	struct rig *r = rig_split(0);
	uint64_t val;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(none); i++) {
		assert_int_equal(vcpu_read_msr(&r->v, none[i], &val), E_INVAL);
		assert_int_equal(wr(r, none[i], 0), E_INVAL);
	}
	rig_end(r);
}

static void the_apics_msrs_are_whose_the_apic_is(void **state)
{
	static const uint32_t apic[] = { MSR_APIC_BASE, MSR_TSC_DEADLINE, MSR_X2APIC_FIRST, MSR_X2APIC_FIRST + 8, MSR_X2APIC_LAST };
	struct rig *r = rig_user(0);
	uint64_t val;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(apic); i++) {
		assert_int_equal(vcpu_read_msr(&r->v, apic[i], &val), E_NXIO);
		assert_int_equal(wr(r, apic[i], 0), E_NXIO);
	}
	rig_end(r);
	r = rig_split(0);
	assert_int_equal(rd(r, MSR_APIC_BASE), APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_BSP);
	assert_int_equal(vcpu_read_msr(&r->v, MSR_X2APIC_FIRST + 8, &val), E_INVAL);
	assert_int_equal(wr(r, MSR_APIC_BASE, rd(r, MSR_APIC_BASE) | APIC_BASE_EXTD), 0);
	assert_int_equal(rd(r, MSR_X2APIC_FIRST + 8), 0);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tsc_is_offset),
		cmocka_unit_test(efer_rules),
		cmocka_unit_test(pat_takes_memory_types_only),
		cmocka_unit_test(harmless_msrs_are_there),
		cmocka_unit_test(other_msrs_do_not_exist),
		cmocka_unit_test(the_apics_msrs_are_whose_the_apic_is),
	};

	return cmocka_run_group_tests_name("msr", tests, NULL, NULL);
}
