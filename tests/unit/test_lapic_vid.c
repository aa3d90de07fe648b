/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC's page as a CPU with APIC-register virtualization and virtual-interrupt delivery uses it.
 * Knows nothing of such a CPU but what it leaves in the page. */
#include "unit/lapic_fixture.h"

#define VALUES_OF_A_WRITE 0, 0xffffffff, 0x5aa5c3f1, 0x00000131, 0x10041, 0x0b

/* SDM v3, "Virtualizing Reads from the APIC-Access Page": the registers that APIC-register virtualization reads from
 * the page, but for ISR, TMR and IRR. */
static const uint32_t read_from_page[] = {
	APIC_ID, APIC_VERSION, APIC_TPR, APIC_EOI, APIC_LDR, APIC_DFR, APIC_SVR, APIC_ESR, APIC_ICR_LOW, APIC_ICR_HIGH,
	APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PERFMON, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR,
	APIC_TIMER_INITIAL, APIC_TIMER_DIVIDE,
};
/* "Determining Whether a Write Access is Virtualized", but for those whose write does not exit: TPR, EOI, ICR high. */
static const uint32_t written_by_exit[] = {
	APIC_ID, APIC_LDR, APIC_DFR, APIC_SVR, APIC_ESR, APIC_ICR_LOW, APIC_LVT_TIMER, APIC_LVT_THERMAL,
	APIC_LVT_PERFMON, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_TIMER_INITIAL, APIC_TIMER_DIVIDE,
};

static void register_is_in_the_page(struct lapic *l, uint32_t offset, uint64_t now)
{
	if (*word_at(l, offset) != lapic_read(l, offset, now))
		fail_msg("register %#x: page %#x, read %#x", offset, *word_at(l, offset), lapic_read(l, offset, now));
}

static void page_is_what_a_read_returns(struct lapic *l, uint64_t now)
{
	lapic_advance(l, now);
	for (size_t i = 0; i < ARRAY_SIZE(read_from_page); i++)
		register_is_in_the_page(l, read_from_page[i], now);
	for (uint32_t o = APIC_ISR; o < APIC_ESR; o += 16)
		register_is_in_the_page(l, o, now);
}

/* What RDMSR gives: 8 bytes of the page. */
static uint64_t msr_from_page(struct lapic *l, uint32_t offset)
{
	return *word_at(l, offset) | (uint64_t)*word_at(l, offset + 4) << 32;
}

static void page_is_what_rdmsr_returns(struct lapic *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(read_from_page); i++) {
		uint32_t o = read_from_page[i];

		if (o != APIC_EOI && o != APIC_DFR && o != APIC_ICR_HIGH)
			assert_int_equal(msr_from_page(l, o), rdmsr(l, X2(o)));
	}
	for (uint32_t o = APIC_ISR; o < APIC_ESR; o += 16)
		assert_int_equal(msr_from_page(l, o), rdmsr(l, X2(o)));
}

/* The CPU lets the guest write the page, and tells. */
static void guest_writes_at(struct lapic *l, uint32_t offset, uint32_t val, uint64_t now)
{
	*word_at(l, offset) = val;
	lapic_written(l, offset, now);
}

static void guest_writes(struct lapic *l, uint32_t offset, uint32_t val) { guest_writes_at(l, offset, val, 0); }

/* Something in every register, in service, requested, logged and on the wire. */
static struct lapic busy(void)
{
	struct lapic l = enabled();

	fixed(&l, 0x31);
	take(&l, 0x31);
	send_msg(&l, APIC_DM_FIXED, 0x52, true);
	send_msg(&l, APIC_DM_FIXED, 3, false);
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	lapic_set_lint0(&l, true);
	wr(&l, APIC_TPR, 0x23);
	wr(&l, APIC_LDR, 0x40000000);
	wr(&l, APIC_ICR_HIGH, 0x77000000);
	wr(&l, APIC_ICR_LOW, 0x44 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL));
	start(&l, 0x60 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 3, 500, 0);
	return l;
}

/* SDM v3, "Controls for APIC Virtualization": "the virtual-APIC address must be 4-KByte aligned". */
static void the_page_is_a_page(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct lapic, page), 0);
	assert_int_equal(_Alignof(struct lapic), 4096);
	assert_int_equal(sizeof(((struct lapic *)NULL)->page), 4096);
}

/* "A read access from the APIC-access page that is virtualized returns data from the corresponding page offset on the
 * virtual-APIC page." */
