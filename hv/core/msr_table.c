/* SPDX-License-Identifier: BSD-2-Clause
 * The MSRs of the CPU that the guest sees: which feature each belongs to, what it holds after reset, what can be written.
 * Knows nothing of those with rules of their own but their names. */
#include "core/features.h"

#include "x86.h"

#define X2APIC_MSRS (MSR_X2APIC_LAST - MSR_X2APIC_FIRST + 1)
#define K7_COUNTERS 8 /* four selectors, four counters */
#define MCG_STATUS_WRITABLE MASK(2, 0)
#define MTRR_ENABLED BIT64(11)
#define MTRR_WB FIELD(7, 0, 6)
#define HWCR_TSC_FREQ_SEL BIT64(24)
#define HWCR_MC_STATUS_WR_EN BIT64(18)
#define HWCR_DROPPED (BIT64(3) | BIT64(4) | BIT64(6) | BIT64(8)) /* TlbCacheDis, INVD_WBINVD, FFDIS, IGNNE_EM */
#define SYSCFG_WRITABLE MASK(22, 18)                             /* what memory the MTRRs speak of */
#define TOP_MEM_WRITABLE MASK(51, 23)
#define INT_PENDING_WRITABLE MASK(31, 0)
#define MMIO_CFG_WRITABLE (MASK(51, 20) | MASK(5, 0))
#define EVERYTHING UINT64_MAX

#define CONFIG(msr) { msr, 1, FEATURE_AMD, MSR_PLAIN, .writable = EVERYTHING }

/* MTRRs without a range: what memory is cached how is no business of a guest, but firmware leaves them on. No machine-check banks.
 * The K7 counters do not count, and hold nothing: nobody is to believe that they do. The chicken bits of AMD change nothing and
 * are kept, as systems read them back. */
