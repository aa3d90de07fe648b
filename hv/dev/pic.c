/* SPDX-License-Identifier: BSD-2-Clause
 * The 8259 pair: sixteen lines in, one INT output and an INTA vector out.
 * Knows nothing of vCPUs, time or who reads the output.
 *
 * Where common models differ, this one is the data sheet's:
 * - An edge request lives in the edge latch only while its line is high: "the IR inputs must remain high until after
 *   the falling edge of the first INTA".
 * - The slave's INT is a wire to the master's IR2. A slave request that is withdrawn in time takes IR2 down with it, and
 *   an INTA then finds nothing: the master's default IR7. One that is withdrawn within the slave's interrupt output
 *   delay still finds IR2 high at the master, and the slave gives its own default IR7. Nothing a CPU can do to the
 *   ports is that quick; pic_inta_falling() is.
 * - Special mask: an in-service bit that is masked stops nobody; one that is not masked still does.
 * - Special fully nested: the slave in service may interrupt again; lower inputs may not.
 * - The cascade is programmed: an input without its ICW3 bit is answered by the master, and a slave whose address is
 *   not called leaves the bus floating.
 * The MCS-80 call sequence is not here: every vector is the 8086 mode's. */
#include "dev/pic.h"

#include <string.h>

#define NONE (-1)
#define DEFAULT_IR 7 /* "the 8259A will issue an interrupt level 7" */
#define FLOATING_BUS 0xff
#define ALL_LEVELS 0xff
#define ELCR_MASTER_MASK 0xf8 /* the timer, the keyboard and the cascade are edges */
#define ELCR_SLAVE_MASK 0xde  /* the clock and the coprocessor are edges */
#define OCW2_COMMAND (OCW2_R | OCW2_SL | OCW2_EOI)

enum { STEP_READY = 0, STEP_ICW2 = 2, STEP_ICW3 = 3, STEP_ICW4 = 4 };

/* Inputs of a master that a slave drives; none on a slave. */
static uint8_t slave_inputs(const struct pic_chip *c)
{
	return c->slave || c->icw1_single ? 0 : c->icw3;
}

static uint8_t live_requests(const struct pic_chip *c)
{
	uint8_t level = c->icw1_level ? ALL_LEVELS : c->elcr;

	return c->lines & (c->edge | level);
}

uint8_t pic_chip_irr(const struct pic_chip *c)
{
	/* "Interrupt is frozen from WR to RD." */
	return c->poll ? c->frozen : live_requests(c);
}

/* 0 is served first. */
static unsigned priority(const struct pic_chip *c, int level)
{
	return ((unsigned)level + PIC_LEVELS - 1 - c->lowest) % PIC_LEVELS;
}

static int highest(const struct pic_chip *c, uint8_t levels)
{
	for (unsigned i = 1; i <= PIC_LEVELS; i++) {
		unsigned level = (c->lowest + i) % PIC_LEVELS;

		if (levels & BIT(level))
			return (int)level;
	}
	return NONE;
}

/* In-service bits that the priority resolver sees. */
static uint8_t in_service(const struct pic_chip *c)
{
	return c->special_mask ? c->isr & ~c->imr : c->isr;
}

/* The level for which INT is high, NONE if it is low. */
static int chip_request(const struct pic_chip *c)
{
	int want = highest(c, pic_chip_irr(c) & ~c->imr);
	int busy = highest(c, in_service(c));

	if (want == NONE || busy == NONE)
		return want;
	/* Special fully nested: "this slave is not locked out from the master's priority logic". */
	if (want == busy)
		return c->sfnm && (slave_inputs(c) & BIT(want)) ? want : NONE;
	return priority(c, want) < priority(c, busy) ? want : NONE;
}

static void chip_set_line(struct pic_chip *c, unsigned level, bool high)
{
	uint8_t bit = BIT(level);

	if (!high) {
		c->lines &= ~bit;
		c->edge &= ~bit;
	} else if (!(c->lines & bit)) {
		c->lines |= bit;
		c->edge |= bit; /* latched even while masked: the IMR gates delivery, not the request */
	}
}

/* The slave's INT as the master sees it; due after every change to the slave. */
static void update_cascade(struct pic *p)
{
	chip_set_line(&p->master, PIC_CASCADE, chip_request(&p->slave) != NONE);
}

static void chip_accept(struct pic_chip *c, int level)
{
	uint8_t bit = BIT(level);

	c->isr |= bit;
	c->edge &= ~bit;
	c->frozen &= ~bit;
}

static void chip_auto_eoi(struct pic_chip *c, int level)
{
	if (!c->aeoi)
		return;
	c->isr &= ~BIT(level);
	if (c->rotate_on_aeoi)
		c->lowest = level;
}

