/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the 8259 pair: nesting, end of interrupt, rotation, automatic EOI, special modes, polling.
 * Knows nothing of how a vector reaches the CPU: that is the subject of windows.c and rule.c. No scenario here differs
 * by rule or by irqchip mode. */
#include "pic_regs.h"

/* ---- fully nested mode ---- */

/* Four inputs request at once.
 * 8259A data sheet, "Fully Nested Mode": "The interrupt requests are ordered in priority from 0 through 7 (0 highest)."
 * Must: they are delivered in that order, whatever the order they were raised in. */
SCENARIO(pic_nested_order, .name = "pic.priority-order")
{
	pic_listen(BIT(1) | BIT(3) | BIT(5) | BIT(6), pic_finish);
	lab_up(6);
	lab_up(3);
	lab_up(5);
	lab_up(1);
	pic_take();
	EXPECT_ORDER(1, 3, 5, 6);
}

/* IR5 is in service; a lower, the same and a higher input request.
 * 8259A data sheet, "Fully Nested Mode": "While the IS bit is set, all further interrupts of the same or lower priority
 * are inhibited, while higher levels will generate an interrupt". Must: IR3 alone gets in; IR5 and IR6 after the EOIs. */
SCENARIO(pic_nested_inhibit, .name = "pic.in-service-inhibits-same-and-lower")
{
	pic_listen(BIT(3) | BIT(5) | BIT(6), pic_stay);
	pic_raise_and_take(5);
	lab_pulse(5);
	pic_raise_and_take(6);
	EXPECT_ORDER(5);
	pic_raise_and_take(3);
	EXPECT_ORDER(5, 3);
	EXPECT_EQ(pic_isr(false), BIT(3) | BIT(5));
	pic_eoi(3);
	pic_take();
	EXPECT_ORDER(5, 3);
	pic_eoi(5);
	pic_take();
	EXPECT_ORDER(5, 3, 5);
	pic_eoi(5);
	pic_take();
	EXPECT_ORDER(5, 3, 5, 6);
}

static volatile uint8_t isr_inside, depth;

static void nest(struct frame *f)
{
	unsigned irq = (unsigned)f->vector - PIC_VECTOR(0);

	if (depth++ == 0) {
		lab_up(1);
		pic_take();
	} else {
		isr_inside = pic_isr(false);
	}
	pic_eoi(irq);
	depth--;
}

/* The handler of IR5 opens IF and raises IR1: a handler inside a handler.
 * 8259A data sheet, "Fully Nested Mode": a higher level is "acknowledged only if the microprocessor internal Interrupt
 * enable flip-flop has been re-enabled through software". Must: both bits in service inside, none at the end. */
SCENARIO(pic_nested_handlers, .name = "pic.handler-inside-handler")
{
	depth = 0;
	isr_inside = 0;
	pic_listen(BIT(1) | BIT(5), nest);
	pic_raise_and_take(5);
	EXPECT_ORDER(5, 1);
	EXPECT_EQ(isr_inside, BIT(1) | BIT(5));
	EXPECT_EQ(pic_isr(false), 0);
}

/* ---- end of interrupt ---- */

/* IR5, then IR3 are in service.
 * 8259A data sheet, "End of Interrupt": "When a Non-Specific EOI command is issued the 8259A will automatically reset the
 * highest IS bit of those that are set". Must: IS3, then IS5; an EOI too many changes nothing. */
SCENARIO(pic_eoi_nonspecific, .name = "pic.nonspecific-eoi-resets-highest")
{
	pic_listen(BIT(3) | BIT(5), pic_stay);
	pic_raise_and_take(5);
	pic_raise_and_take(3);
	EXPECT_EQ(pic_isr(false), BIT(3) | BIT(5));
	pic_command(false, OCW2_EOI);
	EXPECT_EQ(pic_isr(false), BIT(5));
	pic_command(false, OCW2_EOI);
	EXPECT_EQ(pic_isr(false), 0);
	pic_command(false, OCW2_EOI);
	EXPECT_EQ(pic_isr(false), 0);
}

/* The same, ended out of order.
 * 8259A data sheet, "End of Interrupt": "A specific EOI can be issued with OCW2 (EOI = 1, SL = 1, R = 0, and L0-L2 is the
 * binary level of the IS bit to be reset)." Must: that bit alone is reset, an idle level's EOI changes nothing. */