const struct msr_row msr_table[MSR_ROWS] = {
	{ MSR_TSC, 1, FEATURE_TSC, MSR_SPECIAL, .writable = EVERYTHING },
	{ MSR_TSC_ADJUST, 1, FEATURE_TSC_ADJUST, MSR_SPECIAL, .writable = EVERYTHING },
	{ MSR_APIC_BASE, 1, FEATURE_APIC, MSR_SPECIAL, 0, 0, 0 },
	{ MSR_TSC_DEADLINE, 1, FEATURE_TSC_DEADLINE, MSR_SPECIAL, .writable = EVERYTHING },
	{ MSR_X2APIC_FIRST, X2APIC_MSRS, FEATURE_X2APIC, MSR_SPECIAL, 0, 0, 0 },
	{ MSR_EFER, 1, FEATURE_BASE, MSR_SPECIAL, 0, 0, 0 },
	{ MSR_PAT, 1, FEATURE_PAT, MSR_SPECIAL, .reset = PAT_RESET },
	{ MSR_TSC_AUX, 1, FEATURE_RDTSCP, MSR_OWN, .writable = MASK(31, 0) },
	{ MSR_STAR, 1, FEATURE_SYSCALL, MSR_OWN, .writable = EVERYTHING },
	{ MSR_LSTAR, 1, FEATURE_SYSCALL, MSR_CANONICAL, .writable = EVERYTHING },
	{ MSR_CSTAR, 1, FEATURE_SYSCALL, MSR_CANONICAL, .writable = EVERYTHING },
	{ MSR_SFMASK, 1, FEATURE_SYSCALL, MSR_OWN, .writable = EVERYTHING },
	{ MSR_FS_BASE, 1, FEATURE_LM, MSR_CANONICAL, .writable = EVERYTHING },
	{ MSR_GS_BASE, 1, FEATURE_LM, MSR_CANONICAL, .writable = EVERYTHING },
	{ MSR_KERNEL_GS_BASE, 1, FEATURE_LM, MSR_CANONICAL, .writable = EVERYTHING },
	{ MSR_SYSENTER_CS, 1, FEATURE_SEP, MSR_OWN, .writable = EVERYTHING },
	{ MSR_SYSENTER_ESP, 1, FEATURE_SEP, MSR_CANONICAL, .writable = EVERYTHING },
	{ MSR_SYSENTER_EIP, 1, FEATURE_SEP, MSR_CANONICAL, .writable = EVERYTHING },
	{ MSR_DEBUGCTL, 1, FEATURE_BASE, MSR_PLAIN, 0, 0, 0 },
	{ MSR_P5_MC_ADDR, 2, FEATURE_MCE, MSR_READ_ONLY, 0, 0, 0 },
	{ MSR_MCG_CAP, 1, FEATURE_MCA, MSR_READ_ONLY, 0, 0, 0 },
	{ MSR_MCG_STATUS, 1, FEATURE_MCA, MSR_PLAIN, .writable = MCG_STATUS_WRITABLE },
	{ MSR_MTRRCAP, 1, FEATURE_MTRR, MSR_READ_ONLY, 0, 0, 0 },
	{ MSR_MTRR_DEF_TYPE, 1, FEATURE_MTRR, MSR_SPECIAL, .reset = MTRR_ENABLED | MTRR_WB },
	/* Intel's */
	{ MSR_PLATFORM_ID, 1, FEATURE_INTEL, MSR_READ_ONLY, 0, 0, 0 },
	{ MSR_BIOS_UPDT_TRIG, 1, FEATURE_INTEL, MSR_WRITE_ONLY, .writable = EVERYTHING },
	{ MSR_UCODE_REV, 1, FEATURE_INTEL, MSR_PLAIN, .dropped = EVERYTHING },
	{ MSR_PLATFORM_INFO, 1, FEATURE_INTEL, MSR_READ_ONLY, 0, 0, 0 },
	{ MSR_MISC_ENABLE, 1, FEATURE_INTEL, MSR_SPECIAL,
	  .reset = MISC_ENABLE_FAST_STRING | MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE },
	/* AMD's */
	{ MSR_UCODE_REV, 1, FEATURE_AMD, MSR_READ_ONLY, 0, 0, 0 },
	{ MSR_K7_EVNTSEL0, K7_COUNTERS, FEATURE_AMD, MSR_PLAIN, .dropped = EVERYTHING },
	{ MSR_SYSCFG, 1, FEATURE_AMD, MSR_PLAIN, .writable = SYSCFG_WRITABLE },
	{ MSR_HWCR, 1, FEATURE_AMD, MSR_PLAIN, HWCR_TSC_FREQ_SEL, HWCR_TSC_FREQ_SEL | HWCR_MC_STATUS_WR_EN, HWCR_DROPPED },
	{ MSR_TOP_MEM, 1, FEATURE_AMD, MSR_PLAIN, .writable = TOP_MEM_WRITABLE },
	{ MSR_TOP_MEM2, 1, FEATURE_AMD, MSR_PLAIN, .writable = TOP_MEM_WRITABLE },
	{ MSR_INT_PENDING, 1, FEATURE_AMD, MSR_PLAIN, .writable = INT_PENDING_WRITABLE },
	{ MSR_MMIO_CFG_BASE, 1, FEATURE_AMD, MSR_PLAIN, .writable = MMIO_CFG_WRITABLE },
	CONFIG(MSR_NB_CFG),
	CONFIG(MSR_LS_CFG),
	CONFIG(MSR_IC_CFG),
	CONFIG(MSR_DC_CFG),
	CONFIG(MSR_BU_CFG),
	CONFIG(MSR_DE_CFG),
	CONFIG(MSR_BU_CFG2),
};

const struct msr_row *features_msr(const struct features *f, uint32_t msr)
{
	for (const struct msr_row *row = msr_table; row->count; row++)
		if (msr - row->first < row->count && features_show(f, row->feature))
			return row;
	return NULL;
}
