/* SPDX-License-Identifier: BSD-2-Clause
 * The run loop: halting, deadlines, EOI exits, the livelock detector, and how a run ends.
 * Knows nothing of single instructions. */
#include "unit/vcpu_fixture.h"

#define TIMER_VECTOR 0x40
#define SLACK_NS (20 * NSEC_PER_USEC) /* of exits and deliveries */
#define FAR_NS NSEC_PER_MSEC

/* ---- entry and end ---- */

/* Multiboot specification, "Machine state": EIP the entry, EAX the magic, EBX the structure; interrupts off. */
static void entry_state_is_multiboots(void **state)
{
	const uint32_t eip = 0x2000, magic = 0x2badb002, info = 0x9000;
	struct rig *r = rig_split(0);
	struct vcpu_dump d;

	(void)state;
	vcpu_set_entry(&r->v, eip, magic, info);
	vcpu_native_api.dump(&r->v, &d);
	assert_int_equal(d.rip, eip);
	assert_int_equal(d.gpr[RAX], magic);
	assert_int_equal(d.gpr[RBX], info);
	assert_int_equal(d.rflags, RFLAGS_RESERVED1);
	assert_int_equal(d.stash, STASH_EMPTY);
	assert_int_equal(d.lapic_pending, -1);
	assert_false(d.halted || d.nmi_masked || d.shadow);
	rig_end(r);
}

static void dump_tells_the_state(void **state)
{
	struct rig *r = rig_split(0);
	struct vcpu_dump d;

	(void)state;
	LOAD(r, MOV(R15, 15), OUT(RAISE, 1), LABEL(0), OUT(EXIT, 1));
	run_to(r, RAISE);
	r->f.shadow = SHADOW_MOV_SS;
	interrupt(r, EXTINT_VECTOR);
	msi(r, MSI_VECTOR);
	vcpu_native_api.dump(&r->v, &d);
	assert_int_equal(d.rip, fake_label(&r->f, 0));
	assert_int_equal(d.gpr[R15], 15);
	assert_int_equal(d.gpr[RSP], r->f.rsp);
	assert_int_equal(d.rsp, r->f.rsp);
	assert_true(d.shadow && d.nmi_masked);
	assert_int_equal(d.stash, EXTINT_VECTOR);
	assert_int_equal(d.lapic_pending, MSI_VECTOR);
	rig_end(r);
}

static uint32_t reason_of(struct rig *r, const struct fake_insn *i)
{
	rig_load(r, i, 1);
	return run(r);
}

static void each_end_has_its_reason(void **state)
{
	static const struct fake_insn shutdown = SHUTDOWN, strange = STRANGE, fetch = FETCH(0xf0000000);
	struct rig *r = rig_split(0);

	(void)state;
	assert_int_equal(reason_of(r, &shutdown), VCPU_EXIT_SHUTDOWN);
	rig_end(r);
	r = rig_split(0);
	assert_int_equal(reason_of(r, &strange), VCPU_EXIT_INTERNAL_ERROR);
	assert_int_equal(run_of(r)->internal.suberror, VCPU_ERROR_EXIT);
	assert_int_equal(run_of(r)->internal.data[0], HVM_EXIT_UNKNOWN);
	rig_end(r);
	r = rig_split(0);
	assert_int_equal(reason_of(r, &fetch), VCPU_EXIT_INTERNAL_ERROR);
	assert_int_equal(run_of(r)->internal.suberror, VCPU_ERROR_FETCH);
	assert_int_equal(run_of(r)->internal.data[0], fetch.val);
	rig_end(r);
}

/* Three faults without a page for the tables: the guest stops, not the hypervisor. */
static void no_page_for_the_nested_tables_is_an_internal_error(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, NOP, OUT(EXIT, 1));
	r->f.out_of_pages = true;
	assert_int_equal(run(r), VCPU_EXIT_INTERNAL_ERROR);
	assert_int_equal(run_of(r)->internal.suberror, VCPU_ERROR_EXIT);
	rig_end(r);
}

