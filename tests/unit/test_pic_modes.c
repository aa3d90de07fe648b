/* SPDX-License-Identifier: BSD-2-Clause
 * What the 8259A data sheet says of special mask, poll, automatic EOI and the cascade, sentence by sentence.
 * Knows nothing of vCPUs. */
#include "pic_fixture.h"

#include <stdlib.h>

#define RANDOM_STEPS 200000

/* "ICW3 ... in the slave mode ... bits 2-0 identify the slave. The slave compares its cascade input with these bits and,
 * if they are equal, bytes 2 and 3 of the call sequence are released by it on the Data Bus." */
static void icw3_names_the_slave(void **state)
{
	struct pic p = ready();

	(void)state;
	init_chip(&p, PIC_SLAVE_CMD, ICW1, SLAVE_BASE, 5, ICW4_UPM);
	pulse(&p, 9);
	assert_ack(&p, ALL); /* nobody drives the bus */
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(2));
	assert_int_equal(isr(&p, PIC_SLAVE_CMD), 0);
	/* a master that does not know of a slave answers for itself */
	p = ready();
	init_chip(&p, PIC_MASTER_CMD, ICW1, MASTER_BASE, 0, ICW4_UPM);
	pulse(&p, 9);
	assert_ack(&p, MASTER_BASE + 2);
}

/* "the 8259A will automatically perform a non-specific EOI operation at the trailing edge of the last interrupt
 * acknowledge pulse" */
static void aeoi(void **state)
{
	struct pic p = ready();

	(void)state;
	init_with(&p, ICW4_AEOI, ICW4_AEOI);
	pulse(&p, 9);
	pulse(&p, 10);
	pulse(&p, 5);
	assert_ack(&p, SLAVE_BASE + 1);
	assert_int_equal(isr(&p, PIC_MASTER_CMD) | isr(&p, PIC_SLAVE_CMD), 0);
	assert_ack(&p, SLAVE_BASE + 2); /* the slave's INT made a new edge at IR2 */
	assert_ack(&p, MASTER_BASE + 5);
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_ELCR_MASTER, BIT(5));
	assert_ack(&p, MASTER_BASE + 5); /* a level that stays is requested again at once */
	assert_true(pic_intr(&p));
}

/* AEOI in the slave alone: the master still waits for its EOI. */
static void aeoi_slave_only(void **state)
{
	struct pic p = ready();

	(void)state;
	init_with(&p, 0, ICW4_AEOI);
	pulse(&p, 9);
	pulse(&p, 10);
	assert_ack(&p, SLAVE_BASE + 1);
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, SLAVE_BASE + 2);
}

/* "In the special Mask Mode, when a mask bit is set in OCW1, it inhibits further interrupts at that level and enables
 * interrupts from all other levels (lower as well as higher) that are not masked." */
static void special_mask_mode(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 4);
	assert_ack(&p, MASTER_BASE + 4);
	pulse(&p, 4);
	pulse(&p, 6);
	pic_write(&p, PIC_MASTER_DATA, BIT(4));
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_MASTER_CMD, SET_SMM);
	assert_ack(&p, MASTER_BASE + 6);
	/* "an IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI" */
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(4));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(4));
	pic_write(&p, PIC_MASTER_CMD, SEOI(4));
	assert_int_equal(isr(&p, PIC_MASTER_CMD), 0);
}

/* "If ESMM = 0 the SMM bit becomes a 'don't care'." */
static void esmm_guards_smm(void **state)
{
	struct pic p = ready();

	(void)state;
	pic_write(&p, PIC_MASTER_CMD, OCW3_SELECT | OCW3_SMM);
	assert_false(p.master.special_mask);
	pic_write(&p, PIC_MASTER_CMD, SET_SMM);
	pic_write(&p, PIC_MASTER_CMD, OCW3_SELECT);
	assert_true(p.master.special_mask);
	pic_write(&p, PIC_MASTER_CMD, CLEAR_SMM);
	assert_false(p.master.special_mask);
}

/* "I: Equal to a '1' if there is an interrupt. W0-W2: Binary code of the highest priority level requesting service." */
static void poll_acknowledges(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 6);
	pulse(&p, 4);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), PIC_POLL_I | 4);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(4));
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_MASTER_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), 0);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(4));
	/* any read is the next RD pulse, and only the next */
	pic_write(&p, PIC_MASTER_CMD, EOI);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), PIC_POLL_I | 6);
	assert_int_equal(pic_read(&p, PIC_MASTER_DATA), 0);
}

