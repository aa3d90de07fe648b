/* SPDX-License-Identifier: BSD-2-Clause
 * The 8254: three counters, and port 0x61 that gates the third. Time comes in, output levels go out.
 * Knows nothing of interrupt controllers.
 *
 * No counter is stepped: the counting element and OUT are functions of the ticks since it was loaded, and a load is an
 * appointment (load_at), at most one per counter. Each event happens at the CLK pulse for which the data sheet names it:
 * what is written at tick t is loaded at t + 1, "This CLK pulse does not decrement the count".
 * The data sheet calls a count of 1 illegal in modes 2 and 3: OUT stays high then.
 * A strobe that the gate stops at its very pulse stays low until the gate lets the counter go on.
 * The refresh toggle runs at the rate that a PC programs into counter 1, whether or not anyone has. */
#include "dev/pit.h"

#define FLOATING_BUS 0xff
#define COUNTERS 3
#define READ_BACK_SELECT 3 /* in a Control Word's SC field */
#define REFRESH_TICKS 18   /* 15 us between two refresh requests */
#define PORT61_WRITABLE 0x0f
#define CONTROL_BITS 0x3f
#define BINARY_MODULUS 65536u
#define BCD_MODULUS 10000u
#define DIGIT(v, n) (((v) >> (4 * (n))) & 0xf)
#define DIGITS(d3, d2, d1, d0) ((d3) << 12 | (d2) << 8 | (d1) << 4 | (d0))
#define LOW_BYTE(v) ((v) & 0xff)
#define HIGH_BYTE(v) ((v) >> 8 & 0xff)
#define WORD(high, low) ((uint32_t)(high) << 8 | (low))
#define MODE_IGNORED 4 /* modes 2 and 3 are also 6 and 7: "X = don't care" */

enum {
	INTERRUPT_ON_TERMINAL_COUNT,
	ONE_SHOT,
	RATE_GENERATOR,
	SQUARE_WAVE,
	SOFTWARE_STROBE,
	HARDWARE_STROBE
};

/* Whole seconds apart, so that nothing overflows and no fraction is ever dropped for good. */
static uint64_t tick_at(uint64_t ns)
{
	return ns / NSEC_PER_SEC * PIT_HZ + ns % NSEC_PER_SEC * PIT_HZ / NSEC_PER_SEC;
}

/* The first nanosecond at which tick_at() says `tick`. */
static uint64_t time_of(uint64_t tick)
{
	uint64_t fraction = (tick % PIT_HZ * NSEC_PER_SEC + PIT_HZ - 1) / PIT_HZ;

	if (tick / PIT_HZ >= TIME_NEVER / NSEC_PER_SEC)
		return TIME_NEVER;
	return tick / PIT_HZ * NSEC_PER_SEC + fraction;
}

static bool periodic(const struct pit_channel *c)
{
	return c->mode == RATE_GENERATOR || c->mode == SQUARE_WAVE;
}

/* "GATE = 1 enables counting; GATE = 0 disables counting." In the others the gate is a trigger only. */
static bool gate_enables(const struct pit_channel *c)
{
	return c->mode != ONE_SHOT && c->mode != HARDWARE_STROBE;
}

static bool gate_triggers(const struct pit_channel *c)
{
	return periodic(c) || !gate_enables(c);
}

static bool counting(const struct pit_channel *c)
{
	return c->loaded && (c->gate || !gate_enables(c));
}

/* `start` may lie below zero: compare as distances. */
static uint64_t later(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0 ? a : b;
}

/* CLK pulses that the counting element has counted since it was loaded. */
static uint64_t elapsed(const struct pit_channel *c, uint64_t t)
{
	uint64_t clock = c->gate || !gate_enables(c) ? t : c->paused_at;

	return later(clock, c->start) - c->start;
}

/* Ticks since the cycle began, modes 2 and 3. */
static uint32_t position(const struct pit_channel *c, uint64_t t)
{
	return elapsed(c, t) % c->element;
}

/* "OUT will be high for (N + 1)/2 counts and low for (N - 1)/2 counts" if N is odd, half and half if even. */
static uint32_t high_half(uint32_t count)
{
	return (count + 1) / 2;
}

static uint32_t modulus(const struct pit_channel *c)
{
	return c->bcd ? BCD_MODULUS : BINARY_MODULUS;
}

