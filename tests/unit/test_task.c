/* SPDX-License-Identifier: BSD-2-Clause
 * Task switches done for the CPU: what is saved and loaded, and each fault with its selector and the task that it strikes.
 * Knows nothing of how a CPU reports them. */
#include "core/task.h"

#include "unit/vcpu_fixture.h"

/* In the rig's memory, where everything is identity-mapped. */
#define OLD_TSS (FAKE_DATA + 0x100)
#define NEW_TSS (FAKE_DATA + 0x200)
#define GDT (FAKE_DATA + 0x400)
#define STACK (FAKE_DATA + 0xc00)
#define PDPT (FAKE_DATA + 0xe00)
enum { SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_OLD = 0x18, SEL_NEW = 0x20, SEL_ABSENT = 0x28, SEL_LDT = 0x30, SEL_USER = 0x38, GDT_SIZE = 0x40 };

#define TSS32 0x9
#define TSS16 0x1
#define BUSY 0x2
#define PRESENT 0x80u
#define TYPE_DATA 0x13u
#define TYPE_CODE 0x1bu
#define TYPE_LDT 0x2u
#define DPL3 0x60u
#define RETURN_EIP 0x1234u
#define ENTRY_EIP 0x5678u
#define LEN 7

static void put(struct rig *r, uint32_t at, uint32_t val, unsigned size)
{
	memcpy(r->f.ram + at, &val, size);
}

static uint32_t get(struct rig *r, uint32_t at, unsigned size)
{
	uint32_t val = 0;

	memcpy(&val, r->f.ram + at, size);
	return val;
}

static void put_descriptor(struct rig *r, uint16_t selector, uint32_t base, uint32_t limit, uint8_t access)
{
	put(r, GDT + selector, (limit & 0xffff) | base << 16, 4);
	put(r, GDT + selector + 4, (base >> 16 & 0xff) | (uint32_t)access << 8 | (limit & 0xf0000) | 0x400000 | (base & 0xff000000), 4);
}

static uint8_t access_of(struct rig *r, uint16_t selector)
{
	return (uint8_t)get(r, GDT + selector + 5, 1);
}

/* The segments of the new TSS, of 32 bits. */
static void put_segment(struct rig *r, enum sreg s, uint16_t selector)
{
	put(r, NEW_TSS + 0x48 + 4 * s, selector, 4);
}

static struct rig *tasks(uint8_t new_access)
{
	struct rig *r = rig_split(0);

	put_descriptor(r, SEL_CODE, 0, 0xfffff, PRESENT | TYPE_CODE);
	put_descriptor(r, SEL_DATA, 0, 0xfffff, PRESENT | (TYPE_DATA & ~1u));
	put_descriptor(r, SEL_OLD, OLD_TSS, 0x67, PRESENT | TSS32 | BUSY);
	put_descriptor(r, SEL_NEW, NEW_TSS, 0x67, new_access);
	put_descriptor(r, SEL_ABSENT, 0, 0xfffff, TYPE_DATA);
	put_descriptor(r, SEL_LDT, GDT, GDT_SIZE - 1, PRESENT | TYPE_LDT);
	put_descriptor(r, SEL_USER, 0, 0xfffff, PRESENT | TYPE_DATA | DPL3);
	r->f.seg[SREG_GDTR] = (struct hvm_segment){ .base = GDT, .limit = GDT_SIZE - 1 };
	r->f.seg[SREG_TR] = (struct hvm_segment){ .base = OLD_TSS, .limit = 0x67, .ar = AR_TSS_BUSY, .selector = SEL_OLD };
	put(r, NEW_TSS + 0x20, ENTRY_EIP, 4);
	put(r, NEW_TSS + 0x24, RFLAGS_RESERVED1, 4);
	for (unsigned i = 0; i < 8; i++)
		put(r, NEW_TSS + 0x28 + 4 * i, 0xa0000000 | i, 4);
	put(r, NEW_TSS + 0x38, STACK, 4);
	for (unsigned s = SREG_ES; s <= SREG_GS; s++)
		put_segment(r, (enum sreg)s, s == SREG_CS ? SEL_CODE : SEL_DATA);
	r->f.rip = RETURN_EIP;
	r->f.rflags = RFLAGS_RESERVED1 | RFLAGS_CF;
	r->f.dr7 |= MASK(9, 0);
	r->v.regs.gpr[RDX] = 0x11112222;
	return r;
}

static bool do_switch(struct rig *r, enum task_source source, const struct event *e)
{
	struct hvm_task how = { .selector = SEL_NEW, .source = source, .insn_len = LEN };

	if (e)
		how.event = *e;
	return vcpu_switch_task(&r->v, &how);
}