/* What no CPU accepts: an external interrupt with IF=0. */
static void a_refused_entry_is_fail_entry(void **state)
{
	struct rig *r = rig_user(0);

	(void)state;
	LOAD(r, NOP, OUT(EXIT, 1));
	interrupt(r, EXTINT_VECTOR);
	vcpu_native_api.run(&r->v);
	assert_int_equal(run_of(r)->exit_reason, VCPU_EXIT_FAIL_ENTRY);
	assert_non_null(r->f.violation);
	r->f.violation = NULL;
	rig_end(r);
}

/* ---- immediate_exit and deadline ---- */

static void immediate_exit_does_not_run_the_guest(void **state)
{
	(void)state;
	FOR_RULES(rule)
		for (unsigned mode = 0; mode < 2; mode++) {
			struct rig *r = rig_new((enum irq_rule)rule, (enum irqchip_mode)mode, 1);

			LOAD(r, NOP, OUT(EXIT, 1));
			run_of(r)->immediate_exit = 1;
			run_of(r)->request_interrupt_window = 1;
			r->f.rflags |= RFLAGS_IF;
			assert_int_equal(run(r), VCPU_EXIT_INTR);
			assert_int_equal(r->f.entries, 0);
			assert_true(run_of(r)->ready_for_interrupt_injection);
			rig_end(r);
		}
}

/* As with KVM: the way to finish an instruction without beginning the next. */
static void immediate_exit_finishes_pending_io(void **state)
{
	const uint32_t data = 0x5a;
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, IN(RAISE, 1), LABEL(0), OUT(EXIT, 1));
	run_to(r, RAISE);
	assert_true(run_of(r)->operation_pending);
	run_of(r)->io.data = data;
	run_of(r)->immediate_exit = 1;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	assert_false(run_of(r)->operation_pending);
	assert_int_equal(r->v.regs.gpr[RAX], data);
	assert_int_equal(r->f.rip, fake_label(&r->f, 0));
	rig_end(r);
}

static void the_deadline_returns_with_intr_and_not_before(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned mode = 0; mode < 2; mode++) {
			struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, seed);

			LOAD(r, LABEL(0), NOP, JMP(0));
			for (int i = 1; i <= 3; i++) {
				run_of(r)->deadline = (uint64_t)i * FAR_NS;
				assert_int_equal(run(r), VCPU_EXIT_INTR);
				assert_in_range(r->f.clock, i * FAR_NS, i * FAR_NS + SLACK_NS);
				assert_int_equal(r->f.last_deadline, i * FAR_NS);
			}
			rig_end(r);
		}
}

static void the_deadline_wakes_a_halted_vcpu_to_the_user_half(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, STI, HLT, LABEL(0), OUT(EXIT, 1));
		run_of(r)->deadline = FAR_NS;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		assert_true(r->v.halted);
		assert_int_equal(r->f.clock, FAR_NS);
		assert_int_equal(r->f.rip, fake_label(&r->f, 0));
		rig_end(r);
	}
}

/* ---- HLT ---- */

/* Reference, "HLT in S": "Wake iff ... A and has_interrupt". "HLT retires the STI shadow". */
static void hlt_wakes_on_the_stash(void **state)
{
	(void)state;
	FOR_RULES(rule)
		FOR_SEEDS(seed) {
			struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, seed);

			LOAD(r, OUT(RAISE, 1), STI, HLT, LABEL(0), NOP, OUT(EXIT, 1));
			run_to(r, RAISE);
			interrupt(r, EXTINT_VECTOR);
			run_to(r, EXIT);
			expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0); /* sti;hlt is atomic */
			assert_int_equal(r->v.stats.halts, 1);
			assert_int_equal(r->f.sleeps, 0);
			rig_end(r);
		}
}

static void a_halted_vcpu_takes_the_stash_when_it_comes(void **state)
{
	(void)state;
	FOR_RULES(rule) {
		struct rig *r = rig_new((enum irq_rule)rule, IRQCHIP_SPLIT, 0);

		LOAD(r, STI, HLT, LABEL(0), OUT(EXIT, 1));
		run_of(r)->deadline = FAR_NS;
		assert_int_equal(run(r), VCPU_EXIT_INTR);
		assert_true(run_of(r)->ready_for_interrupt_injection);
		interrupt(r, EXTINT_VECTOR);
		run_of(r)->deadline = LONG_NS;
		assert_int_equal(run(r), VCPU_EXIT_IO);
		assert_false(r->v.halted);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		rig_end(r);
	}
}

