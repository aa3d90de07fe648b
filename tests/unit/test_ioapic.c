/* SPDX-License-Identifier: BSD-2-Clause
 * The I/O APIC against the 82093AA data sheet.
 * Knows nothing of local APICs: the messages are looked at, not delivered. */
#include "dev/ioapic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "x86.h"

#define LOW(pin) (IOAPIC_REG_RTE + 2 * (pin))
#define HIGH(pin) (LOW(pin) + 1)
#define LEVEL ((uint32_t)RTE_LEVEL)
#define MASKED ((uint32_t)RTE_MASKED)
#define REMOTE_IRR ((uint32_t)RTE_REMOTE_IRR)
#define DM(m) ((uint32_t)(m) << 8)

static struct ioapic fresh(void)
{
	struct ioapic io;

	memset(&io, 0x5a, sizeof(io));
	ioapic_reset(&io);
	return io;
}

static uint32_t reg(struct ioapic *io, uint8_t index)
{
	ioapic_write(io, IOAPIC_REGSEL, index);
	return ioapic_read(io, IOAPIC_WINDOW);
}

static void set_reg(struct ioapic *io, uint8_t index, uint32_t val)
{
	ioapic_write(io, IOAPIC_REGSEL, index);
	ioapic_write(io, IOAPIC_WINDOW, val);
}

static void pulse(struct ioapic *io, unsigned pin)
{
	ioapic_set_pin(io, pin, true);
	ioapic_set_pin(io, pin, false);
}

static void expect_none(struct ioapic *io)
{
	struct apic_msg m;

	assert_false(ioapic_next_msg(io, &m));
}

static void expect(struct ioapic *io, uint8_t vector, bool level)
{
	struct apic_msg m;

	assert_true(ioapic_next_msg(io, &m));
	assert_int_equal(m.vector, vector);
	assert_int_equal(m.level, level);
}

/* 82093AA data sheet: "Interrupt Mask ... 1 = masked" at reset; everything else 0. */
static void reset_masks_every_pin(void **state)
{
	struct ioapic io = fresh();
	uint64_t bitmap[4];

	(void)state;
	assert_int_equal(reg(&io, IOAPIC_REG_ID), 0);
	assert_int_equal(reg(&io, IOAPIC_REG_VER), 0x170020);
	assert_int_equal(reg(&io, IOAPIC_REG_ARB), 0);
	for (unsigned p = 0; p < IOAPIC_PINS; p++) {
		assert_int_equal(reg(&io, LOW(p)), 0x10000);
		assert_int_equal(reg(&io, HIGH(p)), 0);
		ioapic_set_pin(&io, p, true);
	}
	expect_none(&io);
	ioapic_eoi_vectors(&io, bitmap);
	for (int i = 0; i < 4; i++)
		assert_int_equal(bitmap[i], 0);
	assert_true(io.routes_changed);
}

/* "This register contains the 4-bit APIC ID"; "When the APIC ID register is loaded, its value is also loaded into the
 * IOAPIC arbitration ID". */
static void id_has_four_bits_and_loads_the_arbitration_id(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, IOAPIC_REG_ID, 0xffffffff);
	assert_int_equal(reg(&io, IOAPIC_REG_ID), 0x0f000000);
	assert_int_equal(reg(&io, IOAPIC_REG_ARB), 0x0f000000);
	set_reg(&io, IOAPIC_REG_ARB, 0);
	set_reg(&io, IOAPIC_REG_VER, 0);
	assert_int_equal(reg(&io, IOAPIC_REG_ARB), 0x0f000000);
	assert_int_equal(reg(&io, IOAPIC_REG_VER), 0x170020);
}

