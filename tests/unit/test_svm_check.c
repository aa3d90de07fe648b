/* SPDX-License-Identifier: BSD-2-Clause
 * What is said of a guest that VMRUN refused: each rule by name, with the fields that broke it.
 * Knows nothing of how the VMCB came to be so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "x86.h"
#include "x86/svm_check.h"

#define PHYS_BITS 40
#define BEYOND BIT64(PHYS_BITS)
#define HIGH BIT64(32)
#define LONG_CR0 (CR0_PE | CR0_ET | CR0_WP | CR0_PG)
#define LONG_EFER (EFER_SVME | EFER_LME | EFER_LMA)
#define RESERVED_TYPE 1
#define INJECT(type, vector) (EVENT_VALID | EVENT_TYPE_FIELD(type) | (vector))

static const struct svm_check_facts facts = { .phys_bits = PHYS_BITS,
					      .long_mode = true,
					      .cr4_mbz = ~(MASK(10, 0) | CR4_SMEP | CR4_CET),
					      .efer_mbz = ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME) };

/* A guest in 64-bit mode that every CPU would enter. */
static struct vmcb good(void)
{
	struct vmcb b = { .control = { .intercept_2 = INTERCEPT_VMRUN,
				       .guest_asid = 1,
				       .iopm_base_pa = 0x1000,
				       .msrpm_base_pa = 0x4000,
				       .np_enable = NP_ENABLE,
				       .n_cr3 = 0x6000 },
			  .save = { .cs = { .attributes = SEG_CODE | SEG_L | SEG_G },
				    .efer = LONG_EFER,
				    .cr0 = LONG_CR0,
				    .cr3 = 0x7000,
				    .cr4 = CR4_PAE,
				    .dr6 = DR6_INIT,
				    .dr7 = DR7_INIT,
				    .rflags = RFLAGS_RESERVED1,
				    .g_pat = PAT_RESET } };

	return b;
}

static void assert_no_rule(const struct vmcb *b)
{
	struct entry_check c;

	svm_check(b, &facts, &c);
	if (c.broken)
		fail_msg("%s", c.line[1]);
	assert_int_equal(c.lines, 2);
	assert_string_equal(c.line[0], "VMRUN refused the guest: VMEXIT_INVALID");
	assert_string_equal(c.line[1], "no rule that is checked here is broken");
}

static void assert_line(const struct vmcb *b, const struct svm_check_facts *f, const char *line)
{
	struct entry_check c;

	svm_check(b, f, &c);
	if (c.broken != 1)
		fail_msg("%s: %u rules are broken: %s | %s", line, c.broken, c.line[1], c.lines > 2 ? c.line[2] : "");
	assert_string_equal(c.line[1], line);
}

static void a_good_guest_breaks_no_rule(void **state)
{
	struct vmcb b = good();

	(void)state;
	assert_no_rule(&b);
	b.save.cr0 |= CR0_CD | CR0_NW;
	assert_no_rule(&b);
	/* Not long yet. */
	b = good();
	b.save.cr0 = CR0_PE;
	b.save.cr4 = 0;
	b.save.efer = EFER_SVME | EFER_LME;
	b.save.cs.attributes = SEG_CODE | SEG_DB;
	assert_no_rule(&b);
	b.save.cs.attributes |= SEG_L;
	assert_no_rule(&b);
	/* Nested paging off: nCR3 and G_PAT are not used. */
	b.control.np_enable = 0;
	b.control.n_cr3 = b.save.g_pat = UINT64_MAX;
	assert_no_rule(&b);
}

#define SAVE(field) offsetof(struct vmcb, save.field)
#define CONTROL(field) offsetof(struct vmcb, control.field)

struct broken {
	size_t field;
	size_t size;
	uint64_t value;
	const char *line;
};

static void assert_each(const struct broken *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct vmcb b = good();

		memcpy((char *)&b + list[i].field, &list[i].value, list[i].size);
		assert_line(&b, &facts, list[i].line);
	}
}

