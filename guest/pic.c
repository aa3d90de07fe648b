/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the 8259 pair: initialization, registers, edge and level, spurious requests, the cascade.
 * Knows nothing of how a vector reaches the CPU: that is the subject of windows.c and rule.c. No scenario here differs
 * by rule or by irqchip mode. */
#include "pic_regs.h"

enum { OTHER_BASE = 0x30, OTHER_BASE_SLAVE = 0x38, OTHER_BASE_NOISE = 0x05, RST_BASE = 0x20 };
enum { IMR_PATTERN = 0xa5, IMR_PATTERN_SLAVE = 0x5a };
enum { REPEATS = 3 };

/* ICW1..ICW4 by hand; the mask registers are left as the sequence leaves them. */
static void initialize(uint8_t base, uint8_t base_slave)
{
	pic_command(false, ICW1 | ICW1_IC4);
	pic_data(false, base);
	pic_data(false, ICW3_MASTER);
	pic_data(false, ICW4_8086);
	pic_command(true, ICW1 | ICW1_IC4);
	pic_data(true, base_slave);
	pic_data(true, ICW3_SLAVE);
	pic_data(true, ICW4_8086);
}

/* ---- initialization ---- */

/* Both chips get other vector bases; one input of each is raised.
 * 8259A data sheet, "Initialization Command Word 2": in an 8086 system T7-T3 "are inserted in the five most significant
 * bits of the vectoring byte and the 8259A sets the three least significant bits according to the interrupt level".
 * Must: vectors base + level. */
SCENARIO(pic_icw2_vector_base, .name = "pic.icw2-vector-base")
{
	initialize(OTHER_BASE, OTHER_BASE_SLAVE);
	pic_data(false, (uint8_t)~(BIT(3) | BIT(PIC_CASCADE)));
	pic_data(true, (uint8_t)~BIT(3));
	on_vector(OTHER_BASE + 3, pic_stay);
	on_vector(OTHER_BASE_SLAVE + 3, pic_stay);
	pic_raise_and_take(3);
	EXPECT_EQ(arrivals_of(OTHER_BASE + 3), 1);
	pic_command(false, OCW2_EOI);
	pic_raise_and_take(PIC_INPUTS + 3);
	EXPECT_EQ(arrivals_of(OTHER_BASE_SLAVE + 3), 1);
}

/* The same with bits set in the base where the level belongs.
 * 8259A data sheet, as above: "the 8259A sets the three least significant bits". Must: they are ignored in ICW2. */
SCENARIO(pic_icw2_low_bits, .name = "pic.icw2-low-bits-ignored")
{
	initialize(OTHER_BASE | OTHER_BASE_NOISE, OTHER_BASE_SLAVE);
	pic_data(false, (uint8_t)~BIT(3));
	on_vector(OTHER_BASE + 3, pic_stay);
	pic_raise_and_take(3);
	EXPECT_EQ(arrivals_of(OTHER_BASE + 3), 1);
}

/* Everything is masked, then ICW1 starts a sequence.
 * 8259A data sheet, "Initialization Command Word 1": "The Interrupt Mask Register is cleared."
 * Must: both mask registers read 0 after the sequence. */
SCENARIO(pic_icw1_clears_imr, .name = "pic.icw1-clears-imr")
{
	pic_data(false, PIC_ALL_MASKED);
	pic_data(true, PIC_ALL_MASKED);
	initialize(PIC_VECTOR(0), PIC_VECTOR(PIC_INPUTS));
	uint8_t master = pic_imr(false), slave = pic_imr(true);

	pic_init(ICW4_8086, ICW4_8086);
	EXPECT_EQ(master, 0);
	EXPECT_EQ(slave, 0);
}

/* A line rises and is latched, the chips are initialized, the line is still high.
 * 8259A data sheet, "Initialization Command Word 1": "The edge sense circuit is reset, which means that following
 * initialization, an interrupt request (IR) input must make a low-to-high transition to generate an interrupt."
 * Must: no request until the line has fallen and risen again. */