/* Mode 3 counts by two, twice per cycle: "The initial count minus one (an even number) is loaded" if odd. */
static uint32_t square_wave_value(const struct pit_channel *c, uint64_t t)
{
	uint32_t half = high_half(c->element);
	uint32_t pos = position(c, t);

	return c->element - c->element % 2 - 2 * (pos < half ? pos : pos - half);
}

/* The counting element. The modes that end do not stop it: "the Counter does not stop when it reaches zero ... it wraps
 * around to the highest count". */
static uint32_t value(const struct pit_channel *c, uint64_t t)
{
	uint32_t m = modulus(c);

	if (!c->loaded)
		return c->element;
	if (c->mode == RATE_GENERATOR)
		return c->element - position(c, t);
	if (c->mode == SQUARE_WAVE)
		return square_wave_value(c, t);
	return (c->element % m + m - elapsed(c, t) % m) % m;
}

static bool periodic_out(const struct pit_channel *c, uint64_t t)
{
	/* "If GATE goes low during an output pulse, OUT is set high immediately. A trigger reloads the Counter". */
	if (!counting(c) || c->triggered || c->element < 2)
		return true;
	if (c->mode == RATE_GENERATOR)
		return position(c, t) != c->element - 1;
	return position(c, t) < high_half(c->element);
}

/* OUT at tick t, which is not past load_at. */
static bool out(const struct pit_channel *c, uint64_t t)
{
	switch (c->mode) {
	case INTERRUPT_ON_TERMINAL_COUNT:
		/* "remains high until a new count or a new Mode 0 Control Word is written" */
		return c->loaded && c->load_at == TIME_NEVER && elapsed(c, t) >= c->element;
	case ONE_SHOT:
		return !c->loaded || elapsed(c, t) >= c->element;
	case RATE_GENERATOR:
	case SQUARE_WAVE:
		return periodic_out(c, t);
	default:
		return !c->loaded || elapsed(c, t) != c->element;
	}
}

/* How often OUT rose in the first n pulses of the count; no load in between. */
static uint64_t rises_until(const struct pit_channel *c, uint64_t n)
{
	switch (c->mode) {
	case RATE_GENERATOR:
	case SQUARE_WAVE:
		return c->element < 2 ? 0 : n / c->element;
	case INTERRUPT_ON_TERMINAL_COUNT:
	case ONE_SHOT:
		return n >= c->element;
	default:
		return n > c->element;
	}
}

static uint64_t rises(const struct pit_channel *c, uint64_t from, uint64_t to)
{
	if (!counting(c))
		return 0;
	return rises_until(c, elapsed(c, to)) - rises_until(c, elapsed(c, from));
}

static void load(struct pit_channel *c)
{
	bool low_half = c->cycle_load && c->mode == SQUARE_WAVE && position(c, c->load_at) != 0;

	c->start = c->load_at;
	c->element = c->count;
	/* The square wave goes on with its other half: as if this cycle had begun a half before. */
	if (low_half)
		c->start -= high_half(c->element);
	c->loaded = true;
	c->null_count = false;
	c->triggered = false;
	c->cycle_load = false;
	c->load_at = TIME_NEVER;
}

/* Moves one counter; returns the rising edges of OUT in (from, to]. */
static uint64_t channel_advance(struct pit_channel *c, uint64_t from, uint64_t to)
{
	uint64_t at = c->load_at;
	uint64_t n = 0;

	/* A load comes with the next pulse or ends the cycle: OUT does not rise before it. */
	if (at <= to) {
		bool before = out(c, at - 1);

		load(c);
		n = !before && out(c, at);
		from = at;
	}
	return n + rises(c, from, to);
}

uint64_t pit_advance(struct pit *p, uint64_t now)
{
	uint64_t to = tick_at(now);
	uint64_t n = p->edges;

	p->edges = 0;
	if (to <= p->tick)
		return n;
	n += channel_advance(&p->ch[0], p->tick, to);
	channel_advance(&p->ch[1], p->tick, to);
	channel_advance(&p->ch[2], p->tick, to);
	p->tick = to;
	return n;
}

bool pit_out0(const struct pit *p)
{
	return out(&p->ch[0], p->tick);
}