/* APM v2, "Canonicalization and Consistency Checks": "The following conditions are considered illegal state combinations". */
static void each_rule_on_registers(void **state)
{
	static const struct broken list[] = {
		{ SAVE(efer), 8, EFER_LME | EFER_LMA, "invalid guest state: EFER.SVME is 0 (VMCB.efer=0x500)" },
		{ SAVE(cr0), 8, LONG_CR0 | CR0_NW, "invalid guest state: CR0.CD is 0 and CR0.NW is 1 (VMCB.cr0=0xa0010011)" },
		{ SAVE(cr0), 8, LONG_CR0 | HIGH, "invalid guest state: CR0[63:32] are not 0 (VMCB.cr0=0x180010011)" },
		{ SAVE(cr3), 8, BEYOND, "invalid guest state: a MBZ bit of CR3 is 1 (VMCB.cr3=0x10000000000)" },
		{ SAVE(cr4), 8, CR4_PAE | CR4_VMXE,
		  "invalid guest state: a MBZ bit of CR4 is 1 (VMCB.cr4=0x2020 MBZ=0xffffffffff6ff800)" },
		{ SAVE(dr6), 8, DR6_INIT | HIGH, "invalid guest state: DR6[63:32] are not 0 (VMCB.dr6=0x1ffff0ff0)" },
		{ SAVE(dr7), 8, DR7_INIT | HIGH, "invalid guest state: DR7[63:32] are not 0 (VMCB.dr7=0x100000400)" },
		{ SAVE(efer), 8, LONG_EFER | BIT64(9),
		  "invalid guest state: a MBZ bit of EFER is 1 (VMCB.efer=0x1700 MBZ=0xffffffffffffe2fe)" },
		{ SAVE(cr4), 8, 0,
		  "invalid guest state: EFER.LME and CR0.PG are 1 and CR4.PAE is 0 "
		  "(VMCB.efer=0x1500 VMCB.cr0=0x80010011 VMCB.cr4=0)" },
		{ SAVE(cr0), 8, LONG_CR0 & ~CR0_PE,
		  "invalid guest state: EFER.LME and CR0.PG are 1 and CR0.PE is 0 (VMCB.efer=0x1500 VMCB.cr0=0x80010010)" },
		{ SAVE(cs.attributes), 2, SEG_CODE | SEG_L | SEG_DB,
		  "invalid guest state: EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all 1 "
		  "(VMCB.efer=0x1500 VMCB.cr0=0x80010011 VMCB.cr4=0x20 VMCB.cs.attributes=0x69b)" },
	};
	struct vmcb b = good();

	(void)state;
	assert_each(list, ARRAY_SIZE(list));
	b.save.cs.attributes |= SEG_DB;
	b.save.cr4 = 0;
	assert_line(&b, &facts, "invalid guest state: EFER.LME and CR0.PG are 1 and CR4.PAE is 0 "
				"(VMCB.efer=0x1500 VMCB.cr0=0x80010011 VMCB.cr4=0)");
	b = good();
	b.save.cr4 |= CR4_CET;
	assert_no_rule(&b);
	b.save.cr0 &= ~CR0_WP;
	assert_line(&b, &facts, "invalid guest state: CR4.CET is 1 and CR0.WP is 0 (VMCB.cr4=0x800020 VMCB.cr0=0x80000011)");
}

/* "EFER.LMA or EFER.LME is non-zero and this processor does not support long mode." */
static void a_cpu_without_long_mode(void **state)
{
	const struct svm_check_facts f = { .phys_bits = PHYS_BITS };
	const char *line = "invalid guest state: EFER.LMA or EFER.LME is 1 and this CPU has no long mode (VMCB.efer=0x1400)";
	struct vmcb b = good();

	(void)state;
	b.save.cr0 &= ~CR0_PG;
	b.save.efer = EFER_SVME | EFER_LMA;
	assert_line(&b, &f, line);
}

