/* SPDX-License-Identifier: BSD-2-Clause
 * CHECK: state that our own code should never have made ends the guest with a verdict that names the line, before the CPU sees
 * any of it.
 * Knows nothing of how such a state could come about. */
#include <stdio.h>

#include "unit/vcpu_fixture.h"

#define LINE_SIZE 200

/* The line that the verdict names is that of the CHECK. */
static void assert_names_its_line(const struct check *c)
{
	char line[LINE_SIZE] = "";
	FILE *f = fopen(c->file, "r");

	assert_non_null(f);
	for (uint32_t i = 0; i < c->line; i++)
		assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	if (!strstr(line, "CHECK(v, ") || !strstr(line, c->text))
		fail_msg("%s:%u is not CHECK(%s): %s", c->file, c->line, c->text, line);
}

static void assert_verdict(struct rig *r, const char *file, const char *text)
{
	const struct vcpu_run *run = run_of(r);

	assert_int_equal(run->exit_reason, VCPU_EXIT_INTERNAL_ERROR);
	assert_int_equal(run->internal.suberror, VCPU_ERROR_CHECK);
	assert_string_equal(run->internal.check->file, file);
	assert_string_equal(run->internal.check->text, text);
	assert_names_its_line(run->internal.check);
	assert_null(r->f.violation);
}

/* A guest that has run for a while. */
static struct rig *running(void)
{
	struct rig *r = rig_split(0);

	LOAD(r, NOP, OUT(RAISE, 1), NOP, NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	return r;
}

/* Neither at this run nor at any later one does the guest execute an instruction. */
static void assert_refused(struct rig *r, const char *file, const char *text)
{
	uint64_t rip = r->f.rip;

	for (int i = 0; i < 2; i++) {
		vcpu_native_api.run(&r->v);
		assert_verdict(r, file, text);
		assert_int_equal(r->f.rip, rip);
	}
	rig_end(r);
}

#define EVENTS_C "hv/core/events.c"
#define HOLD "events_hold(&v->ev)"
#define ALLOWED "v->ev.handed == EVENT_NONE && is_allowed(v, &e)"

static void a_stash_that_holds_no_vector(void **state)
{
	static const int bad[] = { LAPIC_VECTORS, -2, INT32_MAX };
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rig *r = running();

		r->v.ev.stash = bad[i];
		assert_refused(r, EVENTS_C, HOLD);
	}
}

static void an_exception_that_is_pending_and_committed(void **state)
{
	struct rig *r = running();
	(void)state;

	r->v.ev.exc.pending = r->v.ev.exc.injected = true;
	assert_refused(r, EVENTS_C, HOLD);
}

static void more_nmis_than_one_is_latched(void **state)
{
	struct rig *r = running();
	(void)state;

	r->v.ev.nmi.pending = 2;
	assert_refused(r, EVENTS_C, HOLD);
}

static void an_event_that_was_never_completed(void **state)
{
	struct rig *r = running();
	(void)state;

	r->v.ev.handed = EVENT_INTR;
	assert_refused(r, EVENTS_C, HOLD);
}

static void an_exception_that_no_cpu_has(void **state)
{
	struct rig *r = running();
	(void)state;

	r->v.ev.exc.pending = true;
	r->v.ev.exc.vector = VEC_LAST_EXCEPTION + 1;
	assert_refused(r, EVENTS_C, ALLOWED);
}

static void an_exception_without_its_error_code(void **state)
{
	struct rig *r = running();
	(void)state;

	vcpu_queue_exception(&r->v, VEC_GP, false, 0);
	assert_refused(r, EVENTS_C, ALLOWED);
}

/* Cut short in real mode it comes back without, and goes in again. The scripted CPU knows no real mode. */
static void in_real_mode_it_has_none(void **state)
{
	struct rig *r = running();
	(void)state;

	r->f.cr0 &= ~CR0_PE;
	vcpu_queue_exception(&r->v, VEC_GP, false, 0);
	vcpu_native_api.run(&r->v);
	assert_int_equal(r->v.check.line, 0);
	assert_non_null(r->f.violation);
	r->f.violation = NULL;
	rig_end(r);
}

static void an_exception_with_an_error_code_too_many(void **state)
{
	struct rig *r = running();
	(void)state;

	vcpu_queue_exception(&r->v, VEC_UD, true, 0);
	assert_refused(r, EVENTS_C, ALLOWED);
}

/* Each of the three would be lost: the second of its kind takes its place. */
static void an_event_cut_short_where_one_is_committed(void **state)
{
	static const struct {
		struct event event;
		const char *text;
	} kinds[] = {
		{ { .type = EVENT_INTR, .vector = EXTINT_VECTOR }, "!ev->intr.injected" },
		{ { .type = EVENT_NMI, .vector = VEC_NMI }, "!ev->nmi.injected" },
		{ { .type = EVENT_EXCEPTION, .vector = VEC_UD }, "!ev->exc.injected && !ev->exc.pending" },
	};
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct hvm_exit x = { .kind = HVM_EXIT_NPF, .vectoring = kinds[i].event };
		struct rig *r = running();

		vcpu_complete_injection(&r->v, &x);
		assert_int_equal(r->v.check.line, 0);
		vcpu_complete_injection(&r->v, &x);
		assert_refused(r, EVENTS_C, kinds[i].text);
	}
}

