/* SPDX-License-Identifier: BSD-2-Clause
 * The user half with the local APIC in it: user irqchip mode.
 * Knows nothing of real vCPUs. */
#include "unit/vmm_fixture.h"

static void in_user_mode_the_eoi_goes_by_wire(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	pic_write(&f.vmm.machine.pic, PIC_MASTER_DATA, 0xff);
	set_lvt0(&f, APIC_LVT_MASKED);
	route(&f, 3, 0x31 | RTE_LEVEL);
	raise_line(&f, 3, true);
	mmio_write(&f, APIC_PAGE + APIC_EOI, 0);
	out(&f, 1, LAB_NOP, 0, true);
	drive(&f);
	assert_log(&f, "run|run|run|intr 31|run|run W|intr 31|run|");
}

/* QEMU: the userspace LAPIC "yields to an asserted ExtINT". */
static void in_user_mode_extint_goes_before_the_lapic(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	set_lvt0(&f, APIC_DM_FIELD(APIC_DM_EXTINT));
	mmio_write(&f, APIC_PAGE + APIC_ICR_LOW, 0x50 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
	raise_line(&f, 3, true);
	out(&f, 1, LAB_NOP, 0, true);
	drive(&f);
	assert_log(&f, "run|run W|intr 23|run W|intr 50|run|");
	assert_int_equal(lapic_highest_isr(&f.vmm.lapic), 0x50);
}

/* In user mode the mailbox has no IF check of its own. */
static void in_user_mode_nothing_is_handed_over_with_if_clear(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	raise_line(&f, 3, true)->if_flag = 0;
	drive(&f);
	assert_log(&f, "run|run W|");
}

static void cr8_travels_both_ways_and_keeps_the_low_bits_of_tpr(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	mmio_write(&f, APIC_PAGE + APIC_TPR, 0x53);
	out(&f, 1, LAB_NOP, 0, false);
	add(&f, VCPU_EXIT_SET_TPR, false)->set_cr8 = true;
	f.endless = true;
	assert_int_equal(f.run.cr8, 0);
	f.vmm.cfg.deadline = f.now + 1;
	f.steps[1].takes = 0;
	f.steps[2].takes = 1;
	f.steps[2].cr8 = 2;
	/* After the write the CPU's CR8 is 5; lowering it to 2 in the guest reaches TPR. */
	drive(&f);
	assert_int_equal(lapic_tpr(&f.vmm.lapic), 0x20);

	start(&f, IRQCHIP_USER);
	mmio_write(&f, APIC_PAGE + APIC_TPR, 0x53);
	out(&f, 1, LAB_NOP, 0, false);
	drive(&f);
	assert_int_equal(f.run.cr8, 5);
	assert_int_equal(lapic_tpr(&f.vmm.lapic), 0x53);
}

static void the_lapic_timer_bounds_the_run_in_user_mode(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_USER);
	t0 = f.now;
	set_lvt0(&f, APIC_LVT_MASKED);
	mmio_write(&f, APIC_PAGE + APIC_TIMER_DIVIDE, 0xb);
	mmio_write(&f, APIC_PAGE + APIC_LVT_TIMER, 0x60);
	mmio_write(&f, APIC_PAGE + APIC_TIMER_INITIAL, 5000);
	add(&f, VCPU_EXIT_INTR, true)->until_deadline = true;
	drive(&f);
	assert_int_equal(f.deadlines[3], t0 + 5000 * LAPIC_TIMER_NS);
	assert_log(&f, "run|run|run|run|intr 60|run|");
}

static void msrs_are_the_lapics_or_gp(void **state)
{
	static struct fake f;
	struct step *s;
	(void)state;

	start(&f, IRQCHIP_USER);
	add(&f, VCPU_EXIT_RDMSR, false)->msr = MSR_APIC_BASE;
	drive(&f);
	assert_int_equal(f.msr_error, 0);
	assert_int_equal(f.msr_data, APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_BSP);

	start(&f, IRQCHIP_USER);
	add(&f, VCPU_EXIT_RDMSR, false)->msr = MSR_EFER;
	drive(&f);
	assert_int_equal(f.msr_error, 1);

	start(&f, IRQCHIP_SPLIT);
	add(&f, VCPU_EXIT_RDMSR, false)->msr = MSR_APIC_BASE;
	drive(&f);
	assert_int_equal(f.msr_error, 1);

	start(&f, IRQCHIP_USER);
	s = add(&f, VCPU_EXIT_WRMSR, false);
	s->msr = MSR_APIC_BASE;
	s->data = (uint32_t)(APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_BSP);
	drive(&f);
	assert_int_equal(f.msr_error, 0);
	assert_int_equal(f.run.apic_base, APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_BSP);
}

/* KVM handles IA32_APIC_BASE itself and tells by run->apic_base. */
static void an_apic_base_that_the_run_has_changed_is_taken(void **state)
{
	static struct fake f;
	uint64_t x2apic = APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_BSP;
	(void)state;

	start(&f, IRQCHIP_USER);
	out(&f, 1, LAB_NOP, 0, false)->apic_base = x2apic;
	drive(&f);
	assert_int_equal(f.vmm.lapic.base, x2apic);
	assert_int_equal(f.run.apic_base, x2apic);
}

static uint32_t read_back(struct fake *f)
{
	uint32_t val;

	memcpy(&val, f->last_in, sizeof(val));
	return val;
}