SCENARIO(pic_eoi_specific, .name = "pic.specific-eoi-resets-its-level")
{
	pic_listen(BIT(3) | BIT(5), pic_stay);
	pic_raise_and_take(5);
	pic_raise_and_take(3);
	pic_specific_eoi(false, 6);
	EXPECT_EQ(pic_isr(false), BIT(3) | BIT(5));
	pic_specific_eoi(false, 5);
	EXPECT_EQ(pic_isr(false), BIT(3));
	pic_specific_eoi(false, 3);
	EXPECT_EQ(pic_isr(false), 0);
}

/* OCW2 with R = SL = EOI = 0 and with SL alone, while an input is in service.
 * 8259A data sheet, "Operation Command Word 2": the latter is "no operation", the former "rotate in automatic EOI mode
 * (clear)". Must: ISR and priorities stay. */
SCENARIO(pic_ocw2_no_operation, .name = "pic.ocw2-no-operation")
{
	pic_listen(BIT(3) | BIT(5) | BIT(6), pic_stay);
	pic_raise_and_take(3);
	pic_command(false, OCW2_SL | 5);
	pic_command(false, 0);
	EXPECT_EQ(pic_isr(false), BIT(3));
	lab_up(6);
	lab_up(5);
	pic_take();
	EXPECT_ORDER(3);
	pic_eoi(3);
	pic_take();
	EXPECT_ORDER(3, 5);
}

/* ---- rotation ---- */

/* IR3 is serviced and ended with rotation; then IR1, IR3 and IR5 request at once.
 * 8259A data sheet, "Automatic Rotation": "a device, after being serviced, receives the lowest priority"; one way is "the
 * Rotation on Non-Specific EOI Command (R = 1, SL = 0, EOI = 1)". Must: 5, 1, 3. */
SCENARIO(pic_rotate_nonspecific, .name = "pic.rotate-on-nonspecific-eoi")
{
	pic_listen(BIT(1) | BIT(3) | BIT(5), pic_stay);
	pic_raise_and_take(3);
	pic_command(false, OCW2_R | OCW2_EOI);
	EXPECT_EQ(pic_isr(false), 0);
	arrivals_clear();
	pic_listen(BIT(1) | BIT(3) | BIT(5), pic_finish);
	lab_pulse(3);
	lab_up(1);
	lab_up(5);
	pic_take();
	EXPECT_ORDER(5, 1, 3);
}

/* IR3 and IR5 are in service; IR5 is ended with a specific rotation.
 * 8259A data sheet, "Specific Rotation": "Priority changes can be executed during an EOI command by using the Rotate on
 * Specific EOI command in OCW2 (R = 1, SL = 1, EOI = 1 and L0-L2 = IR level to receive bottom priority)."
 * Must: IS5 alone is reset; the order is 6, 7, 0, 1, 2, 3, 4, 5: IR1 and IR6 get in over IS3, IR5 waits for its EOI. */
SCENARIO(pic_rotate_specific, .name = "pic.rotate-on-specific-eoi")
{
	pic_listen(BIT(1) | BIT(3) | BIT(5) | BIT(6), pic_stay);
	pic_raise_and_take(5);
	pic_raise_and_take(3);
	pic_command(false, OCW2_R | OCW2_SL | OCW2_EOI | 5);
	EXPECT_EQ(pic_isr(false), BIT(3));
	lab_pulse(5); /* the lowest now: waits for IS3 */
	pic_raise_and_take(1);
	EXPECT_ORDER(5, 3, 1);
	pic_raise_and_take(6);
	EXPECT_ORDER(5, 3, 1, 6);
	pic_eoi(6);
	pic_eoi(1);
	pic_take();
	EXPECT_ORDER(5, 3, 1, 6);
	pic_eoi(3);
	pic_take();
	EXPECT_ORDER(5, 3, 1, 6, 5);
}

/* The bottom priority is programmed while IR1 is in service.
 * 8259A data sheet, "Specific Rotation": "if IR5 is programmed as the bottom priority device, then IR6 will have the
 * highest one"; "it is independent of the End of Interrupt (EOI) command".
 * Must: ISR stays; after its EOI the order is 6, 1, 3, 5. */
