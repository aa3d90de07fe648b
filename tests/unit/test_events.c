/* SPDX-License-Identifier: BSD-2-Clause
 * Arbitration: what goes first, what waits for its window, and what becomes of a delivery that was cut short.
 * Knows nothing of the user half's rules. */
#include "unit/vcpu_fixture.h"

#define MSI_LOW 0x51     /* same class as MSI_VECTOR */
#define MSI_HIGH 0x60
#define SOFT_VECTOR 0x80
#define MMIO_HOLE 0xf0000000u

/* ---- deliveries cut short ---- */

enum source { BY_EXTINT, BY_LAPIC, BY_NMI, BY_GUEST_FAULT, BY_OUR_FAULT, BY_INT, SOURCES };

static const struct {
	enum event_type type;
	uint8_t vector;
} sources[SOURCES] = {
	[BY_EXTINT] = { EVENT_INTR, EXTINT_VECTOR },       [BY_LAPIC] = { EVENT_INTR, MSI_VECTOR },
	[BY_NMI] = { EVENT_NMI, VEC_NMI },                 [BY_GUEST_FAULT] = { EVENT_EXCEPTION, VEC_PF },
	[BY_OUR_FAULT] = { EVENT_EXCEPTION, VEC_GP },      [BY_INT] = { EVENT_SOFT, SOFT_VECTOR },
};

static struct rig *rig_for_source(enum irq_rule rule, enum source s, uint64_t seed)
{
	const uint32_t error = PF_ERR_W;
	struct rig *r = rig_new(rule, IRQCHIP_SPLIT, seed);

	if (s == BY_GUEST_FAULT)
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), FAULT(VEC_PF, error), OUT(EXIT, 1));
	else if (s == BY_OUR_FAULT)
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), RDMSR, OUT(EXIT, 1)); /* of port RAISE's number: no such MSR */
	else if (s == BY_INT)
		LOAD(r, STI, NOP, OUT(RAISE, 1), INT(SOFT_VECTOR), LABEL(0), OUT(EXIT, 1));
	else
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
	return r;
}

static void raise_source(struct rig *r, enum source s)
{
	const uint64_t no_such_msr = 0x12345;

	r->v.regs.gpr[RCX] = no_such_msr;
	if (s == BY_EXTINT)
		interrupt(r, EXTINT_VECTOR);
	else if (s == BY_LAPIC)
		msi(r, MSI_VECTOR);
	else if (s == BY_NMI)
		nmi(r);
}

/* Reference, "partial delivery": the event is requeued, and delivered exactly once. `missing`: mask of structures. */
static void check_reinjection(enum irq_rule rule, enum source s, unsigned missing, uint64_t seed)
{
	struct rig *r = rig_for_source(rule, s, seed);
	unsigned faults = (unsigned)__builtin_popcount(missing);
	bool ours = s != BY_GUEST_FAULT && s != BY_INT;

	fake_map_all(&r->f);
	run_to(r, RAISE);
	for (unsigned i = 0; i < ARRAY_SIZE(r->f.structures); i++)
		if (missing & BIT(i))
			vcpu_native_api.unmap(&r->v, GPA(r->f.structures[i]), 1);
	raise_source(r, s);
	run_to(r, EXIT);
	expect_arrival_at(r, sources[s].type, sources[s].vector, 0);
	expect_no_arrival(r);
	assert_int_equal(r->v.stats.delivery_faults, faults);
	if (s == BY_INT)
		assert_int_equal(r->v.stats.reinjected, 0);
	else
		assert_int_equal(r->v.stats.reinjected, faults);
	assert_int_equal(r->v.stats.extint + r->v.stats.lapic + r->v.stats.nmi,
			 ours && s != BY_OUR_FAULT && !(rig_vid && s == BY_LAPIC));
	rig_end(r);
}