/* "stash with IF=0 or LVT0 masked never wakes" */
static void what_the_cpu_would_not_take_does_not_wake_it(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned masked = 0; masked < 2; masked++) {
			struct rig *r = rig_split(seed);

			if (masked)
				LOAD(r, LVT0_MASK, OUT(RAISE, 1), STI, HLT, OUT(EXIT, 1));
			else
				LOAD(r, OUT(RAISE, 1), HLT, OUT(EXIT, 1));
			run_to(r, RAISE);
			interrupt(r, EXTINT_VECTOR);
			if (!masked)
				msi(r, MSI_VECTOR);
			run_of(r)->deadline = r->f.clock + FAR_NS;
			assert_int_equal(run(r), VCPU_EXIT_INTR);
			assert_true(r->v.halted);
			expect_no_arrival(r);
			rig_end(r);
		}
}

/* "W alone never wakes": the request is answered at the tail, and the vCPU stays halted. */
static void a_window_request_alone_wakes_nobody(void **state)
{
	struct rig *r = rig_split(0);
	uint64_t entries;

	(void)state;
	LOAD(r, STI, HLT, LABEL(0), OUT(EXIT, 1));
	run_of(r)->deadline = FAR_NS;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	entries = r->f.entries;
	run_of(r)->request_interrupt_window = 1;
	run_of(r)->deadline = 2 * FAR_NS;
	assert_int_equal(run(r), VCPU_EXIT_IRQ_WINDOW_OPEN);
	assert_true(r->v.halted);
	assert_int_equal(r->f.entries, entries);
	assert_int_equal(r->f.clock, 2 * FAR_NS);
	rig_end(r);
}

static void a_lapic_vector_behind_tpr_does_not_wake(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, STORE32(APIC(APIC_TPR), 0xf0), STI, HLT, LABEL(0), OUT(EXIT, 1));
	run_of(r)->deadline = FAR_NS;
	run(r);
	assert_true(r->v.halted);
	msi(r, MSI_VECTOR);
	run_of(r)->deadline += FAR_NS;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	assert_true(r->v.halted);
	rig_end(r);
}

static void hlt_in_user_mode_goes_to_the_user_half(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_user(seed);

		LOAD(r, STI, HLT, LABEL(0), NOP, OUT(EXIT, 1));
		while (run(r) != VCPU_EXIT_HLT)
			assert_int_not_equal(run_of(r)->exit_reason, VCPU_EXIT_IO);
		assert_int_equal(r->f.rip, fake_label(&r->f, 0));
		assert_true(run_of(r)->ready_for_interrupt_injection);
		vcpu_native_api.wait(&r->v, FAR_NS);
		assert_in_range(r->f.clock, 1, FAR_NS);
		interrupt(r, EXTINT_VECTOR);
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		rig_end(r);
	}
}

/* ---- EOI exits ---- */

static unsigned eoi_exits(struct rig *r)
{
	unsigned n = 0;

	while (run(r) != VCPU_EXIT_IO) {
		assert_int_equal(run_of(r)->exit_reason, VCPU_EXIT_IOAPIC_EOI);
		assert_int_equal(run_of(r)->eoi.vector, MSI_VECTOR);
		n++;
	}
	return n;
}

/* "vectors whose routes are level": "LAPIC EOI of such a vector queues an exit"; suppressed by SVR's directed EOI. */
static void eoi_exits_are_for_the_chosen_vectors_only(void **state)
{
	const uint64_t chosen[4] = { [MSI_VECTOR / 64] = BIT64(MSI_VECTOR % 64) }, none[4] = { 0 };

	(void)state;
	FOR_SEEDS(seed)
		for (unsigned n = 0; n < 4; n++) {
			struct rig *r = rig_split(seed);
			bool directed = n & BIT(0), wanted = n & BIT(1);

			fake_gate(&r->f, TIMER_VECTOR, HANDLER_EOI, false);
			LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, NOP, OUT(EXIT, 1));
			run_to(r, RAISE);
			vcpu_native_api.set_eoi_exits(&r->v, wanted ? chosen : none);
			r->v.lapic.svr |= directed ? APIC_SVR_DIRECTED_EOI : 0;
			msi(r, MSI_VECTOR);
			msi(r, TIMER_VECTOR);
			assert_int_equal(eoi_exits(r), wanted && !directed);
			assert_int_equal(count_arrivals(r, EVENT_INTR, MSI_VECTOR), 1);
			assert_int_equal(count_arrivals(r, EVENT_INTR, TIMER_VECTOR), 1);
			rig_end(r);
		}
}

