/* SPDX-License-Identifier: BSD-2-Clause
 * What the user half tells the vCPU before each run, and in which order.
 * Knows nothing of real vCPUs. */
#include "unit/vmm_fixture.h"

/* QEMU, "kvm_arch_pre_run": NMI and SMI come first, then the interrupt if the vCPU is ready for it. */
static void an_nmi_goes_before_the_inta_cycle(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	raise_line(&f, 3, false);
	out(&f, 1, LAB_NMI, 1, true);
	drive(&f);
	assert_log(&f, "run|run W|nmi|intr 23|run|");
}

/* Success of KVM_INTERRUPT uses up what the last return said. */
static void nothing_is_acknowledged_unless_the_last_return_said_ready(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	raise_line(&f, 3, false);
	add(&f, VCPU_EXIT_IRQ_WINDOW_OPEN, true);
	out(&f, 2, LAB_UP, BIT(1), false);
	add(&f, VCPU_EXIT_IRQ_WINDOW_OPEN, true);
	drive(&f);
	assert_log(&f, "run|run W|intr 23|run|run W|intr 21|run|");
	assert_int_equal(f.vmm.windows, 2);
	assert_int_equal(f.vmm.intas, 2);
}

/* api.rst: an operation is complete "only after userspace has re-entered the kernel with KVM_RUN": what the return before
 * that said of an interrupt does not count. */
static void an_operation_is_completed_before_the_inta_cycle(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	raise_line(&f, 3, true);
	f.steps[f.count - 1].pending = 1;
	add(&f, VCPU_EXIT_INTR, true);
	drive(&f);
	assert_log(&f, "run|run W at once|intr 23|run|");
}

/* The #DB of a single step, for one, is owed only then. */
static void an_operation_that_leaves_the_vcpu_not_ready_has_no_inta_cycle(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	raise_line(&f, 3, true);
	f.steps[f.count - 1].pending = 1;
	add(&f, VCPU_EXIT_INTR, false);
	add(&f, VCPU_EXIT_IRQ_WINDOW_OPEN, true);
	drive(&f);
	assert_log(&f, "run|run W at once|run W|intr 23|run|");
}

static void with_nothing_to_offer_an_operation_is_completed_by_running(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 1, LAB_NOP, 0, true);
	f.steps[f.count - 1].pending = 1;
	drive(&f);
	assert_log(&f, "run|run|");
}

/* "request_interrupt_window := INTR-flag still set" */
static void the_window_is_requested_exactly_while_int_is_high(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 1, LAB_NOP, 0, true);
	raise_line(&f, 3, false);
	out(&f, 1, LAB_NOP, 0, false);
	out(&f, 2, LAB_DOWN, BIT(3), true);
	out(&f, 1, PIC_MASTER_DATA, 0xff, false);
	raise_line(&f, 3, true);
	drive(&f);
	assert_log(&f, "run|run|run W|run W|run|run|run|");
	assert_int_equal(f.vmm.intas, 0);
}

/* The arming hole's other half: the acknowledge itself raises INTR, so the window is requested with the stash full. */
static void automatic_eoi_raises_int_again_and_the_window_is_requested(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	pic_setup(&f, ICW4_AEOI);
	out(&f, 2, LAB_UP, BIT(3) | BIT(4), true);
	add(&f, VCPU_EXIT_IRQ_WINDOW_OPEN, true);
	drive(&f);
	assert_log(&f, "run|intr 23|run W|intr 24|run|");
}

static void without_automatic_eoi_the_lower_request_waits_in_the_8259(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 2, LAB_UP, BIT(3) | BIT(4), true);
	out(&f, 1, LAB_NOP, 0, true);
	drive(&f);
	assert_log(&f, "run|intr 23|run|run|");
}

/* 8259A: "the IR inputs must remain high until after the falling edge of the first INTA". */
static void a_line_that_falls_before_its_inta_gives_the_spurious_vector(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 2, LAB_DROP_BEFORE_INTA, BIT(3), false);
	raise_line(&f, 3, false);
	out(&f, 1, LAB_NOP, 0, true);
	drive(&f);
	assert_log(&f, "run|run|run W|intr 27|run|");
	assert_int_equal(f.vmm.spurious, 1);
	assert_int_equal(f.vmm.machine.pic.master.isr, 0);
}