static void the_page_follows_every_write(void **state)
{
	static const uint32_t values[] = { VALUES_OF_A_WRITE };

	(void)state;
	for (uint32_t o = 0; o < 0x400; o += 16)
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			struct lapic l = busy(), r = after_reset();

			wr(&l, o, values[i]);
			page_is_what_a_read_returns(&l, 0);
			wr(&r, o, values[i]);
			page_is_what_a_read_returns(&r, 0);
		}
}

static void the_page_follows_what_is_no_write_of_the_register(void **state)
{
	struct lapic l = after_reset();

	(void)state;
	page_is_what_a_read_returns(&l, 0);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), 0x700);
	lapic_reset(&l, 7, false);
	page_is_what_a_read_returns(&l, 0);
	assert_int_equal(*word_at(&l, APIC_ID), 7u << 24);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), APIC_LVT_MASKED);
	l = busy();
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), 0x38 | APIC_LVT_LEVEL | APIC_LVT_REMOTE_IRR);
	lapic_set_lint0(&l, false);
	take(&l, 0x52);
	for (int eois = 0; eois < 2; eois++)
		wr(&l, APIC_EOI, 0);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), 0x38 | APIC_LVT_LEVEL | APIC_LVT_REMOTE_IRR);
	take(&l, 0x44);
	wr(&l, APIC_EOI, 0);
	take(&l, 0x38);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), 0x38 | APIC_LVT_LEVEL);
	page_is_what_a_read_returns(&l, 0);
	lapic_set_lint0(&l, true);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), 0x38 | APIC_LVT_LEVEL | APIC_LVT_REMOTE_IRR);
	lapic_set_cr8(&l, 9);
	assert_int_equal(*word_at(&l, APIC_TPR), 0x90);
	page_is_what_a_read_returns(&l, 12345);
}

/* "TSC-Deadline Mode": the timer's mode takes its initial count away; a software disable masks all of the LVT. */
static void one_write_may_change_other_registers(void **state)
{
	struct lapic l = busy();

	(void)state;
	assert_int_equal(*word_at(&l, APIC_TIMER_INITIAL), 500);
	wr(&l, APIC_LVT_TIMER, 0x60 | APIC_TIMER_MODE_FIELD(APIC_TIMER_TSC_DEADLINE));
	assert_int_equal(*word_at(&l, APIC_TIMER_INITIAL), 0);
	guest_writes(&l, APIC_SVR, 0xff);
	for (uint32_t o = APIC_LVT_TIMER; o <= APIC_LVT_ERROR; o += 16)
		assert_true(*word_at(&l, o) & APIC_LVT_MASKED);
	page_is_what_a_read_returns(&l, 0);
}

/* SDM v3, "APIC-Write VM Exits": "VMM software must be invoked to complete the virtualization of a write access". */
static void a_virtualized_write_does_what_a_write_does(void **state)
{
	static const uint32_t values[] = { VALUES_OF_A_WRITE };

	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(written_by_exit); r++)
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			struct lapic l = busy(), want = l;

			lapic_write(&want, written_by_exit[r], values[i], 700);
			guest_writes_at(&l, written_by_exit[r], values[i], 700);
			assert_memory_equal(&l, &want, sizeof(l));
			page_is_what_a_read_returns(&l, 700);
		}
}

static void reserved_and_status_bits_vanish_from_the_page_again(void **state)
{
	static const struct { uint32_t offset, stays; } regs[] = {
		{ APIC_ID, 0xff000000 }, { APIC_LDR, 0xff000000 }, { APIC_DFR, 0xffffffff }, { APIC_SVR, 0x13ff },
		{ APIC_ESR, 0 }, { APIC_ICR_LOW, 0xccfff }, { APIC_LVT_TIMER, 0x700ff }, { APIC_LVT_THERMAL, 0x107ff },
		{ APIC_LVT_PERFMON, 0x107ff }, { APIC_LVT_LINT0, 0x1a7ff }, { APIC_LVT_LINT1, 0x1a7ff },
		{ APIC_LVT_ERROR, 0x100ff }, { APIC_TIMER_DIVIDE, 0xb },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		struct lapic l = enabled();

		guest_writes(&l, regs[i].offset, 0xffffffff);
		assert_int_equal(*word_at(&l, regs[i].offset), regs[i].stays);
	}
}