SCENARIO(pic_icw1_resets_edge, .name = "pic.icw1-resets-edge-sense")
{
	lab_up(3);
	EXPECT(pic_irr(false) & BIT(3));
	pic_init(ICW4_8086, ICW4_8086);
	EXPECT(!(pic_irr(false) & BIT(3)));
	pic_listen(BIT(3), pic_finish);
	pic_take();
	EXPECT_EQ(arrivals.count, 0);
	lab_pulse(3);
	pic_take();
	EXPECT_ORDER(3);
}

/* An input is in service, with rotated priorities, when the chips are initialized.
 * 8259A data sheet, "Initialization Command Word 1": "IR7 input is assigned priority 7"; "Interrupt Service Register":
 * a level stays in service only until its EOI, and initialization starts the chip afresh.
 * Must: ISR is empty and IR0..IR7 is the order again. */
SCENARIO(pic_icw1_resets_state, .name = "pic.icw1-resets-isr-and-priority")
{
	pic_listen(BIT(5), pic_stay);
	pic_raise_and_take(5);
	pic_command(false, OCW2_R | OCW2_SL | 3); /* IR3 lowest */
	EXPECT_EQ(pic_isr(false), BIT(5));
	lab_down(5);
	pic_init(ICW4_8086, ICW4_8086);
	EXPECT_EQ(pic_isr(false), 0);
	arrivals_clear();
	pic_listen(BIT(3) | BIT(6), pic_finish);
	lab_up(3);
	lab_up(6);
	pic_take();
	EXPECT_ORDER(3, 6);
}

/* A stand-alone sequence is written to the master.
 * 8259A data sheet, "Initialization Command Word 1": "SNGL: Single. Means that this is the only 8259A in the system. If
 * SNGL = 1 no ICW3 will be issued." Must: the third byte is ICW4, the next one OCW1. */
SCENARIO(pic_icw1_single, .name = "pic.icw1-single-has-no-icw3",
	 .xfails = { { RULE_ANY, MODE_ANY, VID_ANY, "bare-bochs*", "died", "Bochs panics at ICW1 with SNGL = 1" } })
{
	pic_command(false, ICW1 | ICW1_IC4 | ICW1_SNGL);
	pic_data(false, RST_BASE);
	pic_data(false, ICW4_8086);
	pic_data(false, IMR_PATTERN);
	uint8_t imr = pic_imr(false);

	pic_init(ICW4_8086, ICW4_8086);
	EXPECT_EQ(imr, IMR_PATTERN);
}

/* A sequence without ICW4.
 * 8259A data sheet, "Initialization Command Word 1": "IC4: If this bit is set ICW4 has to be read. If ICW4 is not needed,
 * set IC4 = 0." Must: the byte after ICW3 is OCW1. */
SCENARIO(pic_icw1_no_icw4, .name = "pic.icw1-without-icw4")
{
	pic_command(false, ICW1);
	pic_data(false, RST_BASE);
	pic_data(false, ICW3_MASTER);
	pic_data(false, IMR_PATTERN);
	uint8_t imr = pic_imr(false);

	pic_init(ICW4_8086, ICW4_8086);
	EXPECT_EQ(imr, IMR_PATTERN);
}

/* ---- registers ---- */

/* Masks are written to both chips and read.
 * 8259A data sheet, "Reading the 8259A Status": "For reading the IMR, no OCW3 is needed. The output data bus will contain
 * the IMR whenever RD is active and A0 = 1 (OCW1)." Must: each reads what was written to it. */
SCENARIO(pic_imr_reads_back, .name = "pic.imr-reads-back")
{
	pic_data(false, IMR_PATTERN);
	pic_data(true, IMR_PATTERN_SLAVE);
	uint8_t master = pic_imr(false), slave = pic_imr(true);

	pic_data(false, PIC_ALL_MASKED);
	pic_data(true, PIC_ALL_MASKED);
	EXPECT_EQ(master, IMR_PATTERN);
	EXPECT_EQ(slave, IMR_PATTERN_SLAVE);
}