/* "Interrupt is frozen from WR to RD." */
static void poll_freezes(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 4);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	pic_set_line(&p, 4, false);
	pulse(&p, 3);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), PIC_POLL_I | 4);
	assert_ack(&p, MASTER_BASE + 3);
	/* an OCW3 without P ends the poll, one with P begins it anew */
	pulse(&p, 0);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	pic_set_line(&p, 0, false);
	pulse(&p, 1);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), PIC_POLL_I | 1);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	pic_write(&p, PIC_MASTER_CMD, READ_ISR);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), BIT(1) | BIT(3) | BIT(4));
	/* an INTA in between takes the request */
	p = ready();
	pulse(&p, 4);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	assert_ack(&p, MASTER_BASE + 4);
	pic_write(&p, PIC_MASTER_CMD, SEOI(4));
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), 0);
	/* what the slave gets while it is frozen reaches the master afterwards */
	pic_write(&p, PIC_SLAVE_CMD, POLL);
	pulse(&p, 12);
	assert_false(pic_intr(&p));
	assert_int_equal(pic_read(&p, PIC_SLAVE_CMD), 0);
	assert_ack(&p, SLAVE_BASE + 4);
}

/* The RD pulse is the last acknowledge pulse as well. */
static void poll_in_aeoi_mode(void **state)
{
	struct pic p = ready();

	(void)state;
	init_with(&p, ICW4_AEOI, ICW4_AEOI);
	pulse(&p, 9);
	pulse(&p, 10);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), PIC_POLL_I | PIC_CASCADE);
	assert_false(pic_intr(&p)); /* the slave's INT is high, its edge is taken */
	assert_int_equal(isr(&p, PIC_MASTER_CMD), 0);
	pic_write(&p, PIC_SLAVE_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_SLAVE_CMD), PIC_POLL_I | 1);
	assert_ack(&p, SLAVE_BASE + 2); /* a new edge */
}

/* Each chip is polled for itself: the master says IR2, the slave says who. */
static void poll_the_cascade(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 12);
	pic_write(&p, PIC_MASTER_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_MASTER_CMD), PIC_POLL_I | PIC_CASCADE);
	pic_write(&p, PIC_SLAVE_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_SLAVE_CMD), PIC_POLL_I | 4);
	pic_write(&p, PIC_SLAVE_CMD, EOI);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_false(pic_intr(&p));
	/* the slave alone: its INT falls, and the master's request with it */
	pulse(&p, 12);
	assert_true(pic_intr(&p));
	pic_write(&p, PIC_SLAVE_CMD, POLL);
	assert_int_equal(pic_read(&p, PIC_SLAVE_CMD), PIC_POLL_I | 4);
	assert_false(pic_intr(&p));
	assert_spurious(&p, MASTER_BASE + 7);
}

/* "two EOI commands must be issued: one for the master and one for the slave" */
static void cascade(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 14);
	pulse(&p, 3);
	assert_ack(&p, SLAVE_BASE + 6); /* the slave stands at IR2, before IR3 */
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(2));
	assert_int_equal(isr(&p, PIC_SLAVE_CMD), BIT(6));
	/* "In the normal nested mode a slave is masked out when its request is in service" */
	pulse(&p, 8);
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, SLAVE_BASE + 0);
	pic_write(&p, PIC_SLAVE_CMD, EOI);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 3);
	pic_set_line(&p, PIC_CASCADE, true); /* nobody's line */
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_false(pic_intr(&p));
	pic_set_line(&p, 16, true);
}

/* The slave's INT is a wire: "the IR inputs must remain high" holds for IR2 as well. */
static void slave_request_withdrawn_in_time(void **state)
{
	struct pic p = ready();

	(void)state;
	pulse(&p, 12);
	assert_true(pic_intr(&p));
	pic_set_line(&p, 12, false);
	assert_false(pic_intr(&p));
	assert_int_equal(irr(&p, PIC_MASTER_CMD), 0);
	assert_spurious(&p, MASTER_BASE + 7);
	pulse(&p, 12);
	pic_write(&p, PIC_SLAVE_DATA, BIT(4));
	assert_false(pic_intr(&p));
	assert_spurious(&p, MASTER_BASE + 7);
	pic_write(&p, PIC_SLAVE_DATA, 0);
	assert_ack(&p, SLAVE_BASE + 4); /* masked, not lost */
}

/* A slave's line that falls within the interrupt output delay: the master has committed to IR2, the slave issues "an
 * interrupt level 7" without an in-service bit. The EOI is the master's alone. */
static void slave_request_withdrawn_too_late(void **state)
{
	struct pic p = ready();
	struct pic_ack ack;

	(void)state;
	pulse(&p, 12);
	ack = pic_inta_falling(&p, BIT(12));
	assert_true(ack.spurious);
	assert_int_equal(ack.vector, SLAVE_BASE + 7);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(2));
	assert_int_equal(isr(&p, PIC_SLAVE_CMD), 0);
	assert_false(pic_intr(&p));
	pulse(&p, 9);
	assert_false(pic_intr(&p));
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, SLAVE_BASE + 1);
	p = ready();
	pulse(&p, 8);
	assert_int_equal(pic_inta_falling(&p, BIT(8)).vector, SLAVE_BASE + 7);
	/* another request of the slave takes the place */
	p = ready();
	pulse(&p, 12);
	pulse(&p, 14);
	ack = pic_inta_falling(&p, BIT(12));
	assert_false(ack.spurious);
	assert_int_equal(ack.vector, SLAVE_BASE + 6);
	/* the master had another request in mind: the slave's just goes */
	p = ready();
	pulse(&p, 12);
	pulse(&p, 1);
	ack = pic_inta_falling(&p, BIT(12));
	assert_int_equal(ack.vector, MASTER_BASE + 1);
	assert_int_equal(pic_chip_irr(&p.master), 0);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_false(pic_intr(&p));
}