SCENARIO(pic_set_priority, .name = "pic.set-priority")
{
	pic_listen(BIT(1) | BIT(3) | BIT(5) | BIT(6), pic_stay);
	pic_raise_and_take(1);
	pic_command(false, OCW2_R | OCW2_SL | 5);
	EXPECT_EQ(pic_isr(false), BIT(1));
	pic_eoi(1);
	arrivals_clear();
	pic_listen(BIT(1) | BIT(3) | BIT(5) | BIT(6), pic_finish);
	lab_pulse(1);
	lab_up(3);
	lab_up(5);
	lab_up(6);
	pic_take();
	EXPECT_ORDER(6, 1, 3, 5);
}

/* Non-specific EOI in a rotated order.
 * 8259A data sheet, "End of Interrupt": "the highest IS bit of those that are set": highest by the present priorities.
 * IS6 and IS3 are set when IR5 becomes the bottom: of the two, IS6 is now the highest. */
SCENARIO(pic_eoi_rotated, .name = "pic.nonspecific-eoi-follows-rotation")
{
	pic_listen(BIT(3) | BIT(6), pic_stay);
	pic_raise_and_take(6);
	pic_raise_and_take(3);
	pic_command(false, OCW2_R | OCW2_SL | 5);
	pic_command(false, OCW2_EOI);
	EXPECT_EQ(pic_isr(false), BIT(3));
}

/* ---- automatic EOI ---- */

/* The master is in automatic EOI mode; the line makes a second edge with no EOI in between.
 * 8259A data sheet, "Automatic End of Interrupt (AEOI) Mode": "the 8259A will automatically perform a non-specific EOI
 * operation at the trailing edge of the last interrupt acknowledge pulse". Must: ISR stays empty, both edges arrive. */
SCENARIO(pic_aeoi, .name = "pic.aeoi")
{
	pic_init(ICW4_8086 | ICW4_AEOI, ICW4_8086);
	pic_listen(BIT(3), pic_stay);
	pic_raise_and_take(3);
	EXPECT_ORDER(3);
	EXPECT_EQ(pic_isr(false), 0);
	lab_pulse(3);
	pic_take();
	EXPECT_ORDER(3, 3);
}

/* In automatic EOI mode a slave input leaves nothing in service at the master, but its own bit at the slave.
 * 8259A data sheet, "Automatic End of Interrupt (AEOI) Mode": it concerns the chip whose ICW4 asked for it. */
SCENARIO(pic_aeoi_master_only, .name = "pic.aeoi-of-master-leaves-slave")
{
	pic_init(ICW4_8086 | ICW4_AEOI, ICW4_8086);
	pic_listen(BIT(11), pic_stay);
	pic_raise_and_take(11);
	EXPECT_EQ(pic_isr(false), 0);
	EXPECT_EQ(pic_isr(true), BIT(11 - PIC_INPUTS));
}

/* Rotation in automatic EOI mode, set and cleared.
 * 8259A data sheet, "Automatic Rotation": "the Rotate in Automatic EOI Mode which is set by (R = 1, SL = 0, EOI = 0) and
 * cleared by (R = 0, SL = 0, EOI = 0)". IR1 is serviced and becomes the lowest: 3 comes before 1; then 3 is the lowest
 * but one, 1 the lowest: with rotation cleared that order is left as it is. */
SCENARIO(pic_rotate_aeoi, .name = "pic.rotate-in-aeoi")
{
	pic_init(ICW4_8086 | ICW4_AEOI, ICW4_8086);
	pic_command(false, OCW2_R);
	pic_listen(BIT(1) | BIT(3), pic_stay);
	pic_raise_and_take(1);
	lab_pulse(1);
	lab_up(3);
	pic_take();
	EXPECT_ORDER(1, 3, 1);
	pic_command(false, 0);
	lab_pulse(3);
	pic_take();
	lab_pulse(1);
	lab_pulse(3);
	pic_take();
	EXPECT_ORDER(1, 3, 1, 3, 3, 1);
}

/* ---- special modes ---- */

/* IR3 is in service. IR5 requests: without the mode, with it but IR3 unmasked, and with IR3 masked.
 * 8259A data sheet, "Special Mask Mode": "when a mask bit is set in OCW1, it inhibits further interrupts at that level and
 * enables interrupts from all other levels (lower as well as higher) that are not masked."
 * Must: IR5 gets in in the last case alone. (KVM's in-kernel model ignores the mode.) */