static void unknown_registers_read_zero_and_drop_writes(void **state)
{
	struct ioapic io = fresh(), before;

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		if (i == IOAPIC_REG_ID || (i >= IOAPIC_REG_RTE && i < LOW(IOAPIC_PINS)))
			continue;
		ioapic_write(&io, IOAPIC_REGSEL, 0xffffff00 | i);
		assert_int_equal(ioapic_read(&io, IOAPIC_REGSEL), i);
		before = io;
		ioapic_write(&io, IOAPIC_WINDOW, 0xffffffff);
		assert_memory_equal(&io, &before, sizeof(io));
		if (i > IOAPIC_REG_ARB)
			assert_int_equal(ioapic_read(&io, IOAPIC_WINDOW), 0);
	}
	before = io;
	for (uint32_t o = 0; o < IOAPIC_SIZE; o++) {
		if (o == IOAPIC_REGSEL || o == IOAPIC_WINDOW || o == IOAPIC_EOIR)
			continue;
		assert_int_equal(ioapic_read(&io, o), 0);
		ioapic_write(&io, o, 0xffffffff);
	}
	assert_int_equal(ioapic_read(&io, IOAPIC_EOIR), 0);
	assert_memory_equal(&io, &before, sizeof(io));
}

/* "Delivery status is read-only", "Remote IRR — RO", bits 55:17 reserved. */
static void read_only_and_reserved_bits_ignore_writes(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	for (unsigned p = 0; p < IOAPIC_PINS; p++) {
		set_reg(&io, LOW(p), 0xffffffff);
		set_reg(&io, HIGH(p), 0xffffffff);
		assert_int_equal(reg(&io, LOW(p)), 0x1afff);
		assert_int_equal(reg(&io, HIGH(p)), 0xff000000);
	}
	set_reg(&io, LOW(1), 0x31 | LEVEL);
	ioapic_set_pin(&io, 1, true);
	expect(&io, 0x31, true);
	assert_int_equal(reg(&io, LOW(1)), 0x31 | LEVEL | REMOTE_IRR);
	set_reg(&io, LOW(1), 0x31 | LEVEL);
	assert_int_equal(reg(&io, LOW(1)), 0x31 | LEVEL | REMOTE_IRR);
}

static void an_edge_is_one_message_on_every_pin(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	for (unsigned p = 0; p < IOAPIC_PINS; p++) {
		set_reg(&io, LOW(p), 0x30 + p);
		ioapic_set_pin(&io, p, true);
		expect(&io, 0x30 + p, false);
		expect_none(&io);
		ioapic_set_pin(&io, p, true);
		expect_none(&io);
		ioapic_set_pin(&io, p, false);
		expect_none(&io);
		pulse(&io, p); /* gone before anybody looked: still one */
		expect(&io, 0x30 + p, false);
		expect_none(&io);
		assert_int_equal(reg(&io, LOW(p)), 0x30 + p);
	}
	ioapic_set_pin(&io, IOAPIC_PINS, true); /* no such pin */
	expect_none(&io);
}

/* "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored (i.e., not delivered or held pending)." */
static void a_masked_edge_is_lost(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(4), 0x34 | MASKED);
	ioapic_set_pin(&io, 4, true);
	set_reg(&io, LOW(4), 0x34);
	expect_none(&io);
	ioapic_set_pin(&io, 4, true);
	expect_none(&io); /* no new edge */
	pulse(&io, 4);
	expect_none(&io); /* it was high already */
	pulse(&io, 4);
	expect(&io, 0x34, false);
}

/* "this bit is set to 1 when local APIC(s) accept the level interrupt sent by the IOAPIC. The Remote IRR bit is set
 * to 0 when an EOI message with a matching interrupt vector is received from a local APIC." */
static void a_level_is_sent_again_after_its_eoi_while_high(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	ioapic_set_pin(&io, 9, true);
	expect(&io, 0x39, true);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(reg(&io, LOW(9)), 0x39 | LEVEL | REMOTE_IRR);
		expect_none(&io);
		ioapic_eoi(&io, 0x3a);
		expect_none(&io);
		ioapic_eoi(&io, 0x39);
		assert_int_equal(reg(&io, LOW(9)), 0x39 | LEVEL);
		expect(&io, 0x39, true);
	}
	ioapic_set_pin(&io, 9, false);
	ioapic_eoi(&io, 0x39);
	expect_none(&io);
	assert_int_equal(reg(&io, LOW(9)), 0x39 | LEVEL);
}