static void what_was_cut_short_is_delivered_exactly_once(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SOURCES; s++)
		for (unsigned missing = 0; missing < 8; missing++)
			FOR_SEEDS(seed)
				check_reinjection((enum irq_rule)(seed % IRQ_RULES), (enum source)s, missing, seed);
}

/* The error code and CR2 survive. */
static void a_page_fault_cut_short_keeps_its_error_code(void **state)
{
	const uint64_t address = 0x1234;
	struct rig *r = rig_for_source(IRQ_RULE_REARM, BY_GUEST_FAULT, 0);

	(void)state;
	r->f.cr2 = address;
	run_to(r, EXIT);
	assert_int_equal(expect_arrival(r, EVENT_EXCEPTION, VEC_PF)->error, PF_ERR_W);
	rig_end(r);
}

/* Reference, "Software order": "re-injection (exception; else, unless an exception is pending, NMI, then IRQ)", one event
 * per entry; "an allowed-but-blocked lower event forces an immediate exit". A deadline makes the user half see the
 * half-delivered interrupt, and raise an NMI on top. */
static void an_nmi_on_top_of_a_half_delivered_interrupt(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	fake_map_all(&r->f);
	fake_gate(&r->f, EXTINT_VECTOR, 1, false);
	LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1), NOP, IRET);
	run_to(r, RAISE);
	fake_unmap(&r->f, FAKE_STACK);
	interrupt(r, EXTINT_VECTOR);
	run_of(r)->deadline = r->f.clock;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	assert_int_equal(r->v.stats.delivery_faults, 1);
	assert_false(run_of(r)->ready_for_interrupt_injection);
	run_of(r)->deadline = LONG_NS;
	nmi(r);
	interrupt(r, EXTINT_VECTOR_2);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
	expect_arrival_at(r, EVENT_NMI, VEC_NMI, 1);
	expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR_2, 0);
	expect_no_arrival(r);
	rig_end(r);
}

/* One NMI is half delivered, the next is latched: it comes at the first one's IRET, not at some later exit. */
static void an_nmi_on_top_of_a_half_delivered_nmi(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	fake_map_all(&r->f);
	LOAD(r, OUT(RAISE, 1), LABEL(0), NOP, NOP, NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	fake_unmap(&r->f, FAKE_IDT);
	nmi(r);
	run_of(r)->deadline = r->f.clock;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	run_of(r)->deadline = LONG_NS;
	nmi(r);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
	expect_arrival_at(r, EVENT_NMI, VEC_NMI, 0);
	expect_no_arrival(r);
	rig_end(r);
}

static void delivery_into_a_hole_is_an_internal_error(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, STI, NOP, OUT(RAISE, 1), NOP, OUT(EXIT, 1));
		run_to(r, RAISE);
		r->f.structures[2] = MMIO_HOLE;
		interrupt(r, EXTINT_VECTOR);
		assert_int_equal(run(r), VCPU_EXIT_INTERNAL_ERROR);
		assert_int_equal(run_of(r)->internal.suberror, VCPU_ERROR_DELIVERY);
		assert_int_equal(run_of(r)->internal.data[0], MMIO_HOLE);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* ---- exceptions ---- */

/* "exception; NMI; IRQ": each at its own entry, the NMI inside the exception's handler, the interrupt after both. */
static void exception_then_nmi_then_interrupt(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);
		const struct fake_arrival *a;

		fake_gate(&r->f, VEC_GP, 1, false);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, LABEL(2), OUT(EXIT, 1), LABEL(1), NOP, IRET_NEXT);
		run_to(r, RAISE);
		vcpu_queue_gp(&r->v);
		nmi(r);
		interrupt(r, EXTINT_VECTOR);
		run_to(r, EXIT);
		a = expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
		assert_true(a->has_error && a->error == 0 && a->injected);
		expect_arrival_at(r, EVENT_NMI, VEC_NMI, 1);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 2);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* A trap gate leaves IF alone, so the interrupt lands on the handler's first instruction. */