/* Pulses until OUT changes, 0 if it will not; no load in between. */
static uint64_t until_change(const struct pit_channel *c, uint64_t t)
{
	uint64_t done = elapsed(c, t);

	if (!counting(c))
		return 0;
	if (periodic(c)) {
		uint32_t pos = position(c, t);
		uint32_t fall = c->mode == RATE_GENERATOR ? c->element - 1 : high_half(c->element);

		if (c->element < 2)
			return 0;
		return pos < fall ? fall - pos : c->element - pos;
	}
	if (done < c->element)
		return c->element - done;
	/* The strobe "will go low for one CLK pulse and then go high again". */
	return c->mode >= SOFTWARE_STROBE && done == c->element;
}

static uint64_t next_change(const struct pit_channel *c, uint64_t t)
{
	uint64_t n = until_change(c, t);

	return n ? t + n : TIME_NEVER;
}

uint64_t pit_deadline(const struct pit *p)
{
	struct pit_channel c = p->ch[0];
	uint64_t change = next_change(&c, p->tick);
	uint64_t at = c.load_at;

	if (at <= change && at != TIME_NEVER) {
		bool before = out(&c, at - 1);

		load(&c);
		change = out(&c, at) != before ? at : next_change(&c, at);
	}
	return change == TIME_NEVER ? TIME_NEVER : time_of(change);
}

static uint16_t encode(const struct pit_channel *c, uint32_t v)
{
	if (!c->bcd)
		return v % BINARY_MODULUS;
	v %= BCD_MODULUS;
	return DIGITS(v / 1000, v / 100 % 10, v / 10 % 10, v % 10);
}

/* "The largest possible initial count is 0; this is equivalent to 2^16 for binary counting and 10^4 for BCD counting." */
static uint32_t decode(const struct pit_channel *c, uint32_t v)
{
	if (v == 0)
		return modulus(c);
	return c->bcd ? DIGIT(v, 3) * 1000 + DIGIT(v, 2) * 100 + DIGIT(v, 1) * 10 + DIGIT(v, 0) : v;
}

static void stop(struct pit_channel *c, uint64_t t)
{
	c->element = value(c, t);
	c->loaded = false;
	c->triggered = false;
	c->cycle_load = false;
	c->load_at = TIME_NEVER;
}

static void write_control(struct pit_channel *c, uint64_t t, uint8_t val)
{
	stop(c, t);
	c->control = val & CONTROL_BITS;
	c->access = GET_FIELD(5, 4, val);
	c->mode = GET_FIELD(3, 1, val);
	if (c->mode > HARDWARE_STROBE)
		c->mode &= ~MODE_IGNORED;
	c->bcd = val & PIT_CW_BCD;
	c->written = false;
	c->null_count = true;
	c->write_high = false;
	c->read_high = false;
	/* "The count is held in the latch until it is read by the CPU (or until the Counter is reprogrammed)." */
	c->count_latched = false;
	c->status_latched = false;
}

/* "Otherwise, the new count will be loaded at the end of the current counting cycle": half-cycle in mode 3. */
static uint64_t cycle_end(const struct pit_channel *c, uint64_t t)
{
	uint32_t pos = position(c, t);
	uint32_t half = high_half(c->element);

	if (c->mode == SQUARE_WAVE && pos < half)
		return t + half - pos;
	return t + c->element - pos;
}

static void write_count(struct pit_channel *c, uint64_t t, uint32_t val)
{
	c->count = decode(c, val);
	c->written = true;
	c->null_count = true;
	if (c->load_at != TIME_NEVER || !gate_enables(c))
		return; /* a load is due and takes what is there then, or waits for a trigger */
	if (!periodic(c) || !c->loaded) {
		c->load_at = t + 1;
	} else if (c->gate) {
		c->load_at = cycle_end(c, t);
		c->cycle_load = true;
	}
}

static void write_counter(struct pit_channel *c, uint64_t t, uint8_t val)
{
	if (c->access == PIT_RW_LSB) {
		write_count(c, t, val);
	} else if (c->access == PIT_RW_MSB) {
		write_count(c, t, WORD(val, 0));
	} else if (!c->write_high) {
		c->write_low = val;
		c->write_high = true;
		/* "Writing the first byte disables counting. OUT is set low immediately" */
		if (c->mode == INTERRUPT_ON_TERMINAL_COUNT)
			stop(c, t);
	} else {
		c->write_high = false;
		write_count(c, t, WORD(val, c->write_low));
	}
}