static void the_apic_page_is_there_in_user_mode_only(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	mmio_read(&f, APIC_PAGE + APIC_VERSION, 4);
	drive(&f);
	assert_int_equal(read_back(&f) & 0xff, LAPIC_VERSION);

	start(&f, IRQCHIP_USER);
	mmio_read(&f, APIC_PAGE + APIC_VERSION + 2, 1);
	drive(&f);
	assert_int_equal(f.last_in[0], LAPIC_MAX_LVT);
	assert_int_equal(f.last_in[1], 0xff);

	start(&f, IRQCHIP_USER);
	mmio_read(&f, APIC_PAGE + APIC_VERSION + 2, 4);
	drive(&f);
	assert_int_equal(read_back(&f), UINT32_MAX);

	start(&f, IRQCHIP_USER);
	mmio_read(&f, APIC_PAGE + APIC_VERSION, 8);
	drive(&f);
	assert_int_equal(read_back(&f), UINT32_MAX);

	start(&f, IRQCHIP_SPLIT);
	mmio_read(&f, APIC_PAGE + APIC_VERSION, 4);
	drive(&f);
	assert_int_equal(read_back(&f), UINT32_MAX);
}

/* LVT0 in NMI mode: the 8259's INT is an NMI, and needs neither IF nor an INTA cycle. */
static void lint0_as_nmi_reaches_the_vcpu_in_user_mode(void **state)
{
	static struct fake f;
	(void)state;

	start(&f, IRQCHIP_USER);
	set_lvt0(&f, APIC_DM_FIELD(APIC_DM_NMI));
	raise_line(&f, 3, true);
	drive(&f);
	assert_log(&f, "run|nmi|run|");
	assert_int_equal(f.vmm.intas, 0);
}

/* ---- what the vCPU knows ---- */

/* SDM v2, "HLT": "a debug exception [...] will resume execution". */
static void a_halt_with_an_event_on_its_way_does_not_wait(void **state)
{
	static struct fake f;
	(void)state;

	for (unsigned if_flag = 0; if_flag < 2; if_flag++) {
		start(&f, IRQCHIP_USER);
		f.event = true;
		add(&f, VCPU_EXIT_HLT, if_flag);
		drive(&f);
		assert_log(&f, "run|run|");
		assert_ended(&f, RUN_END_SHUTDOWN);
	}
}

static void arm_deadline(struct fake *f, uint64_t tsc)
{
	struct step *s;

	set_lvt0(f, APIC_LVT_MASKED);
	lapic_write(&f->vmm.lapic, APIC_LVT_TIMER, APIC_TIMER_MODE_FIELD(APIC_TIMER_TSC_DEADLINE) | 0x60, f->now);
	s = add(f, VCPU_EXIT_WRMSR, false);
	s->msr = MSR_TSC_DEADLINE;
	s->data = (uint32_t)tsc;
}

/* A tick is 1 ns, and the guest has written its TSC: 0 at a second less than now. */
static void a_deadline_is_by_the_tsc_that_the_guest_has_now(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_USER);
	t0 = f.now;
	f.tsc.tsc0 = -(t0 - NSEC_PER_SEC);
	arm_deadline(&f, NSEC_PER_SEC + MS);
	add(&f, VCPU_EXIT_INTR, true)->until_deadline = true;
	drive(&f);
	assert_int_equal(f.deadlines[1], t0 + MS);
	assert_log(&f, "run|run|intr 60|run|");
}

static void a_deadline_that_is_armed_moves_with_the_tsc(void **state)
{
	static struct fake f;
	uint64_t t0;
	(void)state;

	start(&f, IRQCHIP_USER);
	t0 = f.now;
	arm_deadline(&f, (uint32_t)(4 * NSEC_PER_SEC - 1));
	add(&f, VCPU_EXIT_INTR, true)->until_deadline = true;
	out(&f, 1, LAB_NOP, 0, true)->tsc_jump = 4 * NSEC_PER_SEC;
	drive(&f);
	/* It is far: the TSC is looked at in between. */
	assert_int_equal(f.deadlines[1], t0 + VMM_TSC_POLL);
	assert_log(&f, "run|run|run|intr 60|run|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_user_mode_the_eoi_goes_by_wire),
		cmocka_unit_test(in_user_mode_extint_goes_before_the_lapic),
		cmocka_unit_test(in_user_mode_nothing_is_handed_over_with_if_clear),
		cmocka_unit_test(cr8_travels_both_ways_and_keeps_the_low_bits_of_tpr),
		cmocka_unit_test(the_lapic_timer_bounds_the_run_in_user_mode),
		cmocka_unit_test(msrs_are_the_lapics_or_gp),
		cmocka_unit_test(an_apic_base_that_the_run_has_changed_is_taken),
		cmocka_unit_test(the_apic_page_is_there_in_user_mode_only),
		cmocka_unit_test(a_halt_with_an_event_on_its_way_does_not_wait),
		cmocka_unit_test(a_deadline_is_by_the_tsc_that_the_guest_has_now),
		cmocka_unit_test(a_deadline_that_is_armed_moves_with_the_tsc),
		cmocka_unit_test(lint0_as_nmi_reaches_the_vcpu_in_user_mode),
	};

	return cmocka_run_group_tests_name("vmm_user", tests, NULL, NULL);
}