/* ---- livelock ---- */

static struct rig *rig_stuck(enum irqchip_mode mode)
{
	struct rig *r = rig_new(IRQ_RULE_REARM, mode, 0);

	fake_map_all(&r->f);
	LOAD(r, LABEL(0), NOP, JMP(0));
	r->f.stuck_window = true;
	run_of(r)->request_interrupt_window = 1; /* never ready: IF=0 */
	return r;
}

/* "N identical consecutive window exits with unchanged RIP and RVI: report livelock." */
static void livelock_is_reported(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		struct rig *r = rig_stuck((enum irqchip_mode)mode);

		if (mode == IRQCHIP_SPLIT)
			msi(r, MSI_VECTOR);
		assert_int_equal(run(r), VCPU_EXIT_LIVELOCK);
		assert_int_equal(run_of(r)->livelock.window_exits, LIVELOCK_EXITS);
		assert_int_equal(run_of(r)->livelock.rip, fake_label(&r->f, 0));
		assert_int_equal(run_of(r)->livelock.lapic_vector, mode == IRQCHIP_SPLIT ? MSI_VECTOR : -1);
		assert_in_range(r->v.stats.window_exits, LIVELOCK_EXITS, LIVELOCK_EXITS + 1);
		/* and again, if the user half goes on */
		assert_int_equal(run(r), VCPU_EXIT_LIVELOCK);
		rig_end(r);
	}
}

/* A timer that ticks all the time is no progress of the guest's. */
static void exits_of_the_host_do_not_hide_a_livelock(void **state)
{
	struct rig *r = rig_stuck(IRQCHIP_SPLIT);

	(void)state;
	r->f.quirks.spurious = 3;
	r->f.seed = 7;
	assert_int_equal(run(r), VCPU_EXIT_LIVELOCK);
	assert_int_equal(run_of(r)->livelock.window_exits, LIVELOCK_EXITS);
	assert_in_range(r->v.stats.window_exits, LIVELOCK_EXITS, LIVELOCK_EXITS + 1);
	rig_end(r);
}

static void a_guest_that_crawls_is_no_livelock(void **state)
{
	struct rig *r = rig_stuck(IRQCHIP_SPLIT);

	(void)state;
	r->f.crawl = true;
	run_of(r)->deadline = 3ull * LIVELOCK_EXITS * r->f.quirks.exit_cost;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	assert_true(r->v.stats.window_exits > 2 * LIVELOCK_EXITS);
	rig_end(r);
}

/* Nor is one that counts at one RIP. */
static void a_guest_that_changes_registers_only_is_no_livelock(void **state)
{
	struct rig *r = rig_new(IRQ_RULE_REARM, IRQCHIP_SPLIT, 0);

	(void)state;
	fake_map_all(&r->f);
	LOAD(r, LABEL(0), LOOP(0), OUT(EXIT, 1));
	r->f.stuck_window = r->f.crawl = true;
	run_of(r)->request_interrupt_window = 1;
	run_of(r)->deadline = 3ull * LIVELOCK_EXITS * r->f.quirks.exit_cost;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
	assert_true(r->v.stats.window_exits > 2 * LIVELOCK_EXITS);
	rig_end(r);
}

/* Half as many exits as it takes, then something changes that is not RIP. */
static void run_half_way(struct rig *r)
{
	run_of(r)->deadline = r->f.clock + LIVELOCK_EXITS / 2 * r->f.quirks.exit_cost + r->f.quirks.exit_cost;
	assert_int_equal(run(r), VCPU_EXIT_INTR);
}