static uint8_t read_counter(struct pit_channel *c, uint64_t t)
{
	uint16_t v = c->count_latched ? c->latch : encode(c, value(c, t));
	bool high = c->access == PIT_RW_MSB || (c->access == PIT_RW_WORD && c->read_high);

	/* "the first read operation of that counter will return latched status, regardless of which was latched first" */
	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->access == PIT_RW_WORD)
		c->read_high = !c->read_high;
	if (!c->read_high)
		c->count_latched = false;
	return high ? HIGH_BYTE(v) : LOW_BYTE(v);
}

/* Latched again before it is read: "the second Counter Latch Command is ignored". The same goes for the status. */
static void latch_count(struct pit_channel *c, uint64_t t)
{
	if (c->count_latched)
		return;
	c->latch = encode(c, value(c, t));
	c->count_latched = true;
}

static void latch_status(struct pit_channel *c, uint64_t t)
{
	if (c->status_latched)
		return;
	c->status = c->control;
	if (out(c, t))
		c->status |= PIT_STATUS_OUT;
	if (c->null_count)
		c->status |= PIT_STATUS_NULL;
	c->status_latched = true;
}

static void read_back(struct pit *p, uint8_t val)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (!(val & PIT_READ_BACK_COUNTER(i)))
			continue;
		if (!(val & PIT_READ_BACK_NO_COUNT))
			latch_count(&p->ch[i], p->tick);
		if (!(val & PIT_READ_BACK_NO_STATUS))
			latch_status(&p->ch[i], p->tick);
	}
}

static void write_command(struct pit *p, uint8_t val)
{
	unsigned select = GET_FIELD(7, 6, val);

	if (select == READ_BACK_SELECT)
		read_back(p, val);
	else if (GET_FIELD(5, 4, val) == PIT_RW_LATCH)
		latch_count(&p->ch[select], p->tick);
	else
		write_control(&p->ch[select], p->tick, val);
}

static void gate_falls(struct pit_channel *c, uint64_t t)
{
	c->gate = false;
	c->paused_at = t;
	/* The cycle that a waiting count waits for does not end; a trigger will load it. */
	if (c->cycle_load) {
		c->cycle_load = false;
		c->load_at = TIME_NEVER;
	}
}

static void gate_rises(struct pit_channel *c, uint64_t t)
{
	if (gate_enables(c) && c->loaded)
		c->start += t - later(c->paused_at, c->start);
	c->gate = true;
	if (gate_triggers(c) && c->written) {
		c->triggered = true;
		c->load_at = t + 1;
	}
}

static void write_port61(struct pit *p, uint8_t val)
{
	struct pit_channel *c = &p->ch[2];
	bool gate = val & PORT61_GATE2;

	p->port61 = val & PORT61_WRITABLE;
	if (gate && !c->gate)
		gate_rises(c, p->tick);
	else if (!gate && c->gate)
		gate_falls(c, p->tick);
}

static uint8_t read_port61(const struct pit *p)
{
	uint8_t val = p->port61;

	if (p->tick / REFRESH_TICKS % 2)
		val |= PORT61_REFRESH;
	if (out(&p->ch[2], p->tick))
		val |= PORT61_OUT2;
	return val;
}

uint8_t pit_read(struct pit *p, uint16_t port)
{
	switch (port) {
	case PIT_CH0:
	case PIT_CH1:
	case PIT_CH2:
		return read_counter(&p->ch[port - PIT_CH0], p->tick);
	case PIT_PORT61:
		return read_port61(p);
	default:
		return FLOATING_BUS;
	}
}

void pit_write(struct pit *p, uint16_t port, uint8_t val)
{
	bool before = pit_out0(p);

	switch (port) {
	case PIT_CH0:
	case PIT_CH1:
	case PIT_CH2:
		write_counter(&p->ch[port - PIT_CH0], p->tick, val);
		break;
	case PIT_CMD:
		write_command(p, val);
		break;
	case PIT_PORT61:
		write_port61(p, val);
		break;
	default:
		break;
	}
	p->edges += !before && pit_out0(p);
}

void pit_reset(struct pit *p, uint64_t now)
{
	*p = (struct pit){ .tick = tick_at(now) };
	for (unsigned i = 0; i < COUNTERS; i++) {
		struct pit_channel *c = &p->ch[i];

		c->mode = SQUARE_WAVE;
		c->access = PIT_RW_WORD;
		c->control = PIT_CW_RW(PIT_RW_WORD) | PIT_CW_MODE(SQUARE_WAVE);
		c->gate = i < 2; /* tied high but for the speaker's */
		c->null_count = true;
		c->load_at = TIME_NEVER;
	}
}
