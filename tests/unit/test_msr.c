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

/* A vCPU on a CPU of AMD's. */
static struct rig *rig_amd(void)
{
	struct rig *r = rig_split(0);

	r->f.amd = true;
	features_init(&r->v.features, &r->v);
	vcpu_reset_msrs(&r->v);
	return r;
}

/* What Linux reads, and some of it writes, without asking first. */
static void unchecked_msrs_are_there(void **state)
{
	static const struct {
		bool amd;
		uint32_t msr;
		uint64_t reset, write, then;
	} cases[] = {
		{ true, 0xc0010010, 0, BIT64(18) | BIT64(20), BIT64(18) | BIT64(20) }, /* SYSCFG */
		{ true, 0xc0010015, BIT64(24), BIT64(24) | BIT64(3), BIT64(24) },      /* HWCR */
		{ true, 0xc001001a, 0, 0x80000000, 0x80000000 },                       /* TOP_MEM */
		{ true, 0xc001001f, 0, BIT64(46), BIT64(46) },                         /* NB_CFG */
		{ true, 0xc0010055, 0, 0, 0 },                                         /* INT_PENDING */
		{ true, 0xc0010058, 0, 0, 0 },                                         /* MMIO configuration */
		{ true, 0xc0011022, 0, BIT64(10), BIT64(10) },                         /* DC_CFG */
		{ true, 0xc0011029, 0, BIT64(1), BIT64(1) },                           /* DE_CFG */
		{ true, 0xc001102a, 0, 0, 0 },                                         /* BU_CFG2 */
		{ true, 0xc0010000, 0, UINT64_MAX, 0 },                                /* no counter counts */
		{ true, 0xc0010007, 0, UINT64_MAX, 0 },
		{ false, MSR_UCODE_REV, 0, UINT64_MAX, 0 },
		{ false, MSR_MTRR_DEF_TYPE, 0x806, 0x800, 0x800 },
		{ true, MSR_MTRR_DEF_TYPE, 0x806, 0xc06, 0x806 },
		{ true, MSR_MCG_STATUS, 0, 4, 4 },
		{ true, MSR_DEBUGCTL, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *r = cases[i].amd ? rig_amd() : rig_split(0);

		assert_int_equal(rd(r, cases[i].msr), cases[i].reset);
		assert_int_equal(wr(r, cases[i].msr, cases[i].write), 0);
		assert_int_equal(rd(r, cases[i].msr), cases[i].then);
		rig_end(r);
	}
}

static void read_only_msrs_do_not_take_a_write(void **state)
{
	static const uint32_t read_only[] = { MSR_PLATFORM_ID, MSR_PLATFORM_INFO, MSR_MTRRCAP, MSR_MCG_CAP, MSR_P5_MC_TYPE };
	struct rig *r = rig_split(0);
	uint64_t val;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++) {
		assert_int_equal(rd(r, read_only[i]), 0);
		assert_int_equal(wr(r, read_only[i], 0), E_INVAL);
	}
	assert_int_equal(vcpu_read_msr(&r->v, MSR_BIOS_UPDT_TRIG, &val), E_INVAL);
	assert_int_equal(wr(r, MSR_BIOS_UPDT_TRIG, 0), 0);
	rig_end(r);
	r = rig_amd();
	assert_int_equal(rd(r, MSR_UCODE_REV), 0);
	assert_int_equal(wr(r, MSR_UCODE_REV, 0), E_INVAL);
	assert_int_equal(vcpu_read_msr(&r->v, MSR_MISC_ENABLE, &val), E_INVAL);
	rig_end(r);
}

static void reserved_bits_are_faults(void **state)
{
	struct rig *r = rig_amd();

	(void)state;
	assert_int_equal(wr(r, MSR_HWCR, BIT64(32)), E_INVAL);
	assert_int_equal(wr(r, MSR_SYSCFG, BIT64(0)), E_INVAL);
	assert_int_equal(wr(r, MSR_MTRR_DEF_TYPE, BIT64(12)), E_INVAL);
	assert_int_equal(wr(r, MSR_MTRR_DEF_TYPE, 2), E_INVAL);
	assert_int_equal(wr(r, MSR_MTRR_DEF_TYPE, 7), E_INVAL);
	assert_int_equal(wr(r, MSR_MCG_STATUS, BIT64(3)), E_INVAL);
	assert_int_equal(wr(r, MSR_DEBUGCTL, 1), E_INVAL);
	assert_int_equal(wr(r, MSR_TSC_AUX, BIT64(32)), E_INVAL);
	rig_end(r);
}