/* One input is requested, another in service; the status port is read repeatedly, then after initialization.
 * 8259A data sheet, "Reading the 8259A Status": "There is no need to write an OCW3 before every status read operation, as
 * long as the status read corresponds with the previous one; i.e., the 8259A "remembers" whether the IRR or ISR has been
 * previously selected by the OCW3." "After initialization the 8259A is set to IRR." */
SCENARIO(pic_status_select, .name = "pic.status-selection-persists")
{
	pic_listen(BIT(3), pic_stay);
	pic_raise_and_take(3);
	lab_up(5);
	pic_command(false, OCW3 | OCW3_RR | OCW3_RIS);
	EXPECT_EQ(pic_status(false), BIT(3));
	EXPECT_EQ(pic_status(false), BIT(3));
	pic_command(false, OCW3 | OCW3_RR);
	EXPECT_EQ(pic_status(false) & (BIT(3) | BIT(5)), BIT(5));
	EXPECT_EQ(pic_status(false) & (BIT(3) | BIT(5)), BIT(5));
	pic_command(false, OCW3 | OCW3_RR | OCW3_RIS);
	pic_init(ICW4_8086, ICW4_8086);
	lab_pulse(5);
	EXPECT(pic_status(false) & BIT(5));
}

/* An OCW3 without RR is written between status reads.
 * 8259A data sheet, "Operation Control Word 3": RR = 0 is "no action". Must: the selection stays. */
SCENARIO(pic_status_no_action, .name = "pic.ocw3-without-rr-keeps-selection")
{
	pic_listen(BIT(3), pic_stay);
	pic_raise_and_take(3);
	pic_command(false, OCW3 | OCW3_RR | OCW3_RIS);
	pic_command(false, OCW3);
	EXPECT_EQ(pic_status(false), BIT(3));
}

/* The registers are looked at before, in and after the handler.
 * 8259A data sheet, "Reading the 8259A Status": "The highest request level is reset from the IRR when an interrupt is
 * acknowledged." "Fully Nested Mode": "a bit of the Interrupt Service register (IS0-7) is set. This bit remains set until
 * the microprocessor issues an End of Interrupt (EOI) command". */
SCENARIO(pic_irr_to_isr, .name = "pic.acknowledge-moves-irr-to-isr")
{
	pic_listen(BIT(3), pic_stay);
	lab_up(3);
	EXPECT_EQ(pic_irr(false) & BIT(3), BIT(3));
	EXPECT_EQ(pic_isr(false), 0);
	pic_take();
	EXPECT_ORDER(3);
	EXPECT_EQ(pic_irr(false) & BIT(3), 0);
	EXPECT_EQ(pic_isr(false), BIT(3));
	pic_eoi(3);
	EXPECT_EQ(pic_isr(false), 0);
}

/* A masked line rises; later it is unmasked, still high.
 * 8259A data sheet, "Interrupt Mask Register": "The IMR operates on the IRR." "Reading the 8259A Status": IRR is "not
 * affected by IMR". Must: the edge is latched, is not delivered while masked, and is delivered once when unmasked. */
SCENARIO(pic_masked_edge, .name = "pic.mask-operates-on-irr")
{
	on_vector(PIC_VECTOR(3), pic_finish);
	lab_up(3);
	EXPECT(pic_irr(false) & BIT(3));
	pic_take();
	EXPECT_EQ(arrivals.count, 0);
	pic_unmask(3);
	pic_take();
	EXPECT_ORDER(3);
}

/* A higher input is masked while a lower one requests.
 * 8259A data sheet, "Interrupt Mask Register": "Masking of a higher priority input will not affect the interrupt request
 * lines of lower quality." Must: the lower one alone is delivered; the higher one when it is unmasked. */