SCENARIO(pic_special_mask, .name = "pic.special-mask")
{
	pic_listen(BIT(3) | BIT(5), pic_stay);
	pic_raise_and_take(3);
	pic_mask(3);
	pic_raise_and_take(5);
	EXPECT_ORDER(3);
	pic_unmask(3);
	pic_command(false, OCW3 | OCW3_ESMM | OCW3_SMM);
	pic_take();
	EXPECT_ORDER(3);
	pic_mask(3);
	pic_take();
	EXPECT_ORDER(3, 5);
	EXPECT_EQ(pic_isr(false), BIT(3) | BIT(5));
}

/* The mode is set, then words without ESMM and with ESMM are written.
 * 8259A data sheet, "Special Mask Mode": it is "set by OCW3 where: SSMM = 1, SMM = 1, and cleared where SSMM = 1,
 * SMM = 0." Must: SMM alone means nothing. */
SCENARIO(pic_special_mask_esmm, .name = "pic.special-mask-needs-esmm")
{
	pic_listen(BIT(3) | BIT(5), pic_stay);
	pic_raise_and_take(3);
	pic_mask(3);
	pic_command(false, OCW3 | OCW3_SMM);
	pic_raise_and_take(5);
	EXPECT_ORDER(3);
	pic_command(false, OCW3 | OCW3_ESMM | OCW3_SMM);
	pic_command(false, OCW3 | OCW3_ESMM);
	pic_take();
	EXPECT_ORDER(3);
	pic_command(false, OCW3 | OCW3_ESMM | OCW3_SMM);
	pic_command(false, OCW3);
	pic_take();
	EXPECT_ORDER(3, 5);
}

/* IR3 (masked) and IR5 are in service in special mask mode.
 * 8259A data sheet, "End of Interrupt": "an IS bit that is masked by an IMR bit will not be cleared by a non-specific EOI
 * if the 8259A is in the Special Mask Mode." Must: the EOI resets IS5; IS3 takes a specific one. */
SCENARIO(pic_special_mask_eoi, .name = "pic.special-mask-spares-masked-eoi")
{
	pic_listen(BIT(3) | BIT(5), pic_stay);
	pic_raise_and_take(3);
	pic_command(false, OCW3 | OCW3_ESMM | OCW3_SMM);
	pic_mask(3);
	pic_raise_and_take(5);
	pic_command(false, OCW2_EOI);
	EXPECT_EQ(pic_isr(false), BIT(3));
	pic_command(false, OCW2_EOI);
	EXPECT_EQ(pic_isr(false), BIT(3));
	pic_specific_eoi(false, 3);
	EXPECT_EQ(pic_isr(false), 0);
}

/* A slave input is in service; a higher one of the same slave requests. The master is in the normal nested mode.
 * 8259A data sheet, "Special Fully Nested Mode": "In the normal nested mode a slave is masked out when its request is in
 * service and no higher requests from the same slave can be serviced." Must: it waits for the master's EOI. */
SCENARIO(pic_normal_nested_slave, .name = "pic.nested-mode-locks-slave-out")
{
	pic_listen(BIT(9) | BIT(12), pic_stay);
	pic_raise_and_take(12);
	pic_raise_and_take(9);
	EXPECT_ORDER(12);
	pic_command(false, OCW2_EOI);
	pic_take();
	EXPECT_ORDER(12, 9);
	EXPECT_EQ(pic_isr(true), BIT(9 - PIC_INPUTS) | BIT(12 - PIC_INPUTS));
}

/* The same with the master in special fully nested mode, ended as the manual says.
 * 8259A data sheet, "Special Fully Nested Mode": "further interrupt requests from higher priority IR's within the slave
 * will be recognized by the master and will initiate interrupts to the processor"; at the end software sends "a
 * non-specific End of Interrupt (EOI) command to the slave and then reading its In-Service register and checking for
 * zero. If it is empty, a non-specific EOI can be sent to the master too. If not, no EOI should be sent."
 * Must: 9 gets in at once; a lower one of the slave does not. */
