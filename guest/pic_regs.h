/* SPDX-License-Identifier: BSD-2-Clause
 * The 8259 pair as its scenarios program it: ports, command words, and a way to let its requests in.
 * Knows nothing of what a scenario expects. */
#pragma once

#include "rt.h"

#define PIC_MASTER_COMMAND 0x20
#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_COMMAND 0xa0
#define PIC_SLAVE_MASK 0xa1
#define ELCR_MASTER 0x4d0
#define ELCR_SLAVE 0x4d1

#define PIC_INPUTS 8
#define PIC_CASCADE 2
#define PIC_SPURIOUS 7 /* the input whose vector stands for "no request any more" */
#define PIC_ALL_MASKED ((uint8_t)MASK(7, 0))

enum icw1 { ICW1_IC4 = BIT(0), ICW1_SNGL = BIT(1), ICW1_LTIM = BIT(3), ICW1 = BIT(4) };
enum icw3 { ICW3_MASTER = BIT(PIC_CASCADE), ICW3_SLAVE = PIC_CASCADE };
enum ocw2 { OCW2_EOI = BIT(5), OCW2_SL = BIT(6), OCW2_R = BIT(7) };
enum ocw3 {
	OCW3_RIS = BIT(0),
	OCW3_RR = BIT(1),
	OCW3_P = BIT(2),
	OCW3 = BIT(3),
	OCW3_SMM = BIT(5),
	OCW3_ESMM = BIT(6),
};
#define POLL_INTERRUPT BIT(7)
#define POLL_LEVEL(n) ((uint8_t)(POLL_INTERRUPT | (n)))

static inline void pic_command(bool slave, uint8_t word) { outb(slave ? PIC_SLAVE_COMMAND : PIC_MASTER_COMMAND, word); }
static inline uint8_t pic_status(bool slave) { return inb(slave ? PIC_SLAVE_COMMAND : PIC_MASTER_COMMAND); }
static inline uint8_t pic_imr(bool slave) { return inb(slave ? PIC_SLAVE_MASK : PIC_MASTER_MASK); }
static inline void pic_data(bool slave, uint8_t val) { outb(slave ? PIC_SLAVE_MASK : PIC_MASTER_MASK, val); }

static inline uint8_t pic_poll(bool slave)
{
	pic_command(slave, OCW3 | OCW3_P);
	return pic_status(slave);
}

static inline void pic_specific_eoi(bool slave, unsigned level) { pic_command(slave, (uint8_t)(OCW2_SL | OCW2_EOI | level)); }

/* Handlers: leave the input in service, or end it. */
static inline void pic_stay(struct frame *f) { (void)f; }
static inline void pic_finish(struct frame *f) { pic_eoi((unsigned)f->vector - PIC_VECTOR(0)); }

/* The inputs of the mask, unmasked, each with the handler. */
static inline void pic_listen(uint32_t irqs, handler_fn *fn)
{
	for (unsigned irq = 0; irq < 2 * PIC_INPUTS; irq++) {
		if (!(irqs & BIT(irq)))
			continue;
		on_vector(PIC_VECTOR(irq), fn);
		pic_unmask(irq);
	}
}

/* Lets everything in that may come. Each step leaves the guest besides opening IF, so that no rule of acceptance can
 * hold a second request back: that is rule.c's subject. */
#define TAKE_STEPS 4
static inline void pic_take(void)
{
	for (int i = 0; i < TAKE_STEPS; i++) {
		irq_on();
		outb(LAB_NOP, 1);
		irq_off();
	}
}

static inline void pic_raise_and_take(unsigned irq)
{
	lab_up(irq);
	pic_take();
}

/* The interrupts since arrivals_clear() are these inputs', in this order, and no others. */
#define EXPECT_ORDER(...)                                                                  \
	pic_expect_order((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
static inline void pic_expect_order(const uint8_t *irqs, size_t n)
{
	for (size_t i = 0; i < n && i < arrivals.count; i++)
		if (arrivals.log[i].vector != PIC_VECTOR(irqs[i]))
			fail("", "interrupt %u has vector %#x, not %#x", (unsigned)i, arrivals.log[i].vector,
			     PIC_VECTOR(irqs[i]));
	EXPECT_EQ(arrivals.count, n);
}