/* "Remote IRR" is ours: the guest's value of it in the page is not. */
static void status_bits_are_not_taken_from_the_page(void **state)
{
	struct lapic l = busy();

	(void)state;
	guest_writes(&l, APIC_LVT_LINT0, 0x39 | APIC_LVT_LEVEL);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), 0x39 | APIC_LVT_LEVEL | APIC_LVT_REMOTE_IRR);
	guest_writes(&l, APIC_LVT_LINT1, 0x39 | APIC_LVT_REMOTE_IRR | APIC_LVT_PENDING);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT1), 0x39);
}

static void read_only_registers_return_to_their_value(void **state)
{
	struct lapic l = busy(), before = l;

	(void)state;
	guest_writes(&l, APIC_VERSION, 0xffffffff);
	assert_int_equal(*word_at(&l, APIC_VERSION), 0x01050014);
	*word_at(&l, APIC_LVT_LINT0) ^= 0xff00;
	lapic_written(&l, APIC_LVT_LINT0 + 1, 0); /* a byte inside: no register starts there */
	*word_at(&l, APIC_ICR_LOW) |= 0xfff33000;
	lapic_written(&l, APIC_ICR_LOW + 3, 0);
	assert_memory_equal(&l, &before, sizeof(l));
}

/* SDM v3, "Error Handling": a write of any value latches what was logged. */
static void a_virtualized_write_of_esr_latches_the_errors(void **state)
{
	struct lapic l = enabled();

	(void)state;
	send_msg(&l, APIC_DM_FIXED, 3, false);
	assert_int_equal(*word_at(&l, APIC_ESR), 0);
	guest_writes(&l, APIC_ESR, 0x1234);
	assert_int_equal(*word_at(&l, APIC_ESR), APIC_ESR_RECV_ILLEGAL);
	guest_writes(&l, APIC_ESR, 0);
	assert_int_equal(*word_at(&l, APIC_ESR), 0);
}

static void the_timer_runs_up_to_the_virtualized_write(void **state)
{
	struct lapic l = enabled();

	(void)state;
	guest_writes(&l, APIC_LVT_TIMER, 0x60);
	guest_writes(&l, APIC_TIMER_DIVIDE, 0xb);
	guest_writes(&l, APIC_TIMER_INITIAL, 500);
	assert_int_equal(lapic_deadline(&l), 500);
	guest_writes_at(&l, APIC_TIMER_INITIAL, 300, 499);
	assert_int_equal(lapic_highest_irr(&l), -1);
	guest_writes_at(&l, APIC_TIMER_INITIAL, 300, 900); /* due at 799 */
	assert_int_equal(lapic_highest_irr(&l), 0x60);
	assert_int_equal(lapic_deadline(&l), 1200);
	assert_int_equal(*word_at(&l, APIC_TIMER_INITIAL), 300);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, l.base | APIC_BASE_EXTD), 0);
	take(&l, 0x60);
	guest_writes_at(&l, APIC_SELF_IPI, 0, 1200);
	assert_int_equal(lapic_highest_irr(&l), 0x60);
}

/* SDM v3, "APIC-Write Emulation", 0B0H: without virtual-interrupt delivery "the processor causes an APIC-write VM
 * exit". VEOI reads as 0 again. */
static void an_eoi_that_the_cpu_does_not_virtualize_is_an_eoi(void **state)
{
	struct lapic l = busy();

	(void)state;
	guest_writes(&l, APIC_EOI, 0x1234);
	assert_int_equal(lapic_highest_isr(&l), -1);
	assert_int_equal(lapic_take_eoi(&l), 0x31);
	page_is_what_a_read_returns(&l, 0);
}

/* SDM v3, "APIC-Write Emulation", 310H: "The processor clears bytes 2:0 of VICR_HI. No other virtualization or VM exit
 * occurs." The half that nobody told us of is the destination of the next write of the other. */
static void icr_high_is_read_from_the_page(void **state)
{
	struct lapic l = enabled();

	(void)state;
	*word_at(&l, APIC_ICR_HIGH) = ID << 24;
	assert_int_equal(rd(&l, APIC_ICR_HIGH), ID << 24);
	guest_writes(&l, APIC_LVT_ERROR, 0xe1); /* something else: it stays */
	guest_writes(&l, APIC_ICR_LOW, 0x71);
	take(&l, 0x71);
	*word_at(&l, APIC_ICR_HIGH) = (ID + 1) << 24;
	guest_writes(&l, APIC_ICR_LOW, 0x91);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(rd(&l, APIC_ICR_HIGH), (ID + 1) << 24);
}