static void an_interrupt_nests_in_a_trap_gate(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, VEC_UD, 1, true);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), VMCALL, OUT(EXIT, 1), LABEL(1), NOP, IRET_NEXT);
		run_to(r, RAISE);
		assert_int_equal(msi(r, MSI_VECTOR), 0);
		vcpu_queue_exception(&r->v, VEC_UD, false, 0);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_UD, 0);
		expect_arrival_at(r, EVENT_INTR, MSI_VECTOR, 1);
		rig_end(r);
	}
}

/* SDM v3, "Interrupt 8-Double Fault Exception (#DF)": "If another contributory or page fault exception occurs when
 * attempting to call the double-fault handler ..., the processor enters shutdown mode." */
static void a_fault_on_the_way_to_the_double_fault_handler_is_shutdown(void **state)
{
	static const struct {
		uint8_t second;
		enum vcpu_exit_reason reason;
	} table[] = { { VEC_GP, VCPU_EXIT_SHUTDOWN }, { VEC_PF, VCPU_EXIT_SHUTDOWN }, { VEC_AC, VCPU_EXIT_IO } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_split(seed);
			uint8_t second = table[i].second;

			LOAD(r, FAULT(VEC_DF, 0), OUT(EXIT, 1));
			r->f.nested.armed = true;
			r->f.nested.vector = VEC_DF;
			r->f.nested.second = (struct event){ .type = EVENT_EXCEPTION, .vector = second,
							     .has_error = second >= VEC_TS };
			assert_int_equal(run(r), table[i].reason);
			rig_end(r);
		}
}

/* SDM v3, the table "Conditions for Generating a Double Fault". */
static void two_exceptions_make_a_double_fault_where_the_table_says(void **state)
{
	static const struct {
		uint8_t first, second;
		bool df;
	} table[] = {
		{ VEC_DB, VEC_GP, false }, { VEC_UD, VEC_PF, false }, { VEC_GP, VEC_UD, false },
		{ VEC_GP, VEC_GP, true },  { VEC_DE, VEC_NP, true },  { VEC_TS, VEC_SS, true },
		{ VEC_GP, VEC_PF, false }, { VEC_PF, VEC_PF, true },  { VEC_PF, VEC_GP, true },
		{ VEC_PF, VEC_UD, false }, { VEC_PF, VEC_DE, true },  { VEC_UD, VEC_UD, false },
		{ VEC_NP, VEC_AC, false }, { VEC_AC, VEC_GP, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_split(seed);
			uint8_t second = table[i].second;
			const struct fake_arrival *a;

			fake_gate(&r->f, VEC_DB, HANDLER_NEXT, false);
			LOAD(r, LABEL(0), FAULT(table[i].first, 0), OUT(EXIT, 1));
			r->f.nested.armed = true;
			r->f.nested.vector = table[i].first;
			r->f.nested.second = (struct event){ .type = EVENT_EXCEPTION, .vector = second,
							     .has_error = second >= VEC_TS && second != VEC_MF,
							     .error = PF_ERR_U };
			run_to(r, EXIT);
			a = expect_arrival_at(r, EVENT_EXCEPTION, table[i].df ? VEC_DF : second, 0);
			assert_int_equal(a->error, table[i].df || !a->has_error ? 0 : PF_ERR_U);
			expect_no_arrival(r);
			rig_end(r);
		}
}

/* A #DB that a delivery raises, by a breakpoint on the stack, is a trap: the exception is delivered, and it comes behind that, in
 * front of the handler. The same with an interrupt and an NMI: neither is lost. */
static void a_debug_trap_of_a_delivery_comes_behind_it(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, VEC_GP, 1, false);
		LOAD(r, LABEL(0), FAULT(VEC_GP, PF_ERR_U), OUT(EXIT, 1), LABEL(1), NOP, IRET_NEXT);
		r->f.nested.armed = true;
		r->f.nested.vector = VEC_GP;
		r->f.nested.second = (struct event){ .type = EVENT_EXCEPTION, .vector = VEC_DB };
		run_to(r, EXIT);
		assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0)->error, PF_ERR_U);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 1);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* An NMI whose delivery raised an exception goes in again right behind it, not at some later exit. */