static void assert_no_fault(const struct rig *r)
{
	assert_false(r->v.ev.exc.pending || r->v.ev.exc.injected || r->v.ev.shutdown);
}

static void assert_fault(const struct rig *r, uint8_t vector, uint32_t error)
{
	assert_true(r->v.ev.exc.pending && r->v.ev.exc.has_error);
	assert_int_equal(r->v.ev.exc.vector, vector);
	assert_int_equal(r->v.ev.exc.error, error);
}

/* SDM v3, "Task Switching", and the table of what each kind does to B, NT and the link. */
static void each_kind_does_to_flags_and_links_what_the_table_says(void **state)
{
	static const struct event event = { .type = EVENT_INTR, .vector = EXTINT_VECTOR };
	static const struct {
		enum task_source source;
		bool nests, saved_nt, behind;
	} kinds[] = { { TASK_JMP, false, true, true },
		      { TASK_CALL, true, true, true },
		      { TASK_IRET, false, false, true },
		      { TASK_GATE, true, true, false } };
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool iret = kinds[i].source == TASK_IRET;
		struct rig *r = tasks(PRESENT | TSS32 | (iret ? BUSY : 0));

		r->f.rflags |= RFLAGS_NT;
		assert_false(do_switch(r, kinds[i].source, kinds[i].source == TASK_GATE ? &event : NULL));
		assert_no_fault(r);
		assert_int_equal(access_of(r, SEL_OLD), PRESENT | TSS32 | (kinds[i].nests ? BUSY : 0));
		assert_int_equal(access_of(r, SEL_NEW), PRESENT | TSS32 | BUSY);
		assert_int_equal(get(r, NEW_TSS, 2), kinds[i].nests ? SEL_OLD : 0);
		assert_int_equal((r->f.rflags & RFLAGS_NT) != 0, kinds[i].nests);
		assert_int_equal((get(r, OLD_TSS + 0x24, 4) & RFLAGS_NT) != 0, kinds[i].saved_nt);
		assert_int_equal(get(r, OLD_TSS + 0x20, 4), RETURN_EIP + (kinds[i].behind ? LEN : 0));
		rig_end(r);
	}
}

static void registers_go_out_and_in(void **state)
{
	struct rig *r = tasks(PRESENT | TSS32);
	uint32_t esp = (uint32_t)r->f.rsp;
	(void)state;

	do_switch(r, TASK_JMP, NULL);
	assert_int_equal(get(r, OLD_TSS + 0x30, 4), 0x11112222);
	assert_int_equal(get(r, OLD_TSS + 0x38, 4), esp);
	assert_int_equal(get(r, OLD_TSS + 0x4c, 4), SEL_CODE);
	assert_int_equal(get(r, OLD_TSS + 0x1c, 4), 0); /* CR3 is not saved */
	assert_int_equal(r->v.regs.gpr[RDX], 0xa0000002);
	assert_int_equal(r->f.rsp, STACK);
	assert_int_equal(r->f.rip, ENTRY_EIP);
	assert_true(r->f.cr0 & CR0_TS);
	assert_int_equal(r->f.dr7 & MASK(9, 0), 0x2aa);
	assert_int_equal(r->f.seg[SREG_TR].selector, SEL_NEW);
	assert_int_equal(r->f.seg[SREG_TR].ar & MASK(7, 0), AR_TSS_BUSY);
	assert_int_equal(r->f.seg[SREG_DS].limit, 0xfffff);
	assert_true(r->f.seg[SREG_DS].ar & BIT(0));
	assert_int_equal(access_of(r, SEL_DATA), PRESENT | TYPE_DATA); /* accessed now */
	assert_true(r->f.seg[SREG_LDTR].ar & AR_UNUSABLE);
	rig_end(r);
}

static void sixteen_bits_are_half_of_it(void **state)
{
	static const uint16_t selectors[] = { SEL_DATA, SEL_CODE, SEL_DATA, SEL_DATA };
	struct rig *r = tasks(PRESENT | TSS16);
	(void)state;

	memset(r->f.ram + NEW_TSS, 0, 0x68);
	put(r, NEW_TSS + 0x0e, ENTRY_EIP, 2);
	put(r, NEW_TSS + 0x16, 0xbeef, 2);
	for (unsigned i = 0; i < ARRAY_SIZE(selectors); i++)
		put(r, NEW_TSS + 0x22 + 2 * i, selectors[i], 2);
	put_descriptor(r, SEL_OLD, OLD_TSS, 0x2b, PRESENT | TSS16 | BUSY);
	r->f.seg[SREG_TR].ar = 0x83;
	do_switch(r, TASK_JMP, NULL);
	assert_no_fault(r);
	assert_int_equal(r->f.rip, ENTRY_EIP);
	assert_int_equal(r->v.regs.gpr[RDX], 0xffffbeef);
	assert_int_equal(get(r, OLD_TSS + 0x0e, 2), RETURN_EIP + LEN);
	assert_int_equal(get(r, OLD_TSS + 0x16, 2), 0x2222);
	assert_int_equal(get(r, OLD_TSS + 0x24, 2), SEL_CODE);
	assert_true(r->f.seg[SREG_GS].ar & AR_UNUSABLE);
	rig_end(r);
}