static void a_slave_line_that_falls_before_its_inta_gives_irq_15(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 2, LAB_DROP_BEFORE_INTA, BIT(9), false);
	raise_line(&f, 9, true);
	drive(&f);
	assert_log(&f, "run|run|intr 2f|run|");
	assert_int_equal(f.vmm.machine.pic.master.isr, BIT(PIC_CASCADE));
	assert_int_equal(f.vmm.machine.pic.slave.isr, 0);
}

/* guest_abi.h: "the line rises while an acknowledge is in progress". */
static void a_line_that_rises_during_the_inta_is_requested_at_once(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	out(&f, 4, LAB_AT_INTA, 1, false);
	raise_line(&f, 1, false);
	out(&f, 4, LAB_AT_INTA, 0, false);
	raise_line(&f, 3, true);
	drive(&f);
	assert_log(&f, "run|run|run|run|intr 23|run W|");
}

static void a_message_that_the_inta_caused_is_sent_before_the_run(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	pic_write(&f.vmm.machine.pic, PIC_MASTER_DATA, BIT(1));
	route(&f, 1, 0x31);
	out(&f, 4, LAB_AT_INTA, 1, false);
	raise_line(&f, 1, false);
	out(&f, 4, LAB_AT_INTA, 0, false);
	raise_line(&f, 3, true);
	drive(&f);
	assert_non_null(strstr(f.log, "run|run|run|run|intr 23|msi 31|run|"));
}

/* KVM_INTERRUPT: "stash full -> EEXIST". The 8259 has the bit in service already, so the vector must not get lost. */
static void a_refused_vector_is_kept_and_offered_again(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	f.refuse = 1;
	raise_line(&f, 3, true);
	out(&f, 1, LAB_NOP, 0, false);
	add(&f, VCPU_EXIT_IRQ_WINDOW_OPEN, true);
	out(&f, 1, LAB_NOP, 0, true);
	drive(&f);
	assert_log(&f, "run|intr 23|run W|run W|intr 23|run|run|");
	assert_int_equal(f.vmm.intas, 1);
	assert_int_equal(f.vmm.refused, 1);
}

/* Split: "QEMU does not test LVT0; the kernel's accept does." */
static void lvt0_is_looked_at_in_user_mode_only(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	set_lvt0(&f, APIC_LVT_MASKED | APIC_DM_FIELD(APIC_DM_EXTINT));
	raise_line(&f, 3, true);
	drive(&f);
	assert_log(&f, "run|intr 23|run|");

	start(&f, IRQCHIP_USER);
	set_lvt0(&f, APIC_LVT_MASKED | APIC_DM_FIELD(APIC_DM_EXTINT));
	raise_line(&f, 3, true);
	drive(&f);
	assert_log(&f, "run|run|");
}

/* ---- I/O APIC ---- */

/* 82093AA: Remote IRR "is set to 1 when local APIC(s) accept the level interrupt sent by the IOAPIC. The Remote IRR bit
 * is set to 0 when an EOI message with a matching interrupt vector is received". */
static void an_eoi_exit_clears_remote_irr_and_the_level_is_sent_again(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	pic_write(&f.vmm.machine.pic, PIC_MASTER_DATA, 0xff);
	route(&f, 3, 0x31 | RTE_LEVEL);
	raise_line(&f, 3, false);
	out(&f, 1, LAB_NOP, 0, false);
	add(&f, VCPU_EXIT_IOAPIC_EOI, false)->data = 0x31;
	out(&f, 2, LAB_DOWN, BIT(3), false);
	add(&f, VCPU_EXIT_IOAPIC_EOI, false)->data = 0x31;
	drive(&f);
	assert_log(&f, "run|run|eoi 2000000000000|run|msi 31|run|run|msi 31|run|run|run|");
}

/* The EOI of the very first message must already exit. */
static void the_eoi_exits_are_told_before_the_message_is_sent(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	pic_write(&f.vmm.machine.pic, PIC_MASTER_DATA, 0xff);
	raise_line(&f, 3, false);
	route(&f, 3, 0x31 | RTE_LEVEL);
	drive(&f);
	assert_log(&f, "run|run|run|eoi 2000000000000|msi 31|run|");
}