/* SDM v3, "Self-IPI Virtualization": "VIRR[Vector] ← 1", without an exit, and VICR_LO stays as the guest wrote it. */
static void a_self_ipi_of_the_cpu_is_seen_in_irr_and_icr(void **state)
{
	uint32_t icr = 0x93 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF);
	struct lapic l = enabled();

	(void)state;
	*word_at(&l, APIC_ICR_LOW) = icr;
	*word_of(&l, APIC_IRR, 0x93) |= BIT(0x93 % 32);
	guest_writes(&l, APIC_LDR, 0x01000000);
	assert_int_equal(rd(&l, APIC_ICR_LOW), icr);
	assert_int_equal(lapic_pending(&l), 0x93);
	assert_int_equal(rd(&l, APIC_IRR + 0x40), BIT(0x93 % 32));
}

/* SDM v3, "APIC-Write Emulation", 300H: a self-IPI exits if bits 7:4 of its vector are 0. */
static void an_illegal_self_ipi_is_left_to_us(void **state)
{
	(void)state;
	for (uint32_t v = 0; v < 16; v++) {
		struct lapic l = enabled(), x = x2apic();

		guest_writes(&l, APIC_ICR_LOW, v | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
		assert_int_equal(latched_esr(&l), APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECV_ILLEGAL);
		assert_int_equal(lapic_highest_irr(&l), -1);
		guest_writes(&x, APIC_SELF_IPI, v);
		assert_int_equal(wrmsr(&x, X2(APIC_ESR), 0), 0);
		assert_int_equal(rdmsr(&x, X2(APIC_ESR)), APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECV_ILLEGAL);
		assert_int_equal(lapic_highest_irr(&x), -1);
		page_is_what_rdmsr_returns(&x);
	}
}

/* "WRMSR ... 83FH": a self-IPI by MSR leaves the ICR alone. */
static void a_self_ipi_by_msr_is_one_for_every_vector(void **state)
{
	(void)state;
	for (uint32_t v = 16; v < 256; v++) {
		struct lapic l = x2apic();

		send_msg(&l, APIC_DM_FIXED, (uint8_t)v, true);
		guest_writes(&l, APIC_SELF_IPI, v);
		assert_int_equal(lapic_highest_irr(&l), v);
		assert_false(in_map(&l, APIC_TMR, (uint8_t)v));
		assert_int_equal(rdmsr(&l, X2(APIC_ICR_LOW)), 0);
	}
}

/* SDM v3, "Virtualizing MSR-Based APIC Accesses": RDMSR "reads the 8 bytes from offset X on the virtual-APIC page into
 * EDX:EAX, where X = (ECX & FFH) « 4". */
static void in_x2apic_mode_the_page_has_the_forms_of_the_msrs(void **state)
{
	struct lapic l = busy();

	(void)state;
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, l.base | APIC_BASE_EXTD), 0);
	page_is_what_rdmsr_returns(&l);
	assert_int_equal(msr_from_page(&l, APIC_ID), ID);
	assert_int_equal(msr_from_page(&l, APIC_LDR), 1u << ID);
	assert_int_equal(msr_from_page(&l, APIC_ICR_LOW), 0x44 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL));
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), 0x1234567800000071), 0);
	assert_int_equal(msr_from_page(&l, APIC_ICR_LOW), 0x1234567800000071);
	assert_int_equal(wrmsr(&l, X2(APIC_ESR), 0), 0); /* another register: the ICR stays */
	assert_int_equal(msr_from_page(&l, APIC_ICR_LOW), 0x1234567800000071);
	for (size_t i = 0; i < ARRAY_SIZE(written_by_exit); i++) {
		wrmsr(&l, X2(written_by_exit[i]), 0x41);
		page_is_what_rdmsr_returns(&l);
	}
	guest_writes(&l, APIC_SVR, 0); /* such a write does not come: the page is put right */
	page_is_what_rdmsr_returns(&l);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS), 0);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS | APIC_BASE_EN), 0);
	page_is_what_a_read_returns(&l, 0);
	assert_int_equal(*word_at(&l, APIC_ID), ID << 24);
	assert_int_equal(*word_at(&l, APIC_ICR_LOW + 4), 0);
}

/* SDM v3, "EOI Virtualization": "VISR[Vector] ← 0" is done, then "IF EOI_exit_bitmap[Vector] = 1 ... THEN cause
 * EOI-induced VM exit with Vector as exit qualification". Left is what an EOI does beside ISR, of a level or an edge. */
