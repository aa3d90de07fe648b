/* SPDX-License-Identifier: BSD-2-Clause
 * What a CPU must have to run a guest under SVM, and the line for each thing that may be missing.
 * Knows nothing of how the facts are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "x86/svm.h"

#define FACTS 6
#define ASIDS_MAX 4

static const struct svm_caps complete = { .svm = true, .npt = true, .nrips = true, .asids = 16 };

static void assert_missing(const struct svm_caps *c, const char *line)
{
	const char *missing = svm_missing(c);

	assert_non_null(missing);
	assert_string_equal(missing, line);
}

static void nothing_is_missing(void **state)
{
	struct svm_caps c = complete;

	(void)state;
	assert_null(svm_missing(&c));
	/* Neither next-RIP saving nor the vendor decides. */
	c.nrips = false;
	c.tcg = true;
	assert_null(svm_missing(&c));
}

/* APM v2, "Enabling SVM": "CPUID Fn8000_0001_ECX[SVM] ... == 0 ... return SVM_NOT_AVAIL". */
static void without_svm(void **state)
{
	struct svm_caps c = complete;

	(void)state;
	c.svm = false;
	assert_missing(&c, "this CPU has no SVM (CPUID Fn8000_0001 ECX.SVM = 0)");
	/* The rest was not read then. */
	c = (struct svm_caps){ 0 };
	assert_missing(&c, "this CPU has no SVM (CPUID Fn8000_0001 ECX.SVM = 0)");
}

/* APM v2, "Enabling SVM": "SVM_DISABLED_AT_BIOS_NOT_UNLOCKABLE // the user must change a platform firmware setting to enable
 * SVM". */
static void disabled_and_locked_by_firmware(void **state)
{
	struct svm_caps c = complete;

	(void)state;
	c.disabled = c.locked = true;
	assert_missing(&c, "SVM is disabled and locked by firmware (VM_CR.SVMDIS = 1): enable it in the firmware's set-up");
}

/* APM v2, "Enabling SVM": "SVM_DISABLED_WITH_KEY // SVMLock may be unlockable; consult platform firmware or TPM to obtain
 * the key." */
static void disabled_with_a_key(void **state)
{
	struct svm_caps c = complete;

	(void)state;
	c.disabled = true;
	assert_missing(&c, "SVM is disabled (VM_CR.SVMDIS = 1) and needs a key to unlock");
}

/* VM_CR.LOCK with SVMDIS = 0 keeps SVM enabled. */
static void locked_in_the_enabled_state(void **state)
{
	struct svm_caps c = complete;

	(void)state;
	c.locked = true;
	assert_null(svm_missing(&c));
}

static void without_nested_paging(void **state)
{
	struct svm_caps c = complete;

	(void)state;
	c.npt = false;
	assert_missing(&c, "this CPU has no nested paging (CPUID Fn8000_000A EDX.NP = 0)");
}

/* APM v2, "Enabling SVM"; ASID 0 is the host's: "Canonicalization and Consistency Checks", "ASID is equal to zero". */
static void without_an_asid_for_the_guest(void **state)
{
	struct svm_caps c = complete;

	(void)state;
	for (c.asids = 0; c.asids < 2; c.asids++)
		assert_missing(&c, "this CPU has no ASID for a guest (CPUID Fn8000_000A EBX < 2)");
	assert_null(svm_missing(&c));
}

/* Over all combinations: usable is what has everything, and a line is one line. */
static void every_combination(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ASIDS_MAX << FACTS; n++) {
		struct svm_caps c = { .svm = n & BIT(0),
				      .disabled = n & BIT(1),
				      .locked = n & BIT(2),
				      .npt = n & BIT(3),
				      .nrips = n & BIT(4),
				      .tcg = n & BIT(5),
				      .asids = n >> FACTS };
		bool usable = c.svm && !c.disabled && c.npt && c.asids >= 2;
		const char *missing = svm_missing(&c);

		assert_int_equal(usable, !missing);
		if (!missing)
			continue;
		assert_null(strchr(missing, '\n'));
		/* What is named is what is missing: the first of them, in the order in which they can be read. */
		assert_int_equal(!!strstr(missing, "has no SVM"), !c.svm);
		assert_int_equal(!!strstr(missing, "VM_CR.SVMDIS"), c.svm && c.disabled);
		assert_int_equal(!!strstr(missing, "nested paging"), c.svm && !c.disabled && !c.npt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_missing),
		cmocka_unit_test(without_svm),
		cmocka_unit_test(disabled_and_locked_by_firmware),
		cmocka_unit_test(disabled_with_a_key),
		cmocka_unit_test(locked_in_the_enabled_state),
		cmocka_unit_test(without_nested_paging),
		cmocka_unit_test(without_an_asid_for_the_guest),
		cmocka_unit_test(every_combination),
	};

	return cmocka_run_group_tests_name("svm_caps", tests, NULL, NULL);
}