static void an_nmi_cut_short_by_an_exception_follows_it(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	fake_map_all(&r->f);
	fake_gate(&r->f, VEC_PF, 1, false);
	fake_gate(&r->f, VEC_NMI, HANDLER_IRET, false);
	LOAD(r, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1), LABEL(1), NOP, NOP, IRET);
	r->f.nested.armed = true;
	r->f.nested.vector = VEC_NMI;
	r->f.nested.second = (struct event){ .type = EVENT_EXCEPTION, .vector = VEC_PF, .has_error = true };
	run_to(r, RAISE);
	nmi(r);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_EXCEPTION, VEC_PF, 0);
	expect_arrival_at(r, EVENT_NMI, VEC_NMI, 1);
	expect_no_arrival(r);
	rig_end(r);
}

/* An interrupt likewise, but in split mode never with IF=0: it waits for the end of the exception's handler. */
static void an_interrupt_cut_short_by_an_exception_waits_for_if(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned trap = 0; trap < 2; trap++) {
			struct rig *r = rig_split(seed);

			fake_gate(&r->f, VEC_PF, 1, trap);
			LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1), LABEL(1), NOP, NOP, IRET);
			r->f.nested.armed = true;
			r->f.nested.vector = EXTINT_VECTOR;
			r->f.nested.second = (struct event){ .type = EVENT_EXCEPTION, .vector = VEC_PF, .has_error = true };
			run_to(r, RAISE);
			interrupt(r, EXTINT_VECTOR);
			run_to(r, EXIT);
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_PF, 0);
			expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, trap ? 1 : 0);
			expect_no_arrival(r);
			rig_end(r);
		}
}

/* An instruction that exits is single-stepped as one that does not. SDM v3, "Single-Step Exception Condition". */
static void emulated_instructions_owe_the_single_step_trap(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, POPF(RFLAGS_TF), CPUID, LABEL(0), NOP, LABEL(1), OUT(RAISE, 1), LABEL(2), IN(RAISE, 1), LABEL(3),
		     LOAD_EAX(APIC(APIC_VERSION)), LABEL(4), WBINVD, LABEL(5), POPF(0), LABEL(6), NOP, OUT(EXIT, 1));
		run_to(r, EXIT);
		for (unsigned label = 0; label <= 6; label++)
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, label);
		expect_no_arrival(r);
		assert_true(r->f.dr6 & DR6_BS);
		rig_end(r);
	}
}

/* MOV SS holds the trap off for one instruction, and that one owes it although it exits. */
static void mov_ss_delays_the_single_step_trap(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, POPF(RFLAGS_TF), MOV_SS, CPUID, LABEL(0), POPF(0), LABEL(1), OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 0);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 1);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* The trap of a single-stepped HLT ends the halt. */
static void a_pending_exception_wakes(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, POPF(RFLAGS_TF), HLT, LABEL(0), OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 0);
		assert_int_equal(r->v.stats.halts, 1);
		assert_int_equal(r->f.sleeps, 0);
		rig_end(r);
	}
}

static void db_of_an_emulated_instruction_sets_dr6(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	r->f.rflags |= RFLAGS_TF;
	LOAD(r, CPUID, LABEL(0), OUT(EXIT, 1));
	fake_gate(&r->f, VEC_DB, 1, false);
	r->f.labels[1] = fake_label(&r->f, 0);
	assert_false(r->f.dr6 & DR6_BS);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 0);
	assert_true(r->f.dr6 & DR6_BS);
	rig_end(r);
}