static void the_rest_of_a_virtualized_eoi_is_that_of_an_eoi(void **state)
{
	(void)state;
	for (unsigned directed = 0; directed < 2; directed++)
		for (unsigned level = 0; level < 2; level++) {
			struct lapic l = enabled(), want;

			wr(&l, APIC_SVR, ENABLED | (directed ? APIC_SVR_DIRECTED_EOI : 0));
			fixed(&l, 0x31);
			take(&l, 0x31);
			send_msg(&l, APIC_DM_FIXED, 0x62, level);
			take(&l, 0x62);
			want = l;
			wr(&want, APIC_EOI, 0);
			*word_of(&l, APIC_ISR, 0x62) &= ~BIT(0x62 % 32);
			lapic_eoi_virtualized(&l, 0x62);
			assert_memory_equal(&l, &want, sizeof(l));
			assert_int_equal(lapic_highest_isr(&l), 0x31);
			assert_int_equal(lapic_take_eoi(&l), directed ? -1 : 0x62);
			assert_int_equal(lapic_take_eoi(&l), -1);
		}
}

static void a_virtualized_eoi_frees_lint0(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	lapic_set_lint0(&l, true);
	clear_map(&l, APIC_IRR); /* delivered and ended by the CPU */
	l.changed = false;
	lapic_eoi_virtualized(&l, 0x39);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_false(l.changed);
	lapic_eoi_virtualized(&l, 0x38);
	assert_int_equal(lapic_highest_irr(&l), 0x38);
	assert_true(l.changed);
	clear_map(&l, APIC_IRR);
	lapic_set_lint0(&l, false);
	lapic_eoi_virtualized(&l, 0x38);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(*word_at(&l, APIC_LVT_LINT0), 0x38 | APIC_LVT_LEVEL);
}

/* SDM v3, "Virtual-Interrupt Delivery": "VISR[Vector] ← 1"; "VIRR[Vector] ← 0". "TPR Virtualization": VTPR. */
static void what_the_cpu_changes_is_ours_at_once(void **state)
{
	struct lapic l = enabled();

	(void)state;
	assert_int_equal(lapic_highest_isr(&l), -1);
	fixed(&l, 0x55);
	*word_of(&l, APIC_IRR, 0x55) = 0;
	*word_of(&l, APIC_ISR, 0x55) = BIT(0x55 % 32);
	assert_int_equal(lapic_highest_isr(&l), 0x55);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(lapic_ppr(&l), 0x50);
	*word_at(&l, APIC_TPR) = 0x63;
	assert_int_equal(lapic_tpr(&l), 0x63);
	assert_int_equal(lapic_cr8(&l), 6);
	assert_int_equal(lapic_ppr(&l), 0x63);
	assert_int_equal(rd(&l, APIC_TPR), 0x63);
	wr(&l, APIC_LDR, 0);
	assert_int_equal(rd(&l, APIC_TPR), 0x63);
	assert_int_equal(rd(&l, APIC_ISR + 0x20), BIT(0x55 % 32));
	wr(&l, APIC_EOI, 0);
	assert_int_equal(lapic_highest_isr(&l), -1);
}

/* Since the last look; clears it. */
static bool changed(struct lapic *l)
{
	bool was = l->changed;

	l->changed = false;
	return was;
}

/* RVI and SVI must follow: every change of IRR or ISR that the CPU has not made itself is told. */
static void our_own_changes_of_irr_and_isr_are_told(void **state)
{
	struct lapic l = after_reset();

	(void)state;
	assert_true(changed(&l));
	wr(&l, APIC_SVR, ENABLED);
	wr(&l, APIC_TPR, 0x20);
	lapic_set_cr8(&l, 0);
	assert_int_equal(lapic_pending(&l), -1);
	wr(&l, APIC_EOI, 0); /* nothing in service */
	send_msg(&l, APIC_DM_NMI, 0, false);
	send_msg(&l, APIC_DM_FIXED, 3, false);
	start(&l, 0x60, 0xb, 500, 0);
	page_is_what_a_read_returns(&l, 499);
	assert_false(changed(&l));
	lapic_advance(&l, 500);
	assert_true(changed(&l));
	take(&l, 0x60);
	assert_true(changed(&l));
	fixed(&l, 0x71);
	assert_true(changed(&l));
	wr(&l, APIC_EOI, 0);
	assert_true(changed(&l));
	wr(&l, APIC_ICR_LOW, 0x72 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
	assert_true(changed(&l));
	lapic_eoi_virtualized(&l, 0x72);
	guest_writes(&l, APIC_SVR, 0xff);
	assert_false(changed(&l));
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS), 0);
	assert_true(changed(&l));
}