/* "When an interrupt request from a certain slave is in service this slave is not locked out from the master's priority
 * logic and further interrupt requests from higher priority IR's within the slave will be recognized by the master". */
static void special_fully_nested(void **state)
{
	struct pic p = ready();

	(void)state;
	init_with(&p, ICW4_SFNM, 0);
	pulse(&p, 12);
	assert_ack(&p, SLAVE_BASE + 4);
	pulse(&p, 13);
	assert_false(pic_intr(&p)); /* lower within the slave */
	pulse(&p, 3);
	assert_false(pic_intr(&p)); /* lower within the master */
	pulse(&p, 9);
	assert_ack(&p, SLAVE_BASE + 1);
	/* "a non-specific ... EOI command to the slave and then reading its In-Service register and checking for zero" */
	pic_write(&p, PIC_SLAVE_CMD, EOI);
	assert_int_equal(isr(&p, PIC_SLAVE_CMD), BIT(4));
	pic_write(&p, PIC_SLAVE_CMD, EOI);
	assert_int_equal(isr(&p, PIC_SLAVE_CMD), 0);
	assert_ack(&p, SLAVE_BASE + 5);
	pic_write(&p, PIC_SLAVE_CMD, EOI);
	pic_write(&p, PIC_MASTER_CMD, EOI);
	assert_ack(&p, MASTER_BASE + 3);
	pulse(&p, 3);
	assert_false(pic_intr(&p)); /* an input without a slave is locked out as ever */
}

/* ICW3 that calls the slave for an input which it does not drive: the slave answers without a request. */
static void slave_called_without_request(void **state)
{
	struct pic p = ready();

	(void)state;
	init_chip(&p, PIC_MASTER_CMD, ICW1, MASTER_BASE, BIT(3), ICW4_UPM);
	init_chip(&p, PIC_SLAVE_CMD, ICW1, SLAVE_BASE, 3, ICW4_UPM);
	pulse(&p, 3);
	assert_spurious(&p, SLAVE_BASE + 7);
	assert_int_equal(isr(&p, PIC_MASTER_CMD), BIT(3));
	assert_int_equal(isr(&p, PIC_SLAVE_CMD), 0);
}

/* Whatever the ports are told: INTR low means the master's default, INTR high anything but that, and no state leaves
 * its range. */
static void random_walk(void **state)
{
	static const uint16_t ports[] = { PIC_MASTER_CMD, PIC_MASTER_DATA, PIC_SLAVE_CMD, PIC_SLAVE_DATA,
					  PIC_ELCR_MASTER, PIC_ELCR_SLAVE };
	struct pic p = ready();

	(void)state;
	srand(8259);
	for (int i = 0; i < RANDOM_STEPS; i++) {
		bool intr = pic_intr(&p);
		uint8_t before = p.master.isr;
		struct pic_ack ack;
		unsigned port = ports[rand() % ARRAY_SIZE(ports)];

		switch (rand() % 4) {
		case 0:
			pic_write(&p, port, rand());
			break;
		case 1:
			pic_read(&p, port);
			break;
		case 2:
			pic_set_line(&p, rand() % 18, rand() % 2);
			break;
		default:
			ack = pic_inta(&p);
			assert_true(intr || ack.spurious);
			assert_true(intr || p.master.isr == before);
			assert_true(!intr || !ack.spurious || ack.vector == (p.slave.base | 7));
			break;
		}
		assert_true(p.master.lowest < 8 && p.slave.lowest < 8);
		assert_int_equal(p.master.edge & ~p.master.lines, 0);
		assert_int_equal(p.slave.edge & ~p.slave.lines, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icw3_names_the_slave),
		cmocka_unit_test(aeoi),
		cmocka_unit_test(aeoi_slave_only),
		cmocka_unit_test(special_mask_mode),
		cmocka_unit_test(esmm_guards_smm),
		cmocka_unit_test(poll_acknowledges),
		cmocka_unit_test(poll_freezes),
		cmocka_unit_test(poll_in_aeoi_mode),
		cmocka_unit_test(poll_the_cascade),
		cmocka_unit_test(cascade),
		cmocka_unit_test(slave_request_withdrawn_in_time),
		cmocka_unit_test(slave_request_withdrawn_too_late),
		cmocka_unit_test(special_fully_nested),
		cmocka_unit_test(slave_called_without_request),
		cmocka_unit_test(random_walk),
	};

	return cmocka_run_group_tests_name("pic_modes", tests, NULL, NULL);
}