/* "Exception Conditions Checked During a Task Switch" */
static void each_bad_segment_is_its_fault_in_the_new_task(void **state)
{
	static const struct {
		enum sreg reg;
		uint16_t selector;
		uint8_t vector;
		uint16_t error;
	} cases[] = {
		{ SREG_CS, 0, VEC_TS, 0 },
		{ SREG_CS, SEL_DATA, VEC_TS, SEL_DATA },
		{ SREG_CS, SEL_CODE | 3, VEC_TS, SEL_CODE },
		{ SREG_CS, GDT_SIZE, VEC_TS, GDT_SIZE },
		{ SREG_SS, 0, VEC_TS, 0 },
		{ SREG_SS, SEL_CODE, VEC_TS, SEL_CODE },
		{ SREG_SS, SEL_USER, VEC_TS, SEL_USER },
		{ SREG_SS, SEL_ABSENT, VEC_SS, SEL_ABSENT },
		{ SREG_DS, SEL_NEW, VEC_TS, SEL_NEW },
		{ SREG_DS, SEL_DATA | 3, VEC_TS, SEL_DATA },
		{ SREG_DS, SEL_ABSENT, VEC_NP, SEL_ABSENT },
		{ SREG_GS, SEL_ABSENT, VEC_NP, SEL_ABSENT },
		{ SREG_ES, 4, VEC_TS, 4 }, /* there is no LDT */
		{ SREG_LDTR, SEL_DATA, VEC_TS, SEL_DATA },
		{ SREG_LDTR, SEL_LDT | 4, VEC_TS, SEL_LDT | 4 },
	};
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *r = tasks(PRESENT | TSS32);

		put_segment(r, cases[i].reg, cases[i].selector);
		do_switch(r, TASK_JMP, NULL);
		assert_fault(r, cases[i].vector, cases[i].error);
		assert_int_equal(r->f.seg[SREG_TR].selector, SEL_NEW);
		assert_int_equal(r->f.rip, ENTRY_EIP);
		assert_int_equal(access_of(r, SEL_OLD), PRESENT | TSS32);
		/* what an entry takes */
		assert_true(r->f.seg[SREG_CS].ar & AR_P);
		assert_int_equal(AR_DPL(r->f.seg[SREG_CS].ar), AR_DPL(r->f.seg[SREG_SS].ar));
		rig_end(r);
	}
}

/* ... and what the old task is told, with nothing changed. */
static void a_bad_tss_changes_nothing(void **state)
{
	static const struct {
		uint8_t access;
		uint32_t limit;
		uint8_t vector;
	} cases[] = { { TSS32, 0x67, VEC_NP }, { PRESENT | TSS32, 0x66, VEC_TS }, { PRESENT | TSS16, 0x2a, VEC_TS } };
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *r = tasks(PRESENT | TSS32);

		put_descriptor(r, SEL_NEW, NEW_TSS, cases[i].limit, cases[i].access);
		do_switch(r, TASK_CALL, NULL);
		assert_fault(r, cases[i].vector, SEL_NEW);
		assert_int_equal(r->f.rip, RETURN_EIP);
		assert_int_equal(r->f.seg[SREG_TR].selector, SEL_OLD);
		assert_int_equal(get(r, OLD_TSS + 0x20, 4), 0);
		assert_int_equal(access_of(r, SEL_NEW), cases[i].access);
		rig_end(r);
	}
}

/* "EXT": "an external event" if set, and #DF where two exceptions make one. */
static void a_fault_of_a_delivery(void **state)
{
	static const struct {
		struct event event;
		uint8_t vector;
		uint32_t error;
	} cases[] = {
		{ { .type = EVENT_INTR, .vector = EXTINT_VECTOR }, VEC_NP, SEL_ABSENT | 1 },
		{ { .type = EVENT_SOFT, .vector = 0x80 }, VEC_NP, SEL_ABSENT },
		{ { .type = EVENT_EXCEPTION, .vector = VEC_UD }, VEC_NP, SEL_ABSENT | 1 },
		{ { .type = EVENT_EXCEPTION, .vector = VEC_GP, .has_error = true }, VEC_DF, 0 },
	};
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *r = tasks(PRESENT | TSS32);

		put_segment(r, SREG_DS, SEL_ABSENT);
		do_switch(r, TASK_GATE, &cases[i].event);
		assert_fault(r, cases[i].vector, cases[i].error);
		rig_end(r);
	}
}