/* "Local APIC State After Power-Up or Reset": nothing of the old page is left, wherever the guest may have written. */
static void a_global_disable_leaves_the_page_of_a_reset(void **state)
{
	struct lapic l = busy(), fresh = after_reset();

	(void)state;
	wr(&fresh, APIC_LVT_LINT0, APIC_LVT_MASKED);
	memset(l.page, 0xa5, sizeof(l.page));
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS), 0);
	assert_memory_equal(l.page, fresh.page, sizeof(l.page));
}

/* The CPU's writes, ours, messages and modes in any order. */
static void the_page_is_right_after_anything(void **state)
{
	uint64_t x = 88172645463325252ull, now = 0;
	struct lapic l = enabled();

	(void)state;
	for (int i = 0; i < 60000; i++) {
		uint32_t val, offset;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		now += x % 3000;
		val = (uint32_t)(x >> 20);
		offset = written_by_exit[(x >> 8) % ARRAY_SIZE(written_by_exit)];
		switch (x % 8) {
		case 0: lapic_write_msr(&l, MSR_X2APIC_FIRST + (x >> 8) % 0x40, val & 0xff, now, &two_ghz); break;
		case 1: guest_writes_at(&l, offset, val, now); break;
		case 2: send_msg(&l, APIC_DM_FIXED, (uint8_t)val, x >> 16 & 1); break;
		case 3: lapic_set_lint0(&l, x >> 9 & 1); break;
		case 4: if (lapic_pending(&l) >= 0) lapic_accept(&l, (uint8_t)lapic_pending(&l)); break;
		case 5:
			if ((x >> 8) % 64 == 0)
				lapic_write_msr(&l, MSR_APIC_BASE, val & 0xfee00d00, now, &two_ghz);
			break;
		case 6: if (!(l.svr & APIC_SVR_ENABLE)) lapic_write(&l, APIC_SVR, ENABLED, now); break;
		default: lapic_write(&l, (x >> 8) % 0x40 * 16, val, now); break;
		}
		lapic_advance(&l, now);
		if (l.base & APIC_BASE_EXTD)
			page_is_what_rdmsr_returns(&l);
		else if (l.base & APIC_BASE_EN)
			page_is_what_a_read_returns(&l, now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_is_a_page),
		cmocka_unit_test(the_page_follows_every_write),
		cmocka_unit_test(the_page_follows_what_is_no_write_of_the_register),
		cmocka_unit_test(one_write_may_change_other_registers),
		cmocka_unit_test(a_virtualized_write_does_what_a_write_does),
		cmocka_unit_test(reserved_and_status_bits_vanish_from_the_page_again),
		cmocka_unit_test(status_bits_are_not_taken_from_the_page),
		cmocka_unit_test(read_only_registers_return_to_their_value),
		cmocka_unit_test(a_virtualized_write_of_esr_latches_the_errors),
		cmocka_unit_test(the_timer_runs_up_to_the_virtualized_write),
		cmocka_unit_test(an_eoi_that_the_cpu_does_not_virtualize_is_an_eoi),
		cmocka_unit_test(icr_high_is_read_from_the_page),
		cmocka_unit_test(a_self_ipi_of_the_cpu_is_seen_in_irr_and_icr),
		cmocka_unit_test(an_illegal_self_ipi_is_left_to_us),
		cmocka_unit_test(a_self_ipi_by_msr_is_one_for_every_vector),
		cmocka_unit_test(in_x2apic_mode_the_page_has_the_forms_of_the_msrs),
		cmocka_unit_test(the_rest_of_a_virtualized_eoi_is_that_of_an_eoi),
		cmocka_unit_test(a_virtualized_eoi_frees_lint0),
		cmocka_unit_test(what_the_cpu_changes_is_ours_at_once),
		cmocka_unit_test(our_own_changes_of_irr_and_isr_are_told),
		cmocka_unit_test(a_global_disable_leaves_the_page_of_a_reset),
		cmocka_unit_test(the_page_is_right_after_anything),
	};

	return cmocka_run_group_tests_name("lapic_vid", tests, NULL, NULL);
}