static void a_change_of_what_is_pending_starts_the_count_again(void **state)
{
	struct rig *r = rig_stuck(IRQCHIP_SPLIT);

	(void)state;
	run_half_way(r);
	msi(r, MSI_VECTOR);
	run_half_way(r);
	interrupt(r, EXTINT_VECTOR);
	run_half_way(r);
	nmi(r);
	run_half_way(r);
	assert_int_equal(count_arrivals(r, EVENT_NMI, VEC_NMI), 1);
	rig_end(r);
}

/* Interrupt after interrupt at one RIP, as a guest in HLT or a tight loop has them, is progress. */
static void deliveries_at_one_rip_are_no_livelock(void **state)
{
	const unsigned rounds = LIVELOCK_EXITS + 100;
	struct rig *r = rig_split(0);

	(void)state;
	fake_map_all(&r->f);
	LOAD(r, STI, LABEL(0), JMP(0));
	run_of(r)->request_interrupt_window = 1;
	for (unsigned i = 0; i < rounds; i++) {
		assert_int_equal(run(r), VCPU_EXIT_IRQ_WINDOW_OPEN);
		interrupt(r, EXTINT_VECTOR);
	}
	rig_end(r);
}

/* ---- memory ---- */

/* "Drops the nested translation: the next access faults in the nested tables. The memory keeps its contents." */
static void unmapped_memory_comes_back(void **state)
{
	struct rig *r = rig_split(0);
	const uint64_t before = PAGE_SIZE - 1, page = FAKE_DATA >> PAGE_SHIFT;

	(void)state;
	LOAD(r, MEM(FAKE_DATA, true, 2, 0x89, 0x03), OUT(RAISE, 1), MEM(FAKE_DATA, false, 2, 0x8b, 0x03), OUT(EXIT, 1));
	run_to(r, RAISE);
	assert_true(r->f.mapped[page]);
	fake_map_all(&r->f);
	vcpu_native_api.unmap(&r->v, GPA(FAKE_DATA - before), before);
	assert_true(!r->f.mapped[page - 1] && r->f.mapped[page]);
	fake_map_all(&r->f);
	vcpu_native_api.unmap(&r->v, GPA(FAKE_DATA - 1), 2);
	assert_true(r->f.mapped[page - 2] && !r->f.mapped[page - 1] && !r->f.mapped[page] && r->f.mapped[page + 1]);
	vcpu_native_api.unmap(&r->v, GPA(FAKE_RAM_SIZE), 1); /* not RAM: nothing */
	vcpu_native_api.unmap(&r->v, GPA(0), FAKE_RAM_SIZE + 1);
	run_to(r, EXIT);
	assert_true(r->f.mapped[FAKE_DATA >> PAGE_SHIFT]);
	assert_int_equal(r->v.stats.delivery_faults, 0);
	rig_end(r);
}

static void ram_ends_where_it_ends(void **state)
{
	struct rig *r = rig_split(0);
	const struct ram *m = &r->v.ram;

	(void)state;
	assert_ptr_equal(ram_at(m, GPA(0), FAKE_RAM_SIZE), r->f.ram);
	assert_ptr_equal(ram_at(m, GPA(FAKE_RAM_SIZE - 1), 1), r->f.ram + FAKE_RAM_SIZE - 1);
	assert_null(ram_at(m, GPA(FAKE_RAM_SIZE - 1), 2));
	assert_null(ram_at(m, GPA(FAKE_RAM_SIZE), 0));
	assert_null(ram_at(m, GPA(UINT64_MAX), 2));
	assert_null(ram_at(m, GPA(1), UINT64_MAX));
	rig_end(r);
}

/* ---- trace ---- */

#define TRACE_SIZE 64

static void expect_record(const struct trace *t, uint32_t *i, enum trace_event event, uint64_t a)
{
	while (*i < t->next && t->ring[*i].event != (uint32_t)event)
		(*i)++;
	assert_in_range(*i, 0, t->next - 1);
	assert_int_equal(t->ring[*i].seq, *i);
	assert_int_equal(t->ring[(*i)++].a, a);
}

