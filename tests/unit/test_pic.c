/* SPDX-License-Identifier: BSD-2-Clause
 * What the 8259A data sheet says of one chip: initialization, triggers, priority and EOI, sentence by sentence.
 * Knows nothing of vCPUs. */
#include "pic_fixture.h"

#define UNUSED_PORT 0x22

/* Nothing gets through before an ICW1. */
static void reset_is_masked(void **state)
{
	struct pic p;

	(void)state;
	pic_reset(&p);
	for (unsigned irq = 0; irq < 16; irq++)
		pic_set_line(&p, irq, true);
	assert_false(pic_intr(&p));
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), ALL);
	assert_int_equal(pic_read(&p, UNUSED_PORT), ALL);
	pic_write(&p, UNUSED_PORT, 0);
	/* the cascade is wired and IR0 comes first all the same */
	pic_write(&p, PIC_MASTER_DATA, 0);
	pic_write(&p, PIC_SLAVE_DATA, 0);
	assert_ack(&p, 0);
	pic_write(&p, PIC_MASTER_CMD, SEOI(0));
	pic_set_line(&p, 1, false);
	assert_ack(&p, 0);
	assert_int_equal(isr(&p, PIC_SLAVE_CMD), BIT(0));
}

/* "The edge sense circuit is reset, which means that following initialization, an interrupt request (IR) input must make
 * a low-to-high transition to generate an interrupt. The Interrupt Mask Register is cleared. ... Special Mask Mode is
 * cleared and Status Read is set to IRR." */
static void icw1_resets(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 5);
	pulse(&p, 6);
	assert_ack(&p, MASTER_BASE + 5);
	pic_write(&p, PIC_MASTER_DATA, BIT(1));
	pic_write(&p, PIC_MASTER_CMD, SET_SMM);
	pic_write(&p, PIC_MASTER_CMD, OCW2_R | OCW2_SL | 3);
	pic_write(&p, PIC_MASTER_CMD, READ_ISR);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	init_chip(&p, PIC_MASTER_CMD, ICW1, MASTER_BASE, BIT(PIC_CASCADE), ICW4_UPM);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), 0); /* IRR: line 6 is high, its edge is gone */
	pulse(&p, 3);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), BIT(3));
	pic_set_line(&p, 3, false);
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), 0);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), 0);
	assert_false(pic_intr(&p));
	pulse(&p, 6);
	pulse(&p, 1);
	assert_ack(&p, MASTER_BASE + 1); /* "IR7 input is assigned priority 7." */
	pic_write(&p, PIC_MASTER_DATA, BIT(1));
	assert_false(pic_intr(&p)); /* special mask would let 6 through */
	/* "The slave mode address is set to 7." */
	init_chip(&p, PIC_MASTER_CMD, ICW1, MASTER_BASE, BIT(PIC_CASCADE), ICW4_UPM);
	init_chip(&p, PIC_SLAVE_CMD, ICW1 | ICW1_SNGL, SLAVE_BASE, 0, ICW4_UPM);
	assert_int_equal(p.slave.icw3, 7);
	pulse(&p, 9);
	assert_ack(&p, ALL);
}

/* A poll command that is never read, and rotation in AEOI mode, end with ICW1. */
static void icw1_ends_poll_and_rotation(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, PIC_MASTER_CMD, OCW2_R);
	pulse(&p, 4);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	init_with(&p, ICW4_AEOI, 0);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), 0);
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 4);
	assert_int_equal(p.master.lowest, 7);
}

/* "If IC4 = 0, then all functions selected in ICW4 are set to zero." */
static void no_icw4(void **state)
{
	struct pic p = ready();

	(void)state;
	init_with(&p, ICW4_AEOI | ICW4_SFNM, 0);
	init_chip(&p, PIC_MASTER_CMD, ICW1_INIT, MASTER_BASE, BIT(PIC_CASCADE), 0);
	pic_write(&p, PIC_MASTER_DATA, BIT(0)); /* OCW1 already */
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), BIT(0));
	pulse(&p, 3);
	assert_ack(&p, MASTER_BASE + 3);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(3));
	assert_false(p.master.sfnm);
}