/* SDM v3, "Instruction-Breakpoint Exception Condition": RF=1 for faults, for all else as it is. */
static void faults_push_rf_and_traps_do_not(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		r->v.regs.gpr[RCX] = EXIT; /* no MSR */
		LOAD(r, LABEL(0), RDMSR, LABEL(1), VMCALL, POPF(RFLAGS_TF), CPUID, LABEL(2), POPF(0), LABEL(3), OUT(EXIT, 1));
		run_to(r, EXIT);
		assert_true(expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0)->rf);
		assert_true(expect_arrival_at(r, EVENT_EXCEPTION, VEC_UD, 1)->rf);
		assert_false(expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 2)->rf);
		assert_false(expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 3)->rf);
		rig_end(r);
	}
}

/* ---- LAPIC priorities ---- */

/* SDM v3, "Interrupt, Task, and Processor Priority": a handler is interrupted by a higher class only. */
static void only_a_higher_class_nests(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		fake_gate(&r->f, MSI_VECTOR, 1, false);
		fake_gate(&r->f, MSI_LOW, HANDLER_EOI, false);
		fake_gate(&r->f, MSI_HIGH, HANDLER_EOI, false);
		LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1), LABEL(1), STI, NOP, OUT(RAISE, 1), LABEL(2), NOP,
		     CLI, EOI, IRET);
		run_to(r, RAISE);
		msi(r, MSI_VECTOR);
		run_to(r, RAISE);
		msi(r, MSI_LOW);
		msi(r, MSI_HIGH);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_INTR, MSI_VECTOR, 0);
		expect_arrival_at(r, EVENT_INTR, MSI_HIGH, 2);
		expect_arrival_at(r, EVENT_INTR, MSI_LOW, 0);
		expect_no_arrival(r);
		assert_int_equal(r->v.stats.lapic, rig_vid ? 0 : 3);
		rig_end(r);
	}
}

/* A refused vector stays in IRR: it moves to ISR when the CPU gets it. */
static void a_vector_that_waits_stays_in_irr(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, OUT(RAISE, 1), NOP, OUT(RAISE, 1), STI, NOP, NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	msi(r, MSI_VECTOR);
	run_to(r, RAISE);
	assert_int_equal(lapic_highest_irr(&r->v.lapic), MSI_VECTOR);
	assert_int_equal(lapic_ppr(&r->v.lapic), 0);
	run_to(r, EXIT);
	assert_int_equal(lapic_highest_irr(&r->v.lapic), -1);
	expect_arrival(r, EVENT_INTR, MSI_VECTOR);
	rig_end(r);
}

/* ---- CR8 ---- */

/* SDM v3, "Task Priority in IA-32e Mode": CR8 is the TPR. Without a vector that waits for it, its writes do not exit. */
static void cr8_is_the_tpr_and_exits_only_if_a_vector_waits(void **state)
{
	struct rig *r = rig_split(0);
	uint64_t exits;

	(void)state;
	fake_long_mode(&r->f);
	fake_map_all(&r->f);
	LOAD(r, STI, NOP, MOV(RAX, 6), OUT(RAISE, 1), MOV_CR8, OUT(RAISE, 1), MOV(RAX, 0), MOV_CR8, LABEL(0), NOP,
	     OUT(EXIT, 1));
	run_to(r, RAISE);
	exits = r->v.stats.exits;
	run_to(r, RAISE);
	assert_int_equal(r->v.stats.exits, exits + 1); /* of OUT itself */
	assert_int_equal(lapic_cr8(&r->v.lapic), 6);
	msi(r, MSI_VECTOR);
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_INTR, MSI_VECTOR, 0);
	assert_int_equal(r->v.exit_counts[HVM_EXIT_CR_WRITE], !rig_vid);
	assert_int_equal(lapic_cr8(&r->v.lapic), 0);
	rig_end(r);
}

