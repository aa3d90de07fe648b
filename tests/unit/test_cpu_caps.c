/* SPDX-License-Identifier: BSD-2-Clause
 * Which of VMX and SVM is spoken of, and the one line for a CPU that has neither.
 * Knows nothing of what either lacks in detail: test_vmx_caps.c, test_svm_caps.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "x86/cpu.h"

#define NEITHER "this CPU has neither VMX (CPUID.1:ECX.VMX = 0) nor SVM (CPUID Fn8000_0001 ECX.SVM = 0)"

static const struct cpu_caps intel = {
	.vendor = CPU_VMX,
	.vmx = { .vmx = true,
		 .feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX,
		 .basic = VMX_BASIC_INS_OUTS_INFO,
		 .misc = VMX_MISC_SAVES_LMA,
		 .pin = FIELD(63, 32, UINT32_MAX),
		 .proc = FIELD(63, 32, UINT32_MAX),
		 .proc2 = FIELD(63, 32, UINT32_MAX),
		 .exit = FIELD(63, 32, UINT32_MAX),
		 .entry = FIELD(63, 32, UINT32_MAX),
		 .ept_vpid = EPT_CAP_WALK_LENGTH_4 | EPT_CAP_WB | EPT_CAP_INVEPT | EPT_CAP_INVEPT_ALL },
};
static const struct cpu_caps amd = { .vendor = CPU_SVM, .amd = true, .svm = { .svm = true, .npt = true, .asids = 16 } };

static void vmx_speaks_for_itself(void **state)
{
	struct cpu_caps c = intel;

	(void)state;
	assert_null(cpu_missing(&c, false));
	assert_null(cpu_missing(&c, true));
	assert_true(cpu_has_vid(&c));
	assert_string_equal(cpu_name(&c), "vmx");
	c.vmx.proc2 &= ~FIELD(63, 32, PROC2_VIRTUAL_INTR_DELIVERY);
	assert_null(cpu_missing(&c, false));
	assert_string_equal(cpu_missing(&c, true), vmx_missing(&c.vmx, true));
	assert_false(cpu_has_vid(&c));
	/* There, and of no use: still its own line. */
	c.vmx.on = true;
	assert_string_equal(cpu_missing(&c, false), vmx_missing(&c.vmx, false));
	assert_string_equal(cpu_name(&c), "vmx");
}

static void svm_speaks_for_itself(void **state)
{
	struct cpu_caps c = amd;

	(void)state;
	assert_null(cpu_missing(&c, false));
	assert_string_equal(cpu_missing(&c, true), "SVM here has no virtual-interrupt delivery");
	assert_false(cpu_has_vid(&c));
	assert_string_equal(cpu_name(&c), "svm");
	c.svm.npt = false;
	assert_string_equal(cpu_missing(&c, false), svm_missing(&c.svm));
	assert_string_equal(cpu_missing(&c, true), svm_missing(&c.svm));
}

static void a_cpu_with_neither(void **state)
{
	struct cpu_caps c = { .vendor = CPU_SVM };

	(void)state;
	assert_string_equal(cpu_missing(&c, false), NEITHER);
	assert_string_equal(cpu_missing(&c, true), NEITHER);
	assert_false(cpu_has_vid(&c));
	assert_string_equal(cpu_name(&c), "none");
	/* Of a CPU that AMD's name is on, only SVM can be missing. */
	c.amd = true;
	assert_string_equal(cpu_missing(&c, false), "this CPU has no SVM (CPUID Fn8000_0001 ECX.SVM = 0)");
	assert_string_equal(cpu_name(&c), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmx_speaks_for_itself),
		cmocka_unit_test(svm_speaks_for_itself),
		cmocka_unit_test(a_cpu_with_neither),
	};

	return cmocka_run_group_tests_name("cpu_caps", tests, NULL, NULL);
}