/* "SNGL: Single. Means that this is the only 8259A in the system. If SNGL = 1 no ICW3 will be issued." */
static void single(void **state)
{
	struct pic p = ready();

	(void)state;
	init_chip(&p, PIC_MASTER_CMD, ICW1 | ICW1_SNGL, MASTER_BASE, 0, ICW4_UPM | ICW4_SFNM);
	assert_true(p.master.sfnm);
	pic_write(&p, PIC_MASTER_DATA, BIT(7));
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), BIT(7));
	pulse(&p, 0);
	assert_ack(&p, MASTER_BASE + 0);
	pulse(&p, 0);
	assert_false(pic_intr(&p)); /* no slave, so nothing is special about fully nested */
	pic_set_line(&p, 0, false);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	pulse(&p, 9);
	assert_ack(&p, MASTER_BASE + 2); /* IR2 is an input like any other */
	init_chip(&p, PIC_MASTER_CMD, ICW1_INIT | ICW1_SNGL, SLAVE_BASE, 0, 0);
	pic_write(&p, PIC_MASTER_DATA, BIT(6));
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), BIT(6));
}

/* "T7-T3: ... the 8259A inserts the interrupt level": the low bits of ICW2 are not part of the vector. */
static void icw2_low_bits_are_the_level(void **state)
{
	struct pic p = ready();

	(void)state;
	init_chip(&p, PIC_MASTER_CMD, ICW1, MASTER_BASE | 5, BIT(PIC_CASCADE), ICW4_UPM);
	pulse(&p, 1);
	assert_ack(&p, MASTER_BASE + 1);
}

/* A new ICW1 begins the sequence anew wherever the last one was left. */
static void icw1_restarts_a_sequence(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, PIC_MASTER_CMD, ICW1);
	pic_write(&p, PIC_MASTER_DATA, SLAVE_BASE);
	init_chip(&p, PIC_MASTER_CMD, ICW1, MASTER_BASE, BIT(PIC_CASCADE), ICW4_UPM);
	pic_write(&p, PIC_MASTER_DATA, BIT(3));
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), BIT(3));
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 4);
}

/* "an interrupt request will be recognized by a low to high transition on an IR input. The IR input can remain high
 * without generating another interrupt." */
static void edge_needs_low_to_high(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_set_line(&p, 4, true);
	pic_set_line(&p, 4, true);
	assert_ack(&p, MASTER_BASE + 4);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	pic_set_line(&p, 4, true);
	assert_false(pic_intr(&p));
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 4);
}

/* "In both the edge and level triggered modes the IR inputs must remain high until after the falling edge of the first
 * INTA. If the IR input goes low before this time a DEFAULT IR7 will occur when the CPU acknowledges the interrupt." */
static void line_that_falls_before_inta_is_default_ir7(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 4);
	assert_true(pic_intr(&p));
	pic_set_line(&p, 4, false);
	assert_false(pic_intr(&p));
	assert_int_equal(irr(&p, PIC_MASTER_CMD), 0);
	assert_spurious(&p, MASTER_BASE + 7);
	/* "A normal IR7 interrupt will set the corresponding ISR bit, a default IR7 won't." */
	assert_int_equal(isr(&p, PIC_MASTER_CMD), 0);
	pulse(&p, 7);
	assert_ack(&p, MASTER_BASE + 7);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(7));
	/* in the real one's service as well */
	assert_spurious(&p, MASTER_BASE + 7);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(7));
}

/* The same, the line falling between the CPU's look at INTR and its INTA; and by the mask. */
static void request_gone_at_inta_is_default_ir7(void **state)
{
	struct pic p = ready();
	struct pic_ack ack;

	(void)state;
	pulse(&p, 3);
	ack = pic_inta_falling(&p, BIT(3));
	assert_true(ack.spurious);
	assert_int_equal(ack.vector, MASTER_BASE + 7);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), 0);
	pulse(&p, 3);
	pulse(&p, 5);
	ack = pic_inta_falling(&p, BIT(3));
	assert_false(ack.spurious);
	assert_int_equal(ack.vector, MASTER_BASE + 5); /* another request is there */
	pic_write(&p, PIC_MASTER_CMD, EOI);
	pulse(&p, 3);
	pic_write(&p, PIC_MASTER_DATA, BIT(3));
	assert_spurious(&p, MASTER_BASE + 7);
	pic_write(&p, PIC_MASTER_DATA, 0);
	assert_ack(&p, MASTER_BASE + 3);
}

/* "The IMR operates on the IRR. Masking of a higher priority input will not affect the interrupt request lines of
 * lower quality." The request itself is latched behind the mask. */
static void masked_edge_is_latched(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, PIC_MASTER_DATA, BIT(4));
	pulse(&p, 4);
	pulse(&p, 6);
	assert_int_equal(irr(&p, PIC_MASTER_CMD), BIT(4) | BIT(6));
	assert_ack(&p, MASTER_BASE + 6);
	pic_write(&p, PIC_MASTER_DATA, 0);
	assert_ack(&p, MASTER_BASE + 4);
}

