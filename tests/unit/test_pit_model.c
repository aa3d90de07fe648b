/* SPDX-License-Identifier: BSD-2-Clause
 * The 8254 against a counter that is stepped pulse by pulse, under random guests.
 * Knows nothing of interrupt controllers. */
#include "pit_fixture.h"

#include <stdlib.h>

#define RANDOM_WALKS 300
#define WALK_STEPS 300

/* A counter made of flip-flops: one CLK pulse at a time, after the data sheet's mode definitions. Two-byte counts. */
struct model {
	unsigned mode;
	bool gate, out, load, have, running, new_count;
	unsigned cr, ce, first;
	bool have_first, strobe_done;
};

static void model_control(struct model *m, unsigned mode)
{
	bool gate = m->gate;
	unsigned ce = m->ce;

	*m = (struct model){ .mode = mode, .gate = gate, .ce = ce, .out = mode != 0, .new_count = true };
}

static void model_count(struct model *m, unsigned v)
{
	m->cr = v ? v : WRAPPED(0);
	m->have = true;
	m->new_count = true;
	if (m->mode == 0 || m->mode == 4 || ((m->mode == 2 || m->mode == 3) && !m->running))
		m->load = true;
	if (m->mode == 0)
		m->out = false;
}

static void model_first_byte(struct model *m)
{
	if (m->mode != 0)
		return;
	m->out = false;
	m->running = false;
	m->load = false;
}

static void model_gate(struct model *m, bool high)
{
	if (high && !m->gate && m->mode != 0 && m->mode != 4 && m->have)
		m->load = true;
	m->gate = high;
	if (!high && (m->mode == 2 || m->mode == 3))
		m->out = true;
}

static void model_load(struct model *m)
{
	m->ce = m->cr;
	if (m->mode == 3)
		m->ce -= m->cr % 2;
	m->new_count = false;
	m->running = true;
	m->strobe_done = false;
}

static void model_count_by_two(struct model *m, unsigned n)
{
	/* an odd count's high half lasts one pulse longer: it expires at zero, not at two */
	if (m->ce > 2 || (m->ce == 2 && n % 2 && m->out)) {
		m->ce -= 2;
		return;
	}
	m->out = !m->out;
	model_load(m);
}

static void model_clk(struct model *m, unsigned *n)
{
	if (m->load) {
		m->load = false;
		model_load(m);
		*n = m->cr;
		m->out = m->mode > 1;
		return;
	}
	if (!m->running || (!m->gate && m->mode != 1 && m->mode != 5))
		return;
	if (m->mode == 3) {
		bool before = m->out;

		model_count_by_two(m, *n);
		if (m->out != before)
			*n = m->cr;
		return;
	}
	if (m->mode == 2 && m->ce == 1) {
		m->out = true;
		model_load(m);
		return;
	}
	m->ce = (m->ce + WRAPPED(1)) % WRAPPED(0);
	if (m->mode == 2)
		m->out = m->ce != 1;
	if (m->mode < 2 && m->ce == 0)
		m->out = true;
	if (m->mode > 3) {
		m->out = m->ce != 0 || m->strobe_done;
		m->strobe_done |= m->ce == 0;
	}
}

static void compare(struct pit *p, unsigned ch, const struct model *m)
{
	assert_int_equal(out(p, ch), m->out);
	assert_int_equal(null_count(p, ch), m->new_count);
	assert_int_equal(read16(p, ch), m->ce % WRAPPED(0));
}

/* Either byte of one goes with the other of another: never 1, which is illegal in modes 2 and 3. */
static unsigned random_count(void)
{
	return (rand() % (rand() % 8 ? 20 : 300)) | 2;
}

/* One random guest: any counter, any mode, any time between two touches. */
static void walk(unsigned ch, bool gates)
{
	struct pit p = fresh();
	struct model m = { .gate = ch != 2 };
	unsigned n = 0;
	uint64_t edges = 0, seen = 0;

	model_control(&m, 0);
	pit_write(&p, PIT_CMD, CW(ch, PIT_RW_WORD, 0));
	for (unsigned step = 0; step < WALK_STEPS; step++) {
		unsigned pulses = rand() % (rand() % 4 ? 4 : 90);
		unsigned count = random_count();
		bool was = m.out;

		switch (rand() % 12) {
		case 0:
			m.have_first = false;
			pit_write(&p, PIT_CMD, CW(ch, PIT_RW_WORD, step % 6));
			model_control(&m, step % 6);
			break;
		case 1:
		case 2:
		case 3:
		case 4:
			pit_write(&p, PIT_CH0 + ch, m.have_first ? HIGH(count) : LOW(count));
			if (!m.have_first) {
				m.first = LOW(count);
				model_first_byte(&m);
			} else {
				model_count(&m, WORD(HIGH(count), m.first));
			}
			m.have_first = !m.have_first;
			break;
		case 5:
		case 6:
		case 7:
			if (gates && (!m.gate || m.mode != 4 || m.ce != 0)) {
				pit_write(&p, PIT_PORT61, m.gate ? 0 : PORT61_GATE2);
				model_gate(&m, !m.gate);
			}
			break;
		default:
			break;
		}
		edges += !was && m.out;
		compare(&p, ch, &m);
		for (unsigned i = 1, lag = 1; i <= pulses; i++, lag++) {
			was = m.out;
			model_clk(&m, &n);
			edges += !was && m.out;
			if (i != pulses && rand() % 3) /* several pulses in one step */
				continue;
			seen += clk(&p, lag);
			lag = 0;
			compare(&p, ch, &m);
		}
	}
	if (ch == 0)
		assert_int_equal(seen + pit_advance(&p, ns_of(p.tick)), edges);
}

static void as_stepped_counters_0_and_1(void **state)
{
	(void)state;
	srand(8254);
	for (unsigned i = 0; i < RANDOM_WALKS; i++)
		walk(i % 2, false);
}

static void as_stepped_counter2(void **state)
{
	(void)state;
	srand(8253);
	for (unsigned i = 0; i < RANDOM_WALKS; i++)
		walk(2, true);
}

/* One long step is the sum of the short ones, and the deadline is where they find the next change. */
static void long_steps_equal_short_ones(void **state)
{
	struct pit a = fresh(), b;

	(void)state;
	srand(82);
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t target = a.tick + rand() % 200, edges = 0;

		if (rand() % 2)
			pit_write(&a, PIT_CMD, CW(0, PIT_RW_LSB, rand() % 6));
		if (rand() % 2)
			pit_write(&a, PIT_CH0, 1 + rand() % 40);
		pit_advance(&a, ns_of(a.tick));
		b = a;
		while (b.tick < target) {
			uint64_t deadline = pit_deadline(&b);
			bool before = pit_out0(&b);

			edges += pit_advance(&b, ns_of(b.tick + 1));
			assert_int_equal(pit_out0(&b) != before, deadline == ns_of(b.tick));
			assert_true(deadline >= ns_of(b.tick));
		}
		assert_int_equal(pit_advance(&a, ns_of(target)), edges);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_stepped_counters_0_and_1),
		cmocka_unit_test(as_stepped_counter2),
		cmocka_unit_test(long_steps_equal_short_ones),
	};

	return cmocka_run_group_tests_name("pit_model", tests, NULL, NULL);
}