static void a_level_that_falls_before_it_is_sent_is_gone(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	pulse(&io, 9);
	expect_none(&io);
	/* and one that falls and rises while Remote IRR is set is one more message */
	ioapic_set_pin(&io, 9, true);
	expect(&io, 0x39, true);
	ioapic_set_pin(&io, 9, false);
	ioapic_set_pin(&io, 9, true);
	expect_none(&io);
	ioapic_eoi(&io, 0x39);
	expect(&io, 0x39, true);
	expect_none(&io);
}

static void a_masked_level_is_delivered_at_unmask(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39 | LEVEL | MASKED);
	ioapic_set_pin(&io, 9, true);
	expect_none(&io);
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	expect(&io, 0x39, true);
	/* masked while in service: the EOI finds the line high, and waits for the unmask */
	set_reg(&io, LOW(9), 0x39 | LEVEL | MASKED);
	ioapic_eoi(&io, 0x39);
	assert_int_equal(reg(&io, LOW(9)), 0x39 | LEVEL | MASKED);
	expect_none(&io);
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	expect(&io, 0x39, true);
	/* unmasked while Remote IRR is set: nothing until the EOI */
	set_reg(&io, LOW(9), 0x39 | LEVEL | MASKED);
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	expect_none(&io);
	ioapic_set_pin(&io, 9, false);
	ioapic_eoi(&io, 0x39);
	expect_none(&io);
}

static void the_eoi_register_is_an_eoi(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	ioapic_set_pin(&io, 9, true);
	expect(&io, 0x39, true);
	ioapic_write(&io, IOAPIC_EOIR, 0x38);
	expect_none(&io);
	ioapic_write(&io, IOAPIC_EOIR, 0xffffff39);
	expect(&io, 0x39, true);
}

/* Remote IRR's "meaning is undefined for edge triggered interrupts": it is cleared, as KVM and QEMU do; Linux uses the
 * switch to edge and back as an EOI. */
static void switching_to_edge_and_back_clears_remote_irr(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	ioapic_set_pin(&io, 9, true);
	expect(&io, 0x39, true);
	set_reg(&io, LOW(9), 0x39 | MASKED);
	assert_int_equal(reg(&io, LOW(9)), 0x39 | MASKED);
	set_reg(&io, LOW(9), 0x39 | LEVEL | MASKED);
	assert_int_equal(reg(&io, LOW(9)), 0x39 | LEVEL | MASKED);
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	expect(&io, 0x39, true);
	/* a high line is not an edge */
	set_reg(&io, LOW(9), 0x39);
	expect_none(&io);
	pulse(&io, 9);
	expect_none(&io);
	pulse(&io, 9);
	expect(&io, 0x39, false);
}

static void an_edge_does_not_outlive_a_switch_to_level(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39);
	pulse(&io, 9);
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	expect_none(&io); /* the line is low */
	set_reg(&io, LOW(9), 0x39);
	ioapic_set_pin(&io, 9, true);
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	expect(&io, 0x39, true); /* the line is high */
}

/* "an EOI message with a matching interrupt vector": the entry's vector now, not the one that was sent. */
static void eoi_of_the_old_vector_does_not_match_a_new_one(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39 | LEVEL);
	ioapic_set_pin(&io, 9, true);
	expect(&io, 0x39, true);
	set_reg(&io, LOW(9), 0x59 | LEVEL);
	ioapic_eoi(&io, 0x39);
	assert_int_equal(reg(&io, LOW(9)), 0x59 | LEVEL | REMOTE_IRR);
	expect_none(&io);
	ioapic_write(&io, IOAPIC_EOIR, 0x59);
	expect(&io, 0x59, true);
}