SCENARIO(pic_mask_higher, .name = "pic.mask-of-higher-spares-lower")
{
	on_vector(PIC_VECTOR(3), pic_finish);
	pic_listen(BIT(5), pic_finish);
	lab_up(3);
	lab_up(5);
	pic_take();
	EXPECT_ORDER(5);
	pic_unmask(3);
	pic_take();
	EXPECT_ORDER(5, 3);
}

/* ---- edge and level ---- */

/* An edge-triggered line rises and stays high across several EOIs, then falls and rises.
 * 8259A data sheet, "Edge and Level Triggered Modes": "an interrupt request will be recognized by a low to high
 * transition on an IR input. The IR input can remain high without generating another interrupt." */
SCENARIO(pic_edge_once, .name = "pic.edge-fires-once-per-rise")
{
	pic_listen(BIT(3), pic_finish);
	pic_raise_and_take(3);
	lab_up(3); /* already high */
	pic_take();
	EXPECT_ORDER(3);
	lab_down(3);
	pic_take();
	EXPECT_ORDER(3);
	pic_raise_and_take(3);
	EXPECT_ORDER(3, 3);
}

/* A line rises and falls while IF=0.
 * 8259A data sheet, "Edge and Level Triggered Modes": "In both the edge and level triggered modes the IR inputs must
 * remain high until after the falling edge of the first INTA." Must: the request is withdrawn with the line, INT falls,
 * nothing arrives. (A model that keeps the latch, as KVM's and QEMU's, delivers it.) */
SCENARIO(pic_edge_withdrawn, .name = "pic.edge-withdrawn-with-line")
{
	pic_listen(BIT(3), pic_finish);
	lab_up(3);
	EXPECT(pic_irr(false) & BIT(3));
	lab_down(3);
	EXPECT(!(pic_irr(false) & BIT(3)));
	pic_take();
	EXPECT_EQ(arrivals.count, 0);
}

/* The same while the line is masked; then it is unmasked.
 * 8259A data sheet, as above. Must: nothing arrives; the next rise does. */
SCENARIO(pic_masked_edge_withdrawn, .name = "pic.masked-edge-withdrawn")
{
	lab_up(3);
	lab_down(3);
	pic_listen(BIT(3), pic_finish);
	pic_take();
	EXPECT_EQ(arrivals.count, 0);
	pic_raise_and_take(3);
	EXPECT_ORDER(3);
}

/* All ones and zeros are written to the edge/level registers.
 * 82371SB (PIIX3) data sheet, "Edge/Level Control Registers": "IRQ0, IRQ1, IRQ2, IRQ8# and IRQ13 ... must be programmed to
 * edge". Must: their bits stay 0. */
SCENARIO(pic_elcr_fixed_bits, .name = "pic.elcr-fixed-edge-inputs")
{
	enum { WRITABLE = MASK(7, 3), WRITABLE_SLAVE = MASK(7, 6) | MASK(4, 1) };

	outb(ELCR_MASTER, PIC_ALL_MASKED);
	outb(ELCR_SLAVE, PIC_ALL_MASKED);
	uint8_t master = inb(ELCR_MASTER), slave = inb(ELCR_SLAVE);

	outb(ELCR_MASTER, 0);
	outb(ELCR_SLAVE, 0);
	EXPECT_EQ(master, WRITABLE);
	EXPECT_EQ(slave, WRITABLE_SLAVE);
	EXPECT_EQ(inb(ELCR_MASTER), 0);
	EXPECT_EQ(inb(ELCR_SLAVE), 0);
}

static void finish_and_drop_after_repeats(struct frame *f)
{
	unsigned irq = (unsigned)f->vector - PIC_VECTOR(0);

	if (arrivals_of((uint8_t)f->vector) >= REPEATS)
		lab_down(irq);
	pic_eoi(irq);
}

/* A level-triggered line stays high through two EOIs and falls before the third.
 * 8259A data sheet, "Edge and Level Triggered Modes": "an interrupt request will be recognized by a 'high' level on IR
 * Input ... The interrupt request must be removed before the EOI command is issued or the CPU interrupts is enabled to
 * prevent a second interrupt from occurring." Must: exactly three. */