static void slave_accept(struct pic *p, int level)
{
	chip_accept(&p->slave, level);
	/* INT goes low while the acknowledge lasts: a request that is left makes a new edge at IR2. */
	chip_set_line(&p->master, PIC_CASCADE, false);
	chip_auto_eoi(&p->slave, level);
	update_cascade(p);
}

void pic_set_line(struct pic *p, unsigned irq, bool high)
{
	if (irq == PIC_CASCADE || irq >= 2 * PIC_LEVELS)
		return;
	if (irq < PIC_LEVELS) {
		chip_set_line(&p->master, irq, high);
		return;
	}
	chip_set_line(&p->slave, irq - PIC_LEVELS, high);
	update_cascade(p);
}

bool pic_intr(const struct pic *p)
{
	return chip_request(&p->master) != NONE;
}

static struct pic_ack default_ack(const struct pic_chip *c)
{
	return (struct pic_ack){ .vector = c->base | DEFAULT_IR, .spurious = true };
}

/* What the slave called on the cascade lines puts on the bus. */
static struct pic_ack slave_inta(struct pic *p, int address)
{
	int level;

	if ((p->slave.icw3 & ICW3_ID) != address)
		return (struct pic_ack){ .vector = FLOATING_BUS };
	level = chip_request(&p->slave);
	if (level == NONE)
		return default_ack(&p->slave);
	slave_accept(p, level);
	return (struct pic_ack){ .vector = p->slave.base | level };
}

static struct pic_ack master_inta(struct pic *p)
{
	struct pic_chip *m = &p->master;
	int level = chip_request(m);
	struct pic_ack ack;

	/* "If no interrupt request is present at step 4 of either sequence (i.e., the request was too short in duration)
	 * the 8259A will issue an interrupt level 7." A default IR7 sets no in-service bit. */
	if (level == NONE)
		return default_ack(m);
	chip_accept(m, level);
	if (slave_inputs(m) & BIT(level))
		ack = slave_inta(p, level);
	else
		ack = (struct pic_ack){ .vector = m->base | level };
	chip_auto_eoi(m, level);
	return ack;
}

struct pic_ack pic_inta_falling(struct pic *p, uint16_t falling)
{
	struct pic_ack ack;

	for (unsigned level = 0; level < PIC_LEVELS; level++) {
		if (falling & BIT(level))
			pic_set_line(p, level, false);
		/* Without update_cascade(): the slave's INT is still on its way down. */
		if (falling & BIT(level + PIC_LEVELS))
			chip_set_line(&p->slave, level, false);
	}
	ack = master_inta(p);
	update_cascade(p);
	return ack;
}

struct pic_ack pic_inta(struct pic *p)
{
	return pic_inta_falling(p, 0);
}

/* ICW1: "the following automatically occur: The edge sense circuit is reset ... The Interrupt Mask Register is cleared.
 * IR7 input is assigned priority 7. The slave mode address is set to 7. Special Mask Mode is cleared and Status Read is
 * set to IRR. If IC4 = 0, then all functions selected in ICW4 are set to zero." The in-service bits and
 * the rotation in automatic EOI mode go with it. */
static void write_icw1(struct pic_chip *c, uint8_t val)
{
	c->edge = 0;
	c->imr = 0;
	c->isr = 0;
	c->lowest = PIC_LEVELS - 1;
	if (c->slave)
		c->icw3 = ICW3_ID;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	c->rotate_on_aeoi = false;
	c->icw4_needed = val & ICW1_IC4;
	c->icw1_single = val & ICW1_SNGL;
	c->icw1_level = val & ICW1_LTIM;
	if (!c->icw4_needed) {
		c->aeoi = false;
		c->sfnm = false;
	}
	c->init_step = STEP_ICW2;
}

/* The level that an EOI without one means. "an IS bit that is masked by an IMR bit will not be cleared by a non-specific
 * EOI if the 8259A is in the Special Mask Mode" */
static int eoi_level(const struct pic_chip *c, uint8_t val)
{
	return val & OCW2_SL ? val & OCW2_LEVEL : highest(c, in_service(c));
}

static void end_of_interrupt(struct pic_chip *c, int level, bool rotate)
{
	if (level == NONE)
		return;
	c->isr &= ~BIT(level);
	if (rotate)
		c->lowest = level;
}