/* SDM v4, "IA32_MISC_ENABLE": what is writable stays and has its effect; the rest tells of the CPU. */
static void misc_enable_keeps_what_is_writable(void **state)
{
	const uint64_t fixed = BIT64(11) | BIT64(12), writable = BIT64(0) | BIT64(22) | BIT64(34);
	struct rig *r = rig_split(0);
	uint32_t out[4];

	(void)state;
	assert_int_equal(rd(r, MSR_MISC_ENABLE), fixed | BIT64(0));
	assert_int_equal(wr(r, MSR_EFER, EFER_NXE), 0);
	assert_int_equal(wr(r, MSR_MISC_ENABLE, UINT64_MAX), 0);
	assert_int_equal(rd(r, MSR_MISC_ENABLE), fixed | writable);
	vcpu_cpuid(&r->v, 0, 0, out);
	assert_int_equal(out[0], 2);
	vcpu_cpuid(&r->v, 0x80000001, 0, out);
	assert_false(out[3] & BIT(20));
	assert_int_equal(wr(r, MSR_EFER, EFER_NXE), E_INVAL);
	assert_int_equal(wr(r, MSR_MISC_ENABLE, 0), 0);
	assert_int_equal(rd(r, MSR_MISC_ENABLE), fixed);
	rig_end(r);
}

/* SDM v2, "WRMSR": a non-canonical address is #GP; what is taken goes to the CPU. */
static void addresses_are_canonical(void **state)
{
	static const uint32_t msrs[] = { MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_SYSENTER_ESP,
					 MSR_SYSENTER_EIP };
	static const uint64_t good[] = { 0, 0x7fffffffffff, 0xffff800000000000, UINT64_MAX };
	static const uint64_t bad[] = { 0x800000000000, 0xffff7fffffffffff, BIT64(63), BIT64(48) };
	struct rig *r = rig_split(0);

	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(msrs); m++)
		for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
			unsigned writes = r->f.msr.writes;

			assert_int_equal(wr(r, msrs[m], bad[i]), E_INVAL);
			assert_int_equal(r->f.msr.writes, writes);
			assert_int_equal(wr(r, msrs[m], good[i]), 0);
			assert_int_equal(r->f.msr.index, msrs[m]);
			assert_int_equal(r->f.msr.val, good[i]);
		}
	rig_end(r);
}

/* SDM v3, "Time-Stamp Counter Adjustment": "an execution of WRMSR to the IA32_TIME_STAMP_COUNTER MSR adds (or subtracts) value X from
 * the TSC" and "also adds (or subtracts) value X from the IA32_TSC_ADJUST MSR", and the other way round. */
static void tsc_and_its_adjustment_move_together(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	r->f.clock = 500;
	assert_int_equal(rd(r, MSR_TSC_ADJUST), 0);
	assert_int_equal(wr(r, MSR_TSC, 5000), 0);
	assert_int_equal(rd(r, MSR_TSC_ADJUST), 4000);
	assert_int_equal(wr(r, MSR_TSC_ADJUST, 100), 0);
	assert_int_equal(rd(r, MSR_TSC), 1100);
	rig_end(r);
}

/* Whoever has the local APIC. */
static void the_apic_base_is_a_physical_address(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, 0);
		const uint64_t base = APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_BSP;

		r->v.features.phys_bits = 40;
		assert_int_equal(wr(r, MSR_APIC_BASE, base | BIT64(40)), E_INVAL);
		assert_int_equal(wr(r, MSR_APIC_BASE, base | BIT64(51)), E_INVAL);
		assert_int_equal(wr(r, MSR_APIC_BASE, base | BIT64(39)), mode == IRQCHIP_USER ? E_NXIO : 0);
		rig_end(r);
	}
}

/* CPUID hides what these belong to. */
static void other_msrs_do_not_exist(void **state)
{
	static const uint32_t none[] = { 2, MSR_FEATURE_CONTROL, 0x250, 0x200, 0x17b, 0x186, 0x38f, 0x48, 0x10a, 0x122, 0x7ff, 0x900,
					 0xc0000080 - 1, 0xc0000104, MSR_SYSCFG, MSR_HWCR, MSR_K7_EVNTSEL0, MSR_VM_CR, MSR_VM_HSAVE_PA, UINT32_MAX };
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
		cmocka_unit_test(unchecked_msrs_are_there),
		cmocka_unit_test(read_only_msrs_do_not_take_a_write),
		cmocka_unit_test(reserved_bits_are_faults),
		cmocka_unit_test(misc_enable_keeps_what_is_writable),
		cmocka_unit_test(addresses_are_canonical),
		cmocka_unit_test(tsc_and_its_adjustment_move_together),
		cmocka_unit_test(the_apic_base_is_a_physical_address),
		cmocka_unit_test(other_msrs_do_not_exist),
		cmocka_unit_test(the_apics_msrs_are_whose_the_apic_is),
	};

	return cmocka_run_group_tests_name("msr", tests, NULL, NULL);
}