/* What happened, in the order in which it happened. */
static void the_trace_tells_an_interrupt_from_stash_to_injection(void **state)
{
	struct trace_rec ring[TRACE_SIZE] = { { 0 } };
	struct trace t = { .ring = ring, .size = TRACE_SIZE };
	struct rig *r = rig_split(0);
	uint32_t i = 0;

	(void)state;
	fake_map_all(&r->f);
	LOAD(r, STI, NOP, OUT(RAISE, 1), LABEL(0), NOP, OUT(EXIT, 1));
	run_to(r, RAISE);
	r->v.trace = &t;
	interrupt(r, EXTINT_VECTOR);
	nmi(r);
	run_to(r, EXIT);
	assert_in_range(t.next, 1, TRACE_SIZE);
	expect_record(&t, &i, TRACE_dm_stash, EXTINT_VECTOR);
	expect_record(&t, &i, TRACE_kvm_inj_nmi, 0);
	expect_record(&t, &i, TRACE_irq_window, 1); /* for the stash */
	expect_record(&t, &i, TRACE_kvm_entry, fake_label(&r->f, 0));
	expect_record(&t, &i, TRACE_kvm_exit, HVM_EXIT_WINDOW);
	expect_record(&t, &i, TRACE_kvm_inj_virq, EXTINT_VECTOR);
	expect_record(&t, &i, TRACE_kvm_exit, HVM_EXIT_IO);
	expect_record(&t, &i, TRACE_kvm_pio, EXIT);
	expect_record(&t, &i, TRACE_kvm_userspace_exit, VCPU_EXIT_IO);
	assert_int_equal(i, t.next);
	assert_int_equal(ring[i - 1].time, r->f.clock);
	rig_end(r);
}

static void stats_and_clock_are_given_out(void **state)
{
	struct rig *r = rig_split(0);
	struct vcpu_stats s;

	(void)state;
	LOAD(r, CPUID, OUT(RAISE, 1), OUT(EXIT, 1));
	fake_map_all(&r->f);
	run_to(r, EXIT);
	vcpu_native_api.stats(&r->v, &s);
	assert_int_equal(s.exits, 3);
	assert_int_equal(s.user_exits, 2);
	assert_int_equal(r->v.exit_counts[HVM_EXIT_IO], 2);
	assert_int_equal(vcpu_native_api.now(&r->v), r->f.clock);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_state_is_multiboots),
		cmocka_unit_test(dump_tells_the_state),
		cmocka_unit_test(each_end_has_its_reason),
		cmocka_unit_test(no_page_for_the_nested_tables_is_an_internal_error),
		cmocka_unit_test(a_refused_entry_is_fail_entry),
		cmocka_unit_test(immediate_exit_does_not_run_the_guest),
		cmocka_unit_test(immediate_exit_finishes_pending_io),
		cmocka_unit_test(the_deadline_returns_with_intr_and_not_before),
		cmocka_unit_test(the_deadline_wakes_a_halted_vcpu_to_the_user_half),
		cmocka_unit_test(hlt_wakes_on_the_stash),
		cmocka_unit_test(a_halted_vcpu_takes_the_stash_when_it_comes),
		cmocka_unit_test(what_the_cpu_would_not_take_does_not_wake_it),
		cmocka_unit_test(a_window_request_alone_wakes_nobody),
		cmocka_unit_test(a_lapic_vector_behind_tpr_does_not_wake),
		cmocka_unit_test(hlt_in_user_mode_goes_to_the_user_half),
		cmocka_unit_test(eoi_exits_are_for_the_chosen_vectors_only),
		cmocka_unit_test(livelock_is_reported),
		cmocka_unit_test(exits_of_the_host_do_not_hide_a_livelock),
		cmocka_unit_test(a_guest_that_crawls_is_no_livelock),
		cmocka_unit_test(a_guest_that_changes_registers_only_is_no_livelock),
		cmocka_unit_test(a_change_of_what_is_pending_starts_the_count_again),
		cmocka_unit_test(deliveries_at_one_rip_are_no_livelock),
		cmocka_unit_test(unmapped_memory_comes_back),
		cmocka_unit_test(ram_ends_where_it_ends),
		cmocka_unit_test(the_trace_tells_an_interrupt_from_stash_to_injection),
		cmocka_unit_test(stats_and_clock_are_given_out),
	};

	return RUN_BOTH_WAYS("vcpu", tests);
}