/* "the highest priority ISR bit is set and the corresponding IRR bit is reset" */
static void inta_moves_irr_to_isr(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 6);
	pulse(&p, 1);
	assert_ack(&p, MASTER_BASE + 1);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(1));
	assert_int_equal(irr(&p, PIC_MASTER_CMD), BIT(6));
}

/* "While the IS bit is set, all further interrupts of the same or lower priority are inhibited, while higher levels will
 * generate an interrupt". */
static void fully_nested(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 4);
	pulse(&p, 5);
	pulse(&p, 4);
	assert_false(pic_intr(&p));
	pulse(&p, 3);
	assert_ack(&p, MASTER_BASE + 3);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(3) | BIT(4));
	pic_write(&p, PIC_MASTER_CMD, EOI); /* "will automatically reset the highest IS bit of those that are set" */
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(4));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 4);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 5);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	pic_write(&p, PIC_MASTER_CMD, EOI); /* nothing left: no effect */
	assert_false(pic_intr(&p));
}

/* "a Specific End of Interrupt must be issued which includes as part of the command the IS level to be reset" */
static void specific_eoi(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 6);
	assert_ack(&p, MASTER_BASE + 6);
	pulse(&p, 3);
	assert_ack(&p, MASTER_BASE + 3);
	pic_write(&p, PIC_MASTER_CMD, SEOI(6));
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(3));
	pic_write(&p, PIC_MASTER_CMD, OCW2_SL | 3); /* "No operation" */
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(3));
}

/* "If LTIM = 1, an interrupt request will be recognized by a 'high' level on IR Input, and there is no need for an edge
 * detection. The interrupt request must be removed before the EOI command is issued ... to prevent a second interrupt
 * from occurring." */
static void ltim_level(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_set_line(&p, 0, true);
	init_chip(&p, PIC_MASTER_CMD, ICW1 | ICW1_LTIM, MASTER_BASE, BIT(PIC_CASCADE), ICW4_UPM);
	assert_ack(&p, MASTER_BASE + 0);
	assert_int_equal(irr(&p, PIC_MASTER_CMD), BIT(0));
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 0);
	pic_set_line(&p, 0, false);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_false(pic_intr(&p));
	pic_set_line(&p, 0, true);
	pic_set_line(&p, 0, false);
	assert_spurious(&p, MASTER_BASE + 7);
}

/* ELCR: an input of its own is level-triggered; 0, 1, 2, 8 and 13 cannot be. */
static void elcr(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, PIC_ELCR_MASTER, ALL);
	pic_write(&p, PIC_ELCR_SLAVE, ALL);
	assert_int_equal(pic_read(&p, PIC_ELCR_MASTER), (uint8_t)~(BIT(0) | BIT(1) | BIT(2)));
	assert_int_equal(pic_read(&p, PIC_ELCR_SLAVE), (uint8_t)~(BIT(0) | BIT(5)));
	pic_set_line(&p, 11, true);
	for (int i = 0; i < 3; i++) { /* the cascade makes a new edge each time */
		assert_ack(&p, SLAVE_BASE + 3);
		pic_write(&p, PIC_SLAVE_CMD, EOI);
		assert_false(pic_intr(&p));
		pic_write(&p, PIC_MASTER_CMD, EOI);
	}
	pic_set_line(&p, 11, false);
	assert_false(pic_intr(&p));
	pic_set_line(&p, 5, true);
	assert_ack(&p, MASTER_BASE + 5);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	pic_write(&p, PIC_ELCR_MASTER, 0);
	assert_false(pic_intr(&p)); /* an edge input now, and its edge was acknowledged */
	pic_write(&p, PIC_ELCR_MASTER, BIT(5));
	assert_true(pic_intr(&p));
	init_with(&p, 0, 0);
	assert_int_equal(pic_read(&p, PIC_ELCR_MASTER), BIT(5)); /* not the 8259's: ICW1 leaves it */
	assert_ack(&p, MASTER_BASE + 5);
}

/* "Rotation on Non-Specific EOI": "a device, after being serviced, receives the lowest priority". */
static void rotate_on_nonspecific_eoi(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 6);
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 4); /* the data sheet's own example: IR4 served, then it is the lowest */
	pic_write(&p, PIC_MASTER_CMD, OCW2_R | OCW2_EOI);
	assert_int_equal(p.master.lowest, 4);
	pulse(&p, 4);
	pulse(&p, 3);
	pulse(&p, 5);
	assert_ack(&p, MASTER_BASE + 5);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 6);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 3);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 4);
	/* the highest in service is found by the rotated order too */
	pulse(&p, 3);
	assert_ack(&p, MASTER_BASE + 3);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(4));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	pic_write(&p, PIC_MASTER_CMD, OCW2_R | OCW2_EOI); /* nothing in service: nothing rotates */
	assert_int_equal(p.master.lowest, 4);
}