/* A vCPU that is used again may still have those of the run before. */
static void the_eoi_exits_are_told_before_the_first_run(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	f.vmm.machine.ioapic.routes_changed = true;
	drive(&f);
	assert_log(&f, "eoi 0|run|");
	vmm_init(&f.vmm, &f.vmm.cfg);
	assert_true(f.vmm.machine.ioapic.routes_changed);
}

/* ---- LINT0 in split mode ---- */

/* SDM v3, "Local Vector Table", Delivery Mode. One message a rise, and no INTA cycle. */
static void lint0_in_fixed_mode_is_a_message(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	f.lvt0 = 0x62;
	raise_line(&f, 3, false);
	raise_line(&f, 4, false);
	out(&f, 2, LAB_DOWN, BIT(3) | BIT(4), false);
	raise_line(&f, 3, false);
	drive(&f);
	assert_log(&f, "run|msi 62|run W|run W|run|msi 62|run W|");
	assert_int_equal(f.vmm.intas, 0);
}

static void lint0_in_nmi_mode_is_an_nmi(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_SPLIT);
	f.lvt0 = APIC_DM_FIELD(APIC_DM_NMI);
	raise_line(&f, 3, false);
	drive(&f);
	assert_log(&f, "run|nmi|run W|");

	/* It could wake who halts with IF=0. */
	start(&f, IRQCHIP_SPLIT);
	f.lvt0 = APIC_DM_FIELD(APIC_DM_NMI);
	f.dump.halted = true;
	add(&f, VCPU_EXIT_INTR, false);
	drive(&f);
	assert_ended(&f, RUN_END_SHUTDOWN);
}

static void lint0_masked_or_without_an_apic_says_nothing(void **state)
{
	static const uint32_t masked[] = { 0x62 | APIC_LVT_MASKED, APIC_DM_FIELD(APIC_DM_NMI) | APIC_LVT_MASKED };
	static struct fake f;
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(masked); i++) {
		start(&f, IRQCHIP_SPLIT);
		f.lvt0 = masked[i];
		raise_line(&f, 3, false);
		drive(&f);
		assert_log(&f, "run|run W|");
	}
	start(&f, IRQCHIP_SPLIT);
	f.run.apic_base &= ~APIC_BASE_EN;
	f.lvt0 = 0x62;
	raise_line(&f, 3, false);
	drive(&f);
	assert_log(&f, "run|run W|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lint0_in_fixed_mode_is_a_message),
		cmocka_unit_test(lint0_in_nmi_mode_is_an_nmi),
		cmocka_unit_test(lint0_masked_or_without_an_apic_says_nothing),
		cmocka_unit_test(an_nmi_goes_before_the_inta_cycle),
		cmocka_unit_test(nothing_is_acknowledged_unless_the_last_return_said_ready),
		cmocka_unit_test(an_operation_is_completed_before_the_inta_cycle),
		cmocka_unit_test(an_operation_that_leaves_the_vcpu_not_ready_has_no_inta_cycle),
		cmocka_unit_test(with_nothing_to_offer_an_operation_is_completed_by_running),
		cmocka_unit_test(the_window_is_requested_exactly_while_int_is_high),
		cmocka_unit_test(automatic_eoi_raises_int_again_and_the_window_is_requested),
		cmocka_unit_test(without_automatic_eoi_the_lower_request_waits_in_the_8259),
		cmocka_unit_test(a_line_that_falls_before_its_inta_gives_the_spurious_vector),
		cmocka_unit_test(a_slave_line_that_falls_before_its_inta_gives_irq_15),
		cmocka_unit_test(a_line_that_rises_during_the_inta_is_requested_at_once),
		cmocka_unit_test(a_message_that_the_inta_caused_is_sent_before_the_run),
		cmocka_unit_test(a_refused_vector_is_kept_and_offered_again),
		cmocka_unit_test(lvt0_is_looked_at_in_user_mode_only),
		cmocka_unit_test(an_eoi_exit_clears_remote_irr_and_the_level_is_sent_again),
		cmocka_unit_test(the_eoi_exits_are_told_before_the_message_is_sent),
		cmocka_unit_test(the_eoi_exits_are_told_before_the_first_run),
	};

	return cmocka_run_group_tests_name("vmm", tests, NULL, NULL);
}