static void two_pins_on_one_vector_are_eoied_together(void **state)
{
	struct ioapic io = fresh();
	struct apic_msg m;

	(void)state;
	set_reg(&io, LOW(20), 0x60 | LEVEL);
	set_reg(&io, LOW(3), 0x60 | LEVEL);
	set_reg(&io, HIGH(20), 0x14000000);
	set_reg(&io, HIGH(3), 0x03000000);
	ioapic_set_pin(&io, 20, true);
	ioapic_set_pin(&io, 3, true);
	assert_true(ioapic_next_msg(&io, &m));
	assert_int_equal(m.dest, 3); /* the lowest pin first */
	assert_true(ioapic_next_msg(&io, &m));
	assert_int_equal(m.dest, 0x14);
	expect_none(&io);
	ioapic_set_pin(&io, 3, false);
	ioapic_eoi(&io, 0x60);
	assert_true(ioapic_next_msg(&io, &m));
	assert_int_equal(m.dest, 0x14);
	expect_none(&io);
}

static void an_edge_pin_on_a_level_vector_is_not_touched_by_eoi(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(3), 0x60);
	set_reg(&io, LOW(4), 0x60 | LEVEL);
	ioapic_set_pin(&io, 3, true);
	expect(&io, 0x60, false);
	ioapic_eoi(&io, 0x60);
	expect_none(&io);
}

/* "Delivery Mode": each in the message as it is; ExtINT and the reserved modes send nothing. */
static void delivery_modes_go_into_the_message(void **state)
{
	static const bool sends[8] = { [APIC_DM_FIXED] = true, [APIC_DM_LOWEST] = true, [APIC_DM_SMI] = true,
				       [APIC_DM_NMI] = true, [APIC_DM_INIT] = true };

	(void)state;
	for (uint32_t dm = 0; dm < 8; dm++)
		for (uint32_t level = 0; level < 2; level++) {
			struct ioapic io = fresh();
			struct apic_msg m;
			/* "treated as an edge triggered interrupt, even if it is programmed as a level" */
			bool is_level = level && dm <= APIC_DM_LOWEST;

			set_reg(&io, LOW(5), 0x35 | DM(dm) | (level ? LEVEL : 0));
			ioapic_set_pin(&io, 5, true);
			assert_int_equal(ioapic_next_msg(&io, &m), sends[dm]);
			if (!sends[dm])
				continue;
			assert_int_equal(m.delivery_mode, dm);
			assert_int_equal(m.vector, 0x35);
			assert_int_equal(m.level, is_level);
			assert_int_equal(!!(reg(&io, LOW(5)) & REMOTE_IRR), is_level);
			expect_none(&io);
		}
}

/* An edge on an ExtINT pin is the 8259's business: it must not come out when the mode changes later. */
static void an_extint_pin_remembers_nothing(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(0), 0x30 | DM(APIC_DM_EXTINT));
	pulse(&io, 0);
	set_reg(&io, LOW(0), 0x30);
	expect_none(&io);
	pulse(&io, 0);
	expect(&io, 0x30, false);
}

/* "Destination Field": with logical mode bits 63:56 "specify the logical destination address". */
static void destination_and_mode_go_into_the_message(void **state)
{
	struct ioapic io = fresh();
	struct apic_msg m;

	(void)state;
	for (uint32_t dest = 0; dest < 256; dest++)
		for (uint32_t logical = 0; logical < 2; logical++) {
			set_reg(&io, HIGH(7), dest << 24);
			set_reg(&io, LOW(7), 0x37 | (logical ? (uint32_t)RTE_LOGICAL : 0));
			pulse(&io, 7);
			assert_true(ioapic_next_msg(&io, &m));
			assert_int_equal(m.dest, dest);
			assert_int_equal(m.dest_logical, logical);
		}
}