SCENARIO(pic_level_repeats, .name = "pic.level-repeats-after-eoi")
{
	outb(ELCR_MASTER, BIT(5));
	pic_listen(BIT(5), finish_and_drop_after_repeats);
	pic_raise_and_take(5);
	EXPECT_ORDER(5, 5, 5);
	EXPECT(!(pic_irr(false) & BIT(5)));
}

/* The same on an input of the slave. */
SCENARIO(pic_level_slave, .name = "pic.level-repeats-on-slave")
{
	outb(ELCR_SLAVE, BIT(11 - PIC_INPUTS));
	pic_listen(BIT(11), finish_and_drop_after_repeats);
	pic_raise_and_take(11);
	EXPECT_ORDER(11, 11, 11);
}

/* A level-triggered line falls before it is acknowledged.
 * 8259A data sheet, as for the edge. Must: IRR follows the line and nothing arrives. */
SCENARIO(pic_level_withdrawn, .name = "pic.level-withdrawn-with-line")
{
	outb(ELCR_MASTER, BIT(5));
	pic_listen(BIT(5), pic_finish);
	lab_up(5);
	EXPECT(pic_irr(false) & BIT(5));
	lab_down(5);
	EXPECT(!(pic_irr(false) & BIT(5)));
	pic_take();
	EXPECT_EQ(arrivals.count, 0);
}

/* ---- spurious ---- */

/* A request is there when the CPU is told of it and gone at INTA.
 * 8259A data sheet, "Edge and Level Triggered Modes": "If the IR input goes low before this time a DEFAULT IR7 will occur
 * when the CPU acknowledges the interrupt." "A normal IR7 interrupt will set the corresponding ISR bit, a default IR7
 * won't." Must: vector 7, ISR empty, no EOI needed: a normal IR7 follows at once and sets its bit. */
SCENARIO(pic_spurious_7, .name = "pic.spurious-7")
{
	uint64_t before = lab_counter(LAB_SPURIOUS);

	pic_listen(BIT(3) | BIT(PIC_SPURIOUS), pic_stay);
	outw(LAB_DROP_BEFORE_INTA, BIT(3));
	pic_raise_and_take(3);
	EXPECT_ORDER(PIC_SPURIOUS);
	EXPECT_EQ(pic_isr(false), 0);
	EXPECT_EQ(lab_counter(LAB_SPURIOUS), before + 1);
	pic_raise_and_take(PIC_SPURIOUS);
	EXPECT_ORDER(PIC_SPURIOUS, PIC_SPURIOUS);
	EXPECT_EQ(pic_isr(false), BIT(PIC_SPURIOUS));
}

/* A default IR7 while a normal IR7 is in service.
 * 8259A data sheet, "Edge and Level Triggered Modes": "If a default IR7 routine occurs during a normal IR7 routine,
 * however, the ISR will remain set." Must: IS7 is the normal one's, and one EOI ends it. */
SCENARIO(pic_spurious_7_in_7, .name = "pic.spurious-7-during-normal-7")
{
	pic_listen(BIT(3) | BIT(PIC_SPURIOUS), pic_stay);
	pic_raise_and_take(PIC_SPURIOUS);
	EXPECT_EQ(pic_isr(false), BIT(PIC_SPURIOUS));
	outw(LAB_DROP_BEFORE_INTA, BIT(3));
	pic_raise_and_take(3);
	EXPECT_ORDER(PIC_SPURIOUS, PIC_SPURIOUS);
	EXPECT_EQ(pic_isr(false), BIT(PIC_SPURIOUS));
	pic_eoi(PIC_SPURIOUS);
	EXPECT_EQ(pic_isr(false), 0);
}

/* A spurious request must not disturb a real one that waits behind it.
 * 8259A data sheet, as above: only the input that went low is lost. Here the lower input is still high at INTA, so the
 * acknowledge is its own and nothing is spurious. */