SCENARIO(pic_special_fully_nested, .name = "pic.special-fully-nested")
{
	pic_init(ICW4_8086 | ICW4_SFNM, ICW4_8086);
	pic_listen(BIT(9) | BIT(12) | BIT(14), pic_stay);
	pic_raise_and_take(12);
	pic_raise_and_take(14);
	EXPECT_ORDER(12);
	pic_raise_and_take(9);
	EXPECT_ORDER(12, 9);
	EXPECT_EQ(pic_isr(false), BIT(PIC_CASCADE));
	pic_command(true, OCW2_EOI);
	EXPECT_EQ(pic_isr(true), BIT(12 - PIC_INPUTS));
	pic_command(true, OCW2_EOI);
	EXPECT_EQ(pic_isr(true), 0);
	pic_command(false, OCW2_EOI);
	pic_take();
	EXPECT_ORDER(12, 9, 14);
}

/* ---- polling ---- */

/* IR3 requests while IF=0 and is served by a poll.
 * 8259A data sheet, "Poll Command": "The 8259A treats the next RD pulse to the 8259A ... as an interrupt acknowledge, sets
 * the appropriate IS bit if there is a request, and reads the priority level." The word is I, W2-W0: "Binary code of the
 * highest priority level requesting service", I "equal to "1" if there is an interrupt".
 * Must: bit 7 and level 3, IS3 set, IRR3 reset, INT gone: no interrupt arrives when IF opens; then bit 7 is 0. */
SCENARIO(pic_poll_acknowledges, .name = "pic.poll-acknowledges")
{
	pic_listen(BIT(3), pic_stay);
	lab_up(3);
	EXPECT_EQ(pic_poll(false), POLL_LEVEL(3));
	EXPECT_EQ(pic_isr(false), BIT(3));
	EXPECT_EQ(pic_irr(false) & BIT(3), 0);
	pic_take();
	EXPECT_EQ(arrivals.count, 0);
	EXPECT_EQ(pic_poll(false) & POLL_INTERRUPT, 0);
	EXPECT_EQ(pic_isr(false), BIT(3));
	pic_eoi(3);
	EXPECT_EQ(pic_poll(false) & POLL_INTERRUPT, 0);
	EXPECT_EQ(pic_isr(false), 0);
}

/* Polls see what INT sees: masks and levels in service count.
 * 8259A data sheet, "Poll Command": it is an interrupt acknowledge. Must: a masked line does not show; 3 before 5; 5 not
 * while 3 is in service. */
SCENARIO(pic_poll_priority, .name = "pic.poll-honours-mask-and-priority")
{
	pic_unmask(3);
	pic_unmask(5);
	lab_up(1);
	EXPECT_EQ(pic_poll(false) & POLL_INTERRUPT, 0);
	lab_up(5);
	lab_up(3);
	EXPECT_EQ(pic_poll(false), POLL_LEVEL(3));
	EXPECT_EQ(pic_poll(false) & POLL_INTERRUPT, 0);
	pic_eoi(3);
	EXPECT_EQ(pic_poll(false), POLL_LEVEL(5));
}

/* A slave input is found by polling both chips.
 * 8259A data sheet, "Poll Command": a master's poll names the slave's input, the slave's own poll the device. */
SCENARIO(pic_poll_cascade, .name = "pic.poll-cascade")
{
	pic_unmask(11);
	lab_up(11);
	EXPECT_EQ(pic_poll(false), POLL_LEVEL(PIC_CASCADE));
	EXPECT_EQ(pic_poll(true), POLL_LEVEL(11 - PIC_INPUTS));
	EXPECT_EQ(pic_isr(false), BIT(PIC_CASCADE));
	EXPECT_EQ(pic_isr(true), BIT(11 - PIC_INPUTS));
	pic_take();
	EXPECT_EQ(arrivals.count, 0);
}

/* A word asks for a poll and for ISR.
 * 8259A data sheet, "Reading the 8259A Status": "Polling overrides status read when P = 1, RR = 1 in OCW3."
 * Must: the next read is the poll, the one after it a status. */
SCENARIO(pic_poll_overrides, .name = "pic.poll-overrides-status-read")
{
	pic_unmask(3);
	lab_up(3);
	pic_command(false, OCW3 | OCW3_P | OCW3_RR | OCW3_RIS);
	EXPECT_EQ(pic_status(false), POLL_LEVEL(3));
	EXPECT_EQ(pic_isr(false), BIT(3));
}