static void write_ocw2(struct pic_chip *c, uint8_t val)
{
	switch (val & OCW2_COMMAND) {
	case OCW2_EOI:
	case OCW2_EOI | OCW2_SL:
		end_of_interrupt(c, eoi_level(c, val), false);
		break;
	case OCW2_EOI | OCW2_R:
	case OCW2_EOI | OCW2_SL | OCW2_R:
		end_of_interrupt(c, eoi_level(c, val), true);
		break;
	case OCW2_R:
		c->rotate_on_aeoi = true;
		break;
	case 0:
		c->rotate_on_aeoi = false;
		break;
	case OCW2_R | OCW2_SL:
		c->lowest = val & OCW2_LEVEL;
		break;
	default: /* "No operation" */
		break;
	}
}

static void write_ocw3(struct pic_chip *c, uint8_t val)
{
	if (val & OCW3_ESMM)
		c->special_mask = val & OCW3_SMM;
	if (val & OCW3_RR)
		c->read_isr = val & OCW3_RIS;
	c->frozen = live_requests(c);
	c->poll = val & OCW3_P;
}

static void write_command(struct pic_chip *c, uint8_t val)
{
	if (val & ICW1_INIT)
		write_icw1(c, val);
	else if (val & OCW3_SELECT)
		write_ocw3(c, val);
	else
		write_ocw2(c, val);
}

static uint8_t after_icw3(const struct pic_chip *c)
{
	return c->icw4_needed ? STEP_ICW4 : STEP_READY;
}

static void write_data(struct pic_chip *c, uint8_t val)
{
	switch (c->init_step) {
	case STEP_ICW2:
		c->base = val & ICW2_BASE;
		c->init_step = c->icw1_single ? after_icw3(c) : STEP_ICW3;
		break;
	case STEP_ICW3:
		c->icw3 = val;
		c->init_step = after_icw3(c);
		break;
	case STEP_ICW4:
		c->aeoi = val & ICW4_AEOI;
		c->sfnm = val & ICW4_SFNM;
		c->init_step = STEP_READY;
		break;
	default:
		c->imr = val;
		break;
	}
}

/* "The 8259A treats the next RD pulse ... as an interrupt acknowledge, sets the appropriate IS bit if there is a
 * request, and reads the priority level." */
static uint8_t poll_read(struct pic *p, struct pic_chip *c)
{
	int level = chip_request(c);

	c->poll = false;
	if (level == NONE) {
		update_cascade(p); /* what came while it was frozen */
		return 0;
	}
	if (c->slave) {
		slave_accept(p, level);
	} else {
		chip_accept(c, level);
		chip_auto_eoi(c, level);
	}
	return PIC_POLL_I | level;
}

static uint8_t chip_read(struct pic *p, struct pic_chip *c, bool data)
{
	if (c->poll)
		return poll_read(p, c);
	if (data)
		return c->imr;
	return c->read_isr ? c->isr : pic_chip_irr(c);
}

uint8_t pic_read(struct pic *p, uint16_t port)
{
	switch (port) {
	case PIC_MASTER_CMD:
	case PIC_MASTER_DATA:
		return chip_read(p, &p->master, port == PIC_MASTER_DATA);
	case PIC_SLAVE_CMD:
	case PIC_SLAVE_DATA:
		return chip_read(p, &p->slave, port == PIC_SLAVE_DATA);
	case PIC_ELCR_MASTER:
		return p->master.elcr;
	case PIC_ELCR_SLAVE:
		return p->slave.elcr;
	default:
		return FLOATING_BUS;
	}
}

void pic_write(struct pic *p, uint16_t port, uint8_t val)
{
	switch (port) {
	case PIC_MASTER_CMD:
		write_command(&p->master, val);
		break;
	case PIC_MASTER_DATA:
		write_data(&p->master, val);
		break;
	case PIC_SLAVE_CMD:
		write_command(&p->slave, val);
		break;
	case PIC_SLAVE_DATA:
		write_data(&p->slave, val);
		break;
	case PIC_ELCR_MASTER:
		p->master.elcr = val & p->master.elcr_mask;
		break;
	case PIC_ELCR_SLAVE:
		p->slave.elcr = val & p->slave.elcr_mask;
		break;
	default:
		break;
	}
	update_cascade(p);
}

static void chip_reset(struct pic_chip *c, uint8_t elcr_mask)
{
	memset(c, 0, sizeof(*c));
	c->elcr_mask = elcr_mask;
	c->imr = ALL_LEVELS;
	c->lowest = PIC_LEVELS - 1;
}

void pic_reset(struct pic *p)
{
	chip_reset(&p->master, ELCR_MASTER_MASK);
	chip_reset(&p->slave, ELCR_SLAVE_MASK);
	p->slave.slave = true;
	p->master.icw3 = BIT(PIC_CASCADE);
	p->slave.icw3 = PIC_CASCADE;
}