/* The pin's argument is "asserted": polarity is stored and has no other effect. */
static void polarity_does_not_invert_the_pin(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	set_reg(&io, LOW(9), 0x39 | LEVEL | (uint32_t)RTE_POLARITY_LOW);
	expect_none(&io);
	ioapic_set_pin(&io, 9, true);
	expect(&io, 0x39, true);
}

static void eoi_vectors_are_those_of_all_level_entries(void **state)
{
	struct ioapic io = fresh();
	uint64_t bitmap[4];

	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		set_reg(&io, LOW(1), v | LEVEL | MASKED);
		set_reg(&io, LOW(2), (v ^ 0xff) | DM(APIC_DM_LOWEST) | LEVEL);
		set_reg(&io, LOW(3), v ^ 0x55);                             /* edge */
		set_reg(&io, LOW(4), (v ^ 0xaa) | LEVEL | DM(APIC_DM_NMI)); /* edge, whatever it says */
		ioapic_eoi_vectors(&io, bitmap);
		for (unsigned i = 0; i < 256; i++)
			assert_int_equal(bitmap[i / 64] >> (i % 64) & 1, i == v || i == (v ^ 0xff));
	}
}

static void routes_change_only_when_the_eoi_vectors_may(void **state)
{
	struct ioapic io = fresh();

	(void)state;
	io.routes_changed = false;
	set_reg(&io, LOW(1), 0x31);
	set_reg(&io, HIGH(1), 0x05000000);
	set_reg(&io, IOAPIC_REG_ID, 0x05000000);
	pulse(&io, 1);
	assert_false(io.routes_changed);
	set_reg(&io, LOW(1), 0x31 | LEVEL);
	assert_true(io.routes_changed);
	io.routes_changed = false;
	set_reg(&io, LOW(1), 0x31 | LEVEL | MASKED);
	assert_false(io.routes_changed);
	set_reg(&io, LOW(1), 0x32 | LEVEL | MASKED);
	assert_true(io.routes_changed);
	io.routes_changed = false;
	set_reg(&io, LOW(1), 0x32 | LEVEL | DM(APIC_DM_NMI));
	assert_true(io.routes_changed);
	io.routes_changed = false;
	set_reg(&io, LOW(1), 0x32);
	assert_false(io.routes_changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_masks_every_pin),
		cmocka_unit_test(id_has_four_bits_and_loads_the_arbitration_id),
		cmocka_unit_test(unknown_registers_read_zero_and_drop_writes),
		cmocka_unit_test(read_only_and_reserved_bits_ignore_writes),
		cmocka_unit_test(an_edge_is_one_message_on_every_pin),
		cmocka_unit_test(a_masked_edge_is_lost),
		cmocka_unit_test(a_level_is_sent_again_after_its_eoi_while_high),
		cmocka_unit_test(a_level_that_falls_before_it_is_sent_is_gone),
		cmocka_unit_test(a_masked_level_is_delivered_at_unmask),
		cmocka_unit_test(the_eoi_register_is_an_eoi),
		cmocka_unit_test(switching_to_edge_and_back_clears_remote_irr),
		cmocka_unit_test(an_edge_does_not_outlive_a_switch_to_level),
		cmocka_unit_test(eoi_of_the_old_vector_does_not_match_a_new_one),
		cmocka_unit_test(two_pins_on_one_vector_are_eoied_together),
		cmocka_unit_test(an_edge_pin_on_a_level_vector_is_not_touched_by_eoi),
		cmocka_unit_test(delivery_modes_go_into_the_message),
		cmocka_unit_test(an_extint_pin_remembers_nothing),
		cmocka_unit_test(destination_and_mode_go_into_the_message),
		cmocka_unit_test(polarity_does_not_invert_the_pin),
		cmocka_unit_test(eoi_vectors_are_those_of_all_level_entries),
		cmocka_unit_test(routes_change_only_when_the_eoi_vectors_may),
	};

	return cmocka_run_group_tests_name("ioapic", tests, NULL, NULL);
}