SCENARIO(pic_spurious_not, .name = "pic.dropped-request-leaves-the-next")
{
	pic_listen(BIT(3) | BIT(5) | BIT(PIC_SPURIOUS), pic_stay);
	lab_up(5);
	outw(LAB_DROP_BEFORE_INTA, BIT(3));
	pic_raise_and_take(3);
	EXPECT_ORDER(5);
	EXPECT_EQ(pic_isr(false), BIT(5));
}

/* An input of the slave falls when the master has already told the CPU of its IR2.
 * 8259A data sheet, "Edge and Level Triggered Modes": the default IR7 is each chip's own; the master has a request, sets
 * IS2 and calls the slave, which has none. Must: vector 15, the slave's ISR empty, IS2 of the master set: the handler owes
 * the master an EOI and the slave none. */
SCENARIO(pic_spurious_15, .name = "pic.spurious-15")
{
	pic_listen(BIT(11) | BIT(PIC_SPURIOUS) | BIT(PIC_INPUTS + PIC_SPURIOUS), pic_stay);
	outw(LAB_DROP_BEFORE_INTA, BIT(11));
	pic_raise_and_take(11);
	EXPECT_ORDER(PIC_INPUTS + PIC_SPURIOUS);
	EXPECT_EQ(pic_isr(true), 0);
	EXPECT_EQ(pic_isr(false), BIT(PIC_CASCADE));
	pic_command(false, OCW2_EOI);
	pic_raise_and_take(11);
	EXPECT_ORDER(PIC_INPUTS + PIC_SPURIOUS, 11);
	EXPECT_EQ(pic_isr(true), BIT(11 - PIC_INPUTS));
}

/* ---- cascade ---- */

/* Inputs of both chips request at once.
 * 8259A data sheet, "Cascade Mode": the slave's INT is an input of the master, here IR2. "Fully Nested Mode": "ordered in
 * priority from 0 through 7 (0 highest)". Must: the slave's inputs come between IR1 and IR3, in their own order. */
SCENARIO(pic_cascade_order, .name = "pic.cascade-priority")
{
	pic_listen(BIT(1) | BIT(3) | BIT(9) | BIT(14), pic_finish);
	lab_up(14);
	lab_up(3);
	lab_up(9);
	lab_up(1);
	pic_take();
	EXPECT_ORDER(1, 9, 14, 3);
}

/* A slave input is in service; first one chip, then the other gets its EOI.
 * 8259A data sheet, "Cascade Mode": "An EOI command must be issued twice: once for the master and once for the
 * corresponding slave." Must: IS2 of the master stays until its own EOI and holds back a lower input. */
SCENARIO(pic_cascade_two_eois, .name = "pic.cascade-needs-two-eois")
{
	pic_listen(BIT(3) | BIT(9), pic_stay);
	pic_raise_and_take(9);
	EXPECT_EQ(pic_isr(false), BIT(PIC_CASCADE));
	EXPECT_EQ(pic_isr(true), BIT(9 - PIC_INPUTS));
	pic_command(true, OCW2_EOI);
	EXPECT_EQ(pic_isr(true), 0);
	EXPECT_EQ(pic_isr(false), BIT(PIC_CASCADE));
	pic_raise_and_take(3);
	EXPECT_ORDER(9);
	pic_command(false, OCW2_EOI);
	pic_take();
	EXPECT_ORDER(9, 3);
}

/* IR2 of the master is masked while a slave input requests.
 * 8259A data sheet, "Interrupt Mask Register": "The IMR operates on the IRR." Must: nothing until it is unmasked. */
SCENARIO(pic_cascade_masked, .name = "pic.cascade-masked-at-master")
{
	pic_listen(BIT(9), pic_finish);
	pic_data(false, PIC_ALL_MASKED);
	pic_raise_and_take(9);
	EXPECT_EQ(arrivals.count, 0);
	EXPECT(pic_irr(true) & BIT(9 - PIC_INPUTS));
	pic_unmask(9);
	pic_take();
	EXPECT_ORDER(9);
}