/* "the Rotate on Specific EOI command": resets the level named and makes it the lowest. */
static void rotate_on_specific_eoi(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 5);
	assert_ack(&p, MASTER_BASE + 5);
	pulse(&p, 3);
	assert_ack(&p, MASTER_BASE + 3);
	pic_write(&p, PIC_MASTER_CMD, OCW2_R | OCW2_SL | OCW2_EOI | 5);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(3));
	assert_int_equal(p.master.lowest, 5);
}

/* "The programmer can change priorities by programming the bottom priority and thus fixing all other priorities; i.e., if
 * IR5 is programmed as the bottom priority device, then IR6 will have the highest one." */
static void set_priority(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, PIC_MASTER_CMD, OCW2_R | OCW2_SL | 5);
	for (unsigned irq = 0; irq < 8; irq++)
		pulse(&p, irq);
	for (unsigned i = 6; i < 6 + 8; i++) {
		if (i % 8 == PIC_CASCADE)
			continue;
		assert_ack(&p, MASTER_BASE + i % 8);
		assert_false(pic_intr(&p));
		pic_write(&p, PIC_MASTER_CMD, EOI);
	}
	assert_spurious(&p, MASTER_BASE + 7); /* the default is IR7 in every rotation */
}

/* "Rotate in Automatic EOI Mode, which is set by (R = 1, SL = 0, EOI = 0) and cleared by (R = 0, SL = 0, EOI = 0)." */
static void rotate_in_aeoi(void **state)
{
	struct pic p = ready();

	(void)state;
	init_with(&p, ICW4_AEOI, 0);
	pic_write(&p, PIC_MASTER_CMD, OCW2_R);
	pulse(&p, 3);
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 3);
	pulse(&p, 3);
	assert_ack(&p, MASTER_BASE + 4);
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 3);
	assert_int_equal(p.master.lowest, 3);
	pic_write(&p, PIC_MASTER_CMD, 0);
	assert_ack(&p, MASTER_BASE + 4);
	assert_int_equal(p.master.lowest, 3);
	/* a default IR7 rotates nothing */
	pic_write(&p, PIC_MASTER_CMD, OCW2_R);
	assert_spurious(&p, MASTER_BASE + 7);
	assert_int_equal(p.master.lowest, 3);
}

/* "There is no need to write an OCW3 before every status read operation ... the 8259A 'remembers' whether the IRR or ISR
 * has been previously selected by the OCW3." */
static void read_select_persists(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 5);
	assert_ack(&p, MASTER_BASE + 5);
	pulse(&p, 6);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), BIT(6)); /* "After initialization the 8259A is set to IRR." */
	pic_write(&p, PIC_MASTER_CMD, READ_ISR);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pic_read(&p, PIC_MASTER_CMD), BIT(5));
	pic_write(&p, PIC_MASTER_CMD, OCW3_SELECT | OCW3_RIS); /* RR = 0: no action */
	pic_write(&p, PIC_MASTER_CMD, SET_SMM);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), BIT(5));
	pic_write(&p, PIC_MASTER_CMD, READ_IRR);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pic_read(&p, PIC_MASTER_CMD), BIT(6));
	assert_int_equal(pic_chip_irr(&p.master), BIT(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_is_masked),
		cmocka_unit_test(icw1_resets),
		cmocka_unit_test(icw1_ends_poll_and_rotation),
		cmocka_unit_test(no_icw4),
		cmocka_unit_test(single),
		cmocka_unit_test(icw2_low_bits_are_the_level),
		cmocka_unit_test(icw1_restarts_a_sequence),
		cmocka_unit_test(edge_needs_low_to_high),
		cmocka_unit_test(line_that_falls_before_inta_is_default_ir7),
		cmocka_unit_test(request_gone_at_inta_is_default_ir7),
		cmocka_unit_test(masked_edge_is_latched),
		cmocka_unit_test(inta_moves_irr_to_isr),
		cmocka_unit_test(fully_nested),
		cmocka_unit_test(specific_eoi),
		cmocka_unit_test(ltim_level),
		cmocka_unit_test(elcr),
		cmocka_unit_test(rotate_on_nonspecific_eoi),
		cmocka_unit_test(rotate_on_specific_eoi),
		cmocka_unit_test(set_priority),
		cmocka_unit_test(rotate_in_aeoi),
		cmocka_unit_test(read_select_persists),
	};

	return cmocka_run_group_tests_name("pic", tests, NULL, NULL);
}