static void each_rule_on_control(void **state)
{
	static const struct broken list[] = {
		{ CONTROL(intercept_2), 4, 0, "invalid control: the VMRUN intercept bit is clear (VMCB.intercept_2=0)" },
		{ CONTROL(iopm_base_pa), 8, BEYOND - 0x2000,
		  "invalid control: the IOIO intercept table is beyond the physical addresses of this CPU "
		  "(VMCB.iopm_base_pa=0xffffffe000)" },
		{ CONTROL(msrpm_base_pa), 8, BEYOND - 0x1000,
		  "invalid control: the MSR intercept table is beyond the physical addresses of this CPU "
		  "(VMCB.msrpm_base_pa=0xfffffff000)" },
		{ CONTROL(guest_asid), 4, 0, "invalid control: ASID is equal to zero (VMCB.guest_asid=0)" },
		{ CONTROL(n_cr3), 8, BEYOND, "invalid control: a MBZ bit of nCR3 is 1 (VMCB.n_cr3=0x10000000000)" },
		{ SAVE(g_pat), 8, 2, "invalid guest state: G_PAT has an unsupported type (VMCB.g_pat=0x2)" },
		{ SAVE(g_pat), 8, 0x0800, "invalid guest state: G_PAT has an unsupported type (VMCB.g_pat=0x800)" },
	};
	struct vmcb b = good();

	(void)state;
	assert_each(list, ARRAY_SIZE(list));
	/* The last page that there is. */
	b.control.iopm_base_pa = BEYOND - 0x3000;
	b.control.msrpm_base_pa = BEYOND - 0x2000;
	assert_no_rule(&b);
}

/* APM v2, "Event Injection": "Reserved values of TYPE have been specified, or TYPE = 3 (exception) has been specified with a
 * vector that does not correspond to an exception (this includes vector 2, which is an NMI, not an exception)." */
static void each_rule_on_injection(void **state)
{
	static const struct broken list[] = {
		{ CONTROL(eventinj), 8, INJECT(RESERVED_TYPE, 0x30),
		  "invalid control: EVENTINJ has a reserved TYPE (VMCB.eventinj=0x80000130)" },
		{ CONTROL(eventinj), 8, INJECT(EVENT_TYPE_EXEPT, VEC_NMI),
		  "invalid control: EVENTINJ injects an exception by a vector that is none (VMCB.eventinj=0x80000302)" },
		{ CONTROL(eventinj), 8, INJECT(EVENT_TYPE_EXEPT, 32),
		  "invalid control: EVENTINJ injects an exception by a vector that is none (VMCB.eventinj=0x80000320)" },
	};
	static const uint64_t allowed[] = { INJECT(EVENT_TYPE_INTR, 0xff), INJECT(EVENT_TYPE_NMI, VEC_NMI),
					    INJECT(EVENT_TYPE_EXEPT, VEC_PF), INJECT(EVENT_TYPE_SOFT, 0x80),
					    EVENT_TYPE_FIELD(RESERVED_TYPE) };
	struct vmcb b = good();

	(void)state;
	assert_each(list, ARRAY_SIZE(list));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		b.control.eventinj = allowed[i];
		assert_no_rule(&b);
	}
}

static void more_rules_than_lines(void **state)
{
	struct vmcb b;
	struct entry_check c;

	(void)state;
	memset(&b, UINT8_MAX, sizeof(b));
	svm_check(&b, &facts, &c);
	assert_true(c.broken > ENTRY_CHECK_LINES);
	assert_int_equal(c.lines, ENTRY_CHECK_LINES);
	assert_int_equal(c.dropped, c.broken - (ENTRY_CHECK_LINES - 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_guest_breaks_no_rule), cmocka_unit_test(each_rule_on_registers),
		cmocka_unit_test(a_cpu_without_long_mode),     cmocka_unit_test(each_rule_on_control),
		cmocka_unit_test(each_rule_on_injection),      cmocka_unit_test(more_rules_than_lines),
	};

	return cmocka_run_group_tests_name("svm_check", tests, NULL, NULL);
}