static void an_event_delivered_that_was_not_committed(void **state)
{
	static const struct {
		enum event_type type;
		const char *text;
	} kinds[] = { { EVENT_INTR, "v->ev.intr.injected" },
		      { EVENT_NMI, "v->ev.nmi.injected" },
		      { EVENT_EXCEPTION, "v->ev.exc.injected" } };
	static const struct hvm_exit x = { .kind = HVM_EXIT_INTR };
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct rig *r = running();

		r->v.ev.handed = kinds[i].type;
		vcpu_complete_injection(&r->v, &x);
		assert_refused(r, EVENTS_C, kinds[i].text);
	}
}

static void an_operation_left_open_twice(void **state)
{
	struct rig *r = running();
	(void)state;

	vcpu_leave_open(&r->v, OP_RDMSR);
	assert_int_equal(r->v.io.op, OP_RDMSR);
	vcpu_leave_open(&r->v, OP_IN);
	assert_int_equal(r->v.io.op, OP_RDMSR);
	assert_refused(r, "hv/core/vcpu.c", "v->io.op == OP_NONE");
}

static void an_instruction_of_no_length(void **state)
{
	static const uint8_t bad[] = { 0, INSN_MAX + 1 };
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rig *r = running();

		vcpu_skip(&r->v, bad[i], 0);
		assert_refused(r, "hv/core/debug.c", "len && len <= INSN_MAX");
	}
}

static void an_eoi_of_no_vector(void **state)
{
	struct rig *r = running();
	(void)state;

	r->v.lapic.eoi_broadcast = LAPIC_VECTORS;
	assert_refused(r, "hv/core/vcpu.c", "vector < LAPIC_VECTORS");
}

/* Also while the guest is halted, where no entry comes by. */
static void a_halted_guest_ends_too(void **state)
{
	struct rig *r = running();
	(void)state;

	r->v.halted = true;
	r->v.ev.stash = LAPIC_VECTORS;
	vcpu_skip(&r->v, 0, 0);
	assert_refused(r, "hv/core/debug.c", "len && len <= INSN_MAX");
}

static void the_first_that_fails_is_the_one_reported(void **state)
{
	struct vcpu v = { .check = { 0 } };
	(void)state;

	assert_true(CHECK(&v, 1 + 1 == 2));
	assert_int_equal(v.check.line, 0);
	assert_false(CHECK_SAYS(&v, false, "first"));
	assert_false(CHECK(&v, !"second"));
	assert_string_equal(v.check.text, "first");
}

/* SDM v3, "Checks on VM-Entry Control Fields": "If the interruption type is NMI, the vector is 2"; "hardware exception, the
 * vector is at most 31"; "deliver-error-code" only for "one of the following: #DF (8), TS (10), #NP (11), #SS (12), #GP (13),
 * #PF (14), or #AC (17)". APM v2, "Event Injection": a "TYPE = 3 (exception)" may not have "a vector that does not correspond
 * to an exception (e.g. vector 2 [...])". */
static void what_may_be_injected(void **state)
{
	static const bool pushes[FAKE_VECTORS] = { [8] = true,  [10] = true, [11] = true, [12] = true,
						   [13] = true, [14] = true, [17] = true };
	(void)state;

	for (unsigned i = 0; i < FAKE_VECTORS * 4; i++) {
		bool error = i & 1, protected_mode = i & 2;
		struct event e = { .vector = (uint8_t)(i / 4), .has_error = error };
		bool exception = e.vector < 32 && e.vector != 2 && (error ? pushes[e.vector] : !(protected_mode && pushes[e.vector]));

		e.type = EVENT_INTR;
		assert_int_equal(vcpu_event_allowed(&e, protected_mode), !error);
		e.type = EVENT_NMI;
		assert_int_equal(vcpu_event_allowed(&e, protected_mode), !error && e.vector == 2);
		e.type = EVENT_EXCEPTION;
		assert_int_equal(vcpu_event_allowed(&e, protected_mode), exception);
		e.type = EVENT_SOFT;
		assert_false(vcpu_event_allowed(&e, protected_mode));
		e.type = EVENT_NONE;
		assert_false(vcpu_event_allowed(&e, protected_mode));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stash_that_holds_no_vector),
		cmocka_unit_test(an_exception_that_is_pending_and_committed),
		cmocka_unit_test(more_nmis_than_one_is_latched),
		cmocka_unit_test(an_event_that_was_never_completed),
		cmocka_unit_test(an_exception_that_no_cpu_has),
		cmocka_unit_test(an_exception_without_its_error_code),
		cmocka_unit_test(in_real_mode_it_has_none),
		cmocka_unit_test(an_exception_with_an_error_code_too_many),
		cmocka_unit_test(an_event_cut_short_where_one_is_committed),
		cmocka_unit_test(an_event_delivered_that_was_not_committed),
		cmocka_unit_test(an_operation_left_open_twice),
		cmocka_unit_test(an_instruction_of_no_length),
		cmocka_unit_test(an_eoi_of_no_vector),
		cmocka_unit_test(a_halted_guest_ends_too),
		cmocka_unit_test(the_first_that_fails_is_the_one_reported),
		cmocka_unit_test(what_may_be_injected),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