static void a_vector_held_back_by_cr8_comes_when_it_is_lowered(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned long_mode = 0; long_mode < 2; long_mode++) {
			struct rig *r = rig_split(seed);

			if (long_mode)
				fake_long_mode(&r->f);
			LOAD(r, STI, MOV(RAX, 5), MOV_CR8, OUT(RAISE, 1), NOP, MOV(RAX, 15), MOV_CR8, NOP, MOV(RAX, 4), MOV_CR8,
			     LABEL(0), NOP, OUT(EXIT, 1));
			run_to(r, RAISE);
			msi(r, MSI_VECTOR);
			run_to(r, EXIT);
			expect_arrival_at(r, EVENT_INTR, MSI_VECTOR, 0);
			rig_end(r);
		}
}

/* The TPR that the guest writes to the page is what it reads in CR8. */
static void tpr_writes_reach_cr8(void **state)
{
	struct rig *r = rig_split(0);
	const uint8_t cr8 = 9;

	(void)state;
	LOAD(r, STORE32(APIC(APIC_TPR), 0x9f), OUT(EXIT, 1));
	run_to(r, EXIT);
	assert_int_equal(fake_tpr(&r->f) >> 4, cr8);
	assert_int_equal(lapic_tpr(&r->v.lapic), 0x9f); /* the low half is not lost by the way back */
	rig_end(r);
}

/* User irqchip: run.cr8 goes in and comes out; "KVM_EXIT_SET_TPR" when it is lowered. */
static void user_mode_is_told_when_cr8_is_lowered(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_user(seed);
		const uint64_t high = 7, low = 3;

		run_of(r)->cr8 = low;
		LOAD(r, OUT(RAISE, 1), MOV(RAX, high), MOV_CR8, OUT(RAISE, 1), MOV(RAX, low), MOV_CR8, LABEL(0), OUT(EXIT, 1));
		run_to(r, RAISE);
		assert_int_equal(fake_tpr(&r->f) >> 4, low);
		assert_int_equal(run(r), VCPU_EXIT_IO); /* raising it tells nobody */
		assert_int_equal(run_of(r)->cr8, high);
		assert_int_equal(run(r), VCPU_EXIT_SET_TPR);
		assert_int_equal(run_of(r)->cr8, low);
		assert_int_equal(r->f.rip, fake_label(&r->f, 0));
		rig_end(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_cut_short_is_delivered_exactly_once),
		cmocka_unit_test(a_page_fault_cut_short_keeps_its_error_code),
		cmocka_unit_test(an_nmi_on_top_of_a_half_delivered_interrupt),
		cmocka_unit_test(an_nmi_on_top_of_a_half_delivered_nmi),
		cmocka_unit_test(delivery_into_a_hole_is_an_internal_error),
		cmocka_unit_test(exception_then_nmi_then_interrupt),
		cmocka_unit_test(an_interrupt_nests_in_a_trap_gate),
		cmocka_unit_test(a_fault_on_the_way_to_the_double_fault_handler_is_shutdown),
		cmocka_unit_test(two_exceptions_make_a_double_fault_where_the_table_says),
		cmocka_unit_test(an_interrupt_cut_short_by_an_exception_waits_for_if),
		cmocka_unit_test(an_nmi_cut_short_by_an_exception_follows_it),
		cmocka_unit_test(emulated_instructions_owe_the_single_step_trap),
		cmocka_unit_test(mov_ss_delays_the_single_step_trap),
		cmocka_unit_test(a_pending_exception_wakes),
		cmocka_unit_test(db_of_an_emulated_instruction_sets_dr6),
		cmocka_unit_test(faults_push_rf_and_traps_do_not),
		cmocka_unit_test(a_debug_trap_of_a_delivery_comes_behind_it),
		cmocka_unit_test(only_a_higher_class_nests),
		cmocka_unit_test(a_vector_that_waits_stays_in_irr),
		cmocka_unit_test(cr8_is_the_tpr_and_exits_only_if_a_vector_waits),
		cmocka_unit_test(a_vector_held_back_by_cr8_comes_when_it_is_lowered),
		cmocka_unit_test(tpr_writes_reach_cr8),
		cmocka_unit_test(user_mode_is_told_when_cr8_is_lowered),
	};

	return RUN_BOTH_WAYS("events", tests);
}
