/* SPDX-License-Identifier: BSD-2-Clause
 * A pair of 8259s as a PC programs it, and short words to poke it with.
 * Knows nothing of what the tests expect. */
#pragma once

#include "dev/pic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MASTER_BASE 0x20
#define SLAVE_BASE 0x28
#define ICW1 (ICW1_INIT | ICW1_IC4)
#define EOI OCW2_EOI
#define SEOI(n) (OCW2_EOI | OCW2_SL | (n))
#define READ_IRR (OCW3_SELECT | OCW3_RR)
#define READ_ISR (OCW3_SELECT | OCW3_RR | OCW3_RIS)
#define POLL (OCW3_SELECT | OCW3_P)
#define SET_SMM (OCW3_SELECT | OCW3_ESMM | OCW3_SMM)
#define CLEAR_SMM (OCW3_SELECT | OCW3_ESMM)
#define ALL 0xff

static inline void init_chip(struct pic *p, uint16_t cmd, uint8_t icw1, uint8_t base, uint8_t icw3, uint8_t icw4)
{
	pic_write(p, cmd, icw1);
	pic_write(p, cmd + 1, base);
	if (!(icw1 & ICW1_SNGL))
		pic_write(p, cmd + 1, icw3);
	if (icw1 & ICW1_IC4)
		pic_write(p, cmd + 1, icw4);
}

static inline void init_with(struct pic *p, uint8_t icw4_master, uint8_t icw4_slave)
{
	init_chip(p, PIC_MASTER_CMD, ICW1, MASTER_BASE, BIT(PIC_CASCADE), ICW4_UPM | icw4_master);
	init_chip(p, PIC_SLAVE_CMD, ICW1, SLAVE_BASE, PIC_CASCADE, ICW4_UPM | icw4_slave);
}

static inline struct pic ready(void)
{
	struct pic p;

	pic_reset(&p);
	init_with(&p, 0, 0);
	return p;
}

static inline void pulse(struct pic *p, unsigned irq)
{
	pic_set_line(p, irq, false);
	pic_set_line(p, irq, true);
}

static inline void assert_ack(struct pic *p, uint8_t vector)
{
	struct pic_ack ack = pic_inta(p);

	assert_int_equal(ack.vector, vector);
	assert_false(ack.spurious);
}

static inline void assert_spurious(struct pic *p, uint8_t vector)
{
	struct pic_ack ack = pic_inta(p);

	assert_int_equal(ack.vector, vector);
	assert_true(ack.spurious);
}

static inline uint8_t isr(struct pic *p, uint16_t cmd)
{
	pic_write(p, cmd, READ_ISR);
	return pic_read(p, cmd);
}

static inline uint8_t irr(struct pic *p, uint16_t cmd)
{
	pic_write(p, cmd, READ_IRR);
	return pic_read(p, cmd);
}