/* "Interrupt Tasks": the error code is on the new task's stack. RF as for the handler of any fault. */
static void an_exception_brings_its_error_code(void **state)
{
	static const struct event gp = { .type = EVENT_EXCEPTION, .vector = VEC_GP, .has_error = true, .error = 0x77 };
	struct rig *r = tasks(PRESENT | TSS32);
	(void)state;

	do_switch(r, TASK_GATE, &gp);
	assert_no_fault(r);
	assert_int_equal(r->f.rsp, STACK - 4);
	assert_int_equal(get(r, STACK - 4, 4), 0x77);
	assert_true(get(r, OLD_TSS + 0x24, 4) & RFLAGS_RF);
	rig_end(r);
}

static void the_t_flag_is_a_debug_trap(void **state)
{
	struct rig *r = tasks(PRESENT | TSS32);
	(void)state;

	put(r, NEW_TSS + 0x64, 1, 2);
	do_switch(r, TASK_JMP, NULL);
	assert_true(r->v.ev.exc.pending);
	assert_int_equal(r->v.ev.exc.vector, VEC_DB);
	assert_int_equal(r->v.ev.exc.dr6, DR6_BT);
	rig_end(r);
}

static void virtual_8086_tasks_have_no_descriptors(void **state)
{
	struct rig *r = tasks(PRESENT | TSS32);
	(void)state;

	put(r, NEW_TSS + 0x24, (uint32_t)(RFLAGS_VM | RFLAGS_RESERVED1), 4);
	put_segment(r, SREG_CS, 0x1234);
	do_switch(r, TASK_JMP, NULL);
	assert_no_fault(r);
	assert_int_equal(r->f.seg[SREG_CS].base, 0x12340);
	assert_int_equal(r->f.seg[SREG_CS].limit, UINT16_MAX);
	assert_int_equal(r->f.seg[SREG_CS].ar, AR_DATA | DPL3);
	rig_end(r);
}

/* PAE paging, the first 2 MiB by one page. */
static void put_pdpt(struct rig *r, uint32_t at, uint32_t more)
{
	memset(r->f.ram + at, 0, 32);
	put(r, at, FAKE_TABLES | PTE_P | more, 4);
	put(r, FAKE_TABLES, PTE_P | PTE_W | PTE_PS, 4);
}

static void pdptes_that_no_entry_takes_are_gp(void **state)
{
	static const uint32_t reserved[] = { 0, 0x2, 0x4, 0x20, 0x100 };
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++) {
		struct rig *r = tasks(PRESENT | TSS32);

		r->f.cr4 |= CR4_PAE;
		r->f.cr0 |= CR0_PG;
		r->f.cr3 = PDPT;
		put_pdpt(r, PDPT, 0);
		put_pdpt(r, PDPT + 32, reserved[i]);
		put(r, NEW_TSS + 0x1c, PDPT + 32, 4);
		do_switch(r, TASK_JMP, NULL);
		if (reserved[i])
			assert_fault(r, VEC_GP, 0);
		else
			assert_no_fault(r);
		assert_int_equal(r->f.cr3, reserved[i] ? PDPT : PDPT + 32);
		assert_int_equal(r->f.rip, reserved[i] ? RETURN_EIP : ENTRY_EIP);
		rig_end(r);
	}
}

static void tables_outside_of_ram_are_a_verdict(void **state)
{
	struct rig *r = tasks(PRESENT | TSS32);
	(void)state;

	r->f.seg[SREG_GDTR].base = 0xf0000000;
	assert_true(do_switch(r, TASK_JMP, NULL));
	assert_int_equal(run_of(r)->exit_reason, VCPU_EXIT_INTERNAL_ERROR);
	assert_int_equal(run_of(r)->internal.suberror, VCPU_ERROR_DELIVERY);
	assert_int_equal(run_of(r)->internal.data[0], 0xf0000000 + SEL_NEW);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_does_to_flags_and_links_what_the_table_says),
		cmocka_unit_test(registers_go_out_and_in),
		cmocka_unit_test(sixteen_bits_are_half_of_it),
		cmocka_unit_test(each_bad_segment_is_its_fault_in_the_new_task),
		cmocka_unit_test(a_bad_tss_changes_nothing),
		cmocka_unit_test(a_fault_of_a_delivery),
		cmocka_unit_test(an_exception_brings_its_error_code),
		cmocka_unit_test(the_t_flag_is_a_debug_trap),
		cmocka_unit_test(virtual_8086_tasks_have_no_descriptors),
		cmocka_unit_test(pdptes_that_no_entry_takes_are_gp),
		cmocka_unit_test(tables_outside_of_ram_are_a_verdict),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
