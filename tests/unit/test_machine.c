/* SPDX-License-Identifier: BSD-2-Clause
 * Which device answers where, and which wire goes where.
 * Knows nothing of what the devices do; they have tests of their own. */
#include "vmm/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "x86.h"

#define T0 NSEC_PER_SEC
#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define ICW1 (ICW1_INIT | ICW1_IC4)
#define MODE(m) (PIT_CW_RW(PIT_RW_WORD) | PIT_CW_MODE(m))
#define PIT_1_MS 1193u

static struct machine m;
static uint64_t now;

static void outx(uint16_t port, unsigned size, uint32_t val)
{
	machine_pio(&m, port, size, true, &val, now);
}

static uint32_t inx(uint16_t port, unsigned size)
{
	uint32_t val = 0x5a5a5a5a;

	machine_pio(&m, port, size, false, &val, now);
	return val;
}

static void outb(uint16_t port, uint8_t val)
{
	outx(port, 1, val);
}

static void outw(uint16_t port, uint16_t val)
{
	outx(port, 2, val);
}

/* Both 8259s initialized, nothing masked, counter 0's output low. */
static int setup(void **state)
{
	(void)state;
	now = T0;
	memset(&m, 0x5a, sizeof(m));
	machine_init(&m, now, 0, NULL);
	outb(PIT_CMD, (uint8_t)MODE(0));
	outb(PIC_MASTER_CMD, ICW1);
	outb(PIC_MASTER_DATA, 0x20);
	outb(PIC_MASTER_DATA, BIT(PIC_CASCADE));
	outb(PIC_MASTER_DATA, ICW4_UPM);
	outb(PIC_SLAVE_CMD, ICW1);
	outb(PIC_SLAVE_DATA, 0x28);
	outb(PIC_SLAVE_DATA, PIC_CASCADE);
	outb(PIC_SLAVE_DATA, ICW4_UPM);
	return 0;
}

static void pit_start(unsigned mode, uint32_t count)
{
	outb(PIT_CMD, (uint8_t)MODE(mode));
	outb(PIT_CH0, (uint8_t)count);
	outb(PIT_CH0, (uint8_t)(count >> 8));
}

static uint32_t pic_lines(void)
{
	return m.pic.master.lines | (uint32_t)m.pic.slave.lines << 8;
}

/* ---- wires ---- */

static void an_isa_line_is_a_pic_input_and_an_ioapic_pin(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 16; n++) {
		if (n == PIC_CASCADE)
			continue;
		outw(LAB_UP, (uint16_t)BIT(n));
		assert_int_equal(pic_lines() & ~BIT(PIC_CASCADE), BIT(n));
		assert_int_equal(m.ioapic.lines, BIT(n));
		outw(LAB_DOWN, (uint16_t)BIT(n));
		assert_int_equal(pic_lines(), 0);
		assert_int_equal(m.ioapic.lines, 0);
	}
}

/* The default configurations of the MultiProcessor Specification: the timer is on INTIN2. */
static void the_timer_is_ioapic_pin_2_and_the_cascade_is_nobodys(void **state)
{
	(void)state;
	outw(LAB_UP, BIT(2));
	assert_int_equal(pic_lines(), 0);
	assert_int_equal(m.ioapic.lines, 0);
	outw(LAB_UP, BIT(0));
	assert_int_equal(pic_lines(), BIT(0));
	assert_int_equal(m.ioapic.lines, BIT(2));
	outw(LAB_DOWN, BIT(2));
	assert_int_equal(m.ioapic.lines, BIT(2));
}

/* PC16550D data sheet, "Interrupt Control Functions": THRE is reset by "Writing into the Transmitter Holding Register". */
static void a_line_that_falls_and_rises_within_one_access_is_an_edge(void **state)
{
	struct apic_msg msg;
	(void)state;
	outb(UART_COM1 + UART_MCR, BIT(3)); /* OUT2 */
	outb(UART_COM1 + UART_IER, BIT(1)); /* transmitter empty */
	assert_int_equal(pic_inta(&m.pic).vector, 0x20 + UART_IRQ);
	outb(PIC_MASTER_CMD, OCW2_EOI);
	assert_false(pic_intr(&m.pic));
	outb(UART_COM1 + UART_THR, 'x');
	assert_true(pic_intr(&m.pic));
	assert_int_equal(pic_inta(&m.pic).vector, 0x20 + UART_IRQ);

	/* IER raises it, and MCR, three bytes later, lowers it: no level is left, but the I/O APIC keeps edges. */
	outb(UART_COM1 + UART_IER, 0);
	ioapic_write(&m.ioapic, IOAPIC_REGSEL, IOAPIC_REG_RTE + 2 * UART_IRQ);
	ioapic_write(&m.ioapic, IOAPIC_WINDOW, 0x31);
	outx(UART_COM1 + UART_IER, 4, BIT(1));
	assert_int_equal(m.lines, 0);
	assert_true(ioapic_next_msg(&m.ioapic, &msg));
	assert_int_equal(msg.vector, 0x31);
}

static void pins_above_15_have_no_pic_input(void **state)
{
	(void)state;
	outw(LAB_IOAPIC_UP, 16);
	outw(LAB_IOAPIC_UP, 23);
	assert_int_equal(m.ioapic.lines, BIT(16) | BIT(23));
	assert_int_equal(pic_lines(), 0);
}

static void a_line_is_high_while_a_device_or_the_lab_drives_it(void **state)
{
	(void)state;
	outb(UART_COM1 + UART_MCR, BIT(3)); /* OUT2 */
	outb(UART_COM1 + UART_IER, BIT(1)); /* transmitter empty */
	assert_int_equal(pic_lines(), BIT(UART_IRQ));
	outw(LAB_UP, BIT(UART_IRQ));
	assert_int_equal(pic_lines(), BIT(UART_IRQ));
	outb(UART_COM1 + UART_IER, 0);
	assert_int_equal(pic_lines(), BIT(UART_IRQ));
	outw(LAB_DOWN, BIT(UART_IRQ));
	assert_int_equal(pic_lines(), 0);
}

static void a_pulse_is_a_new_edge(void **state)
{
	(void)state;
	outw(LAB_UP, BIT(3));
	assert_int_equal(machine_inta(&m, now).vector, 0x23);
	outb(PIC_MASTER_CMD, OCW2_EOI);
	assert_false(pic_intr(&m.pic));
	outw(LAB_UP, BIT(3));
	assert_false(pic_intr(&m.pic));
	outw(LAB_PULSE, BIT(3));
	assert_true(pic_intr(&m.pic));
}

static void unmask_all(void)
{
	outb(PIC_MASTER_DATA, 0);
	outb(PIC_SLAVE_DATA, 0);
}

static void the_clock_is_line_8(void **state)
{
	(void)state;
	unmask_all();
	outb(RTC_INDEX, 0x0a);
	outb(RTC_DATA, (uint8_t)(RTC_A_DV(RTC_DV_32768HZ) | 6)); /* 1024 Hz */
	outb(RTC_INDEX, 0x0b);
	outb(RTC_DATA, (uint8_t)(RTC_B_24H | RTC_B_PIE));
	assert_in_range(machine_deadline(&m), now, now + MS);
	now = machine_deadline(&m);
	machine_advance(&m, now);
	assert_int_equal(pic_lines() & ~BIT(PIC_CASCADE), BIT(RTC_IRQ));
	outb(RTC_INDEX, 0x0c);
	inx(RTC_DATA, 1);
	assert_int_equal(pic_lines(), 0);
}

/* ---- PIT ---- */

static void a_one_shot_raises_irq_0_at_its_deadline_and_stays_high(void **state)
{
	(void)state;
	unmask_all();
	pit_start(0, PIT_1_MS);
	assert_int_equal(pic_lines(), 0);
	now = machine_deadline(&m);
	assert_in_range(now, T0 + MS - 2 * US, T0 + MS + 2 * US);
	machine_advance(&m, now - 1);
	assert_int_equal(pic_lines(), 0);
	machine_advance(&m, now);
	assert_int_equal(pic_lines(), BIT(IRQ_PIT));
	machine_advance(&m, now + NSEC_PER_SEC);
	assert_int_equal(pic_lines(), BIT(IRQ_PIT));
	assert_int_equal(machine_deadline(&m), TIME_NEVER);
}

/* Masked at both controllers nobody waits for the line; what it did meanwhile is found whenever somebody looks. */
static void a_line_that_nobody_hears_sets_no_deadline(void **state)
{
	const uint64_t entry = IOAPIC_PIN_PIT;

	(void)state;
	pit_start(2, PIT_1_MS);
	outb(PIC_MASTER_DATA, UINT8_MAX);
	assert_true(m.ioapic.rte[entry] & RTE_MASKED);
	assert_int_equal(machine_deadline(&m), TIME_NEVER);
	now += 10 * MS;
	machine_advance(&m, now);
	assert_true(pic_chip_irr(&m.pic.master) & BIT(IRQ_PIT));
	m.ioapic.rte[entry] &= ~RTE_MASKED;
	assert_in_range(machine_deadline(&m), now, now + MS);
	m.ioapic.rte[entry] |= RTE_MASKED;
	outb(PIC_MASTER_DATA, (uint8_t)~BIT(IRQ_PIT));
	assert_in_range(machine_deadline(&m), now, now + MS);
}

/* An 8259 holds one request per line, however often it rose. */
static void missed_periods_give_one_interrupt(void **state)
{
	(void)state;
	pit_start(2, PIT_1_MS);
	/* The mode's own edge: OUT goes high with the Control Word. */
	assert_int_equal(machine_inta(&m, now).vector, 0x20);
	outb(PIC_MASTER_CMD, OCW2_EOI);
	now += 10 * MS + MS / 2;
	machine_advance(&m, now);
	assert_true(pic_intr(&m.pic));
	assert_int_equal(machine_inta(&m, now).vector, 0x20);
	outb(PIC_MASTER_CMD, OCW2_EOI);
	assert_false(pic_intr(&m.pic));
	/* The line was high before and is high after: each period is an edge all the same. */
	now += MS;
	machine_advance(&m, now);
	assert_true(pic_intr(&m.pic));
}

/* A CPU that is open for interrupts sees the rise, even if OUT is low again when the machine looks. */
static void a_rise_that_is_over_already_is_seen_until_the_next_look(void **state)
{
	(void)state;
	pit_start(3, 2 * PIT_1_MS);
	machine_inta(&m, now);
	outb(PIC_MASTER_CMD, OCW2_EOI);
	/* 1 ms high, 1 ms low: 3.5 periods later it is low. */
	now += 7 * MS + MS / 2;
	machine_advance(&m, now);
	assert_false(pit_out0(&m.pit));
	assert_true(pic_intr(&m.pic));
	machine_advance(&m, now);
	assert_true(pic_intr(&m.pic));
	/* "the IR inputs must remain high until after the falling edge of the first INTA" */
	machine_advance(&m, now + US);
	assert_false(pic_intr(&m.pic));
}

static void a_square_wave_falls_in_its_second_half(void **state)
{
	(void)state;
	unmask_all();
	pit_start(3, 2 * PIT_1_MS);
	assert_int_equal(pic_lines(), BIT(IRQ_PIT));
	now = machine_deadline(&m);
	machine_advance(&m, now);
	assert_int_equal(pic_lines(), 0);
	now = machine_deadline(&m);
	machine_advance(&m, now);
	assert_int_equal(pic_lines(), BIT(IRQ_PIT));
}

static void a_write_that_lowers_the_output_lowers_the_line_at_once(void **state)
{
	(void)state;
	pit_start(2, PIT_1_MS);
	now += MS / 2;
	machine_advance(&m, now);
	assert_int_equal(pic_lines(), BIT(IRQ_PIT));
	outb(PIT_CMD, (uint8_t)MODE(0));
	assert_int_equal(pic_lines(), 0);
	assert_false(pic_intr(&m.pic));
}

static void a_count_read_is_the_count_now(void **state)
{
	uint32_t a, b;
	(void)state;

	pit_start(2, PIT_1_MS);
	now += 100 * US;
	outb(PIT_CMD, 0);
	a = inx(PIT_CH0, 1) | inx(PIT_CH0, 1) << 8;
	now += 100 * US;
	outb(PIT_CMD, 0);
	b = inx(PIT_CH0, 1) | inx(PIT_CH0, 1) << 8;
	assert_in_range(a - b, 118, 121);
}

/* ---- ports ---- */

static void unclaimed_ports_read_all_ones_and_drop_writes(void **state)
{
	static const uint16_t ports[] = { 0x00, 0x22, 0x80, 0x2f8, 0xcfc, TESTDEV_LATCH, TESTDEV_LINES, 0x5ff, 0x640, 0xffff };
	struct machine before = m;
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		outx(ports[i], 4, 0);
		assert_int_equal(inx(ports[i], 1), 0xff);
		assert_int_equal(inx(ports[i], 2), 0xffff);
		if (ports[i] != UINT16_MAX)
			assert_int_equal(inx(ports[i], 4) & 0xffff, 0xffff);
	}
	assert_int_equal(inx(0xcf8, 4), UINT32_MAX);
	before.rtc = m.rtc;
	before.pit = m.pit;
	before.pit_edge = m.pit_edge;
	assert_memory_equal(&before, &m, sizeof(m));
}

/* A 16-bit access to an 8-bit device is two accesses, low byte first. */
static void wide_accesses_are_split_into_bytes(void **state)
{
	(void)state;
	outx(PIC_MASTER_CMD, 2, 0xa500 | OCW3_SELECT | OCW3_RR | OCW3_RIS);
	assert_true(m.pic.master.read_isr);
	assert_int_equal(m.pic.master.imr, 0xa5);
	assert_int_equal(inx(PIC_MASTER_CMD, 2), 0xa500);
	outx(UART_COM1 + UART_SCR - 1, 4, 0x11223344);
	assert_int_equal(inx(UART_COM1 + UART_SCR, 1), 0x33);
	outb(UART_COM1 + UART_SCR, 0x77);
	assert_int_equal(inx(UART_COM1 + UART_SCR, 4), 0xffffff77);
}

static void each_device_answers_at_its_ports(void **state)
{
	(void)state;
	outb(PIC_SLAVE_DATA, 0x12);
	assert_int_equal(inx(PIC_SLAVE_DATA, 1), 0x12);
	outb(PIC_ELCR_MASTER, 0xff);
	assert_int_equal(inx(PIC_ELCR_MASTER, 1), 0xf8);
	outb(PIC_ELCR_SLAVE, 0xff);
	assert_int_equal(inx(PIC_ELCR_SLAVE, 1), 0xde);
	outb(PIT_PORT61, PORT61_GATE2);
	assert_int_equal(inx(PIT_PORT61, 1) & (PORT61_GATE2 | PORT61_SPEAKER), PORT61_GATE2);
	outb(RTC_INDEX, 0x40);
	outb(RTC_DATA, 0x99);
	assert_int_equal(inx(RTC_DATA, 1), 0x99);
	assert_int_equal(inx(LAB_MAGIC_PORT, 4), LAB_MAGIC);
	assert_int_equal(inx(LAB_MAGIC_PORT, 1), UINT32_MAX);
}

static void a20_is_open_and_reads_back(void **state)
{
	(void)state;
	assert_int_equal(inx(PORT92, 1), PORT92_A20);
	outb(PORT92, 0xfe);
	assert_int_equal(inx(PORT92, 1), PORT92_A20);
	outb(PORT92, 0);
	assert_int_equal(inx(PORT92, 1), 0);
}

static void the_uart_transmits(void **state)
{
	char buf[4];
	(void)state;

	outb(UART_COM1 + UART_THR, 'x');
	assert_int_equal(uart_take(&m.uart, buf, sizeof(buf)), 1);
	assert_int_equal(buf[0], 'x');
}

static void the_exit_port_takes_the_low_byte(void **state)
{
	(void)state;
	outx(EXIT_PORT, 4, 0x12345607);
	assert_true(m.events.exited);
	assert_int_equal(m.events.exit_status, 7);
}

static void bochs_word(const char *text)
{
	for (; *text; text++)
		outb(BOCHS_EXIT_PORT, (uint8_t)*text);
}

/* "the string "Shutdown", byte by byte" */
static void only_the_whole_word_shuts_down(void **state)
{
	(void)state;
	bochs_word("Shutdow");
	bochs_word("shutdown");
	bochs_word("ShutShutdow");
	assert_false(m.events.exited);
	bochs_word("n");
	assert_true(m.events.exited);
	assert_int_equal(m.events.exit_status, 0);
}

/* ---- memory ---- */

static uint32_t ioapic_reg(uint32_t reg)
{
	uint32_t val = 0;

	machine_mmio(&m, IOAPIC_DEFAULT_PHYS + IOAPIC_REGSEL, (uint8_t *)&reg, 4, true, now);
	machine_mmio(&m, IOAPIC_DEFAULT_PHYS + IOAPIC_WINDOW, (uint8_t *)&val, 4, false, now);
	return val;
}

static void the_ioapic_answers_at_its_page(void **state)
{
	uint64_t wide = 0;
	uint8_t byte = 0, rte_index = IOAPIC_REG_RTE;
	(void)state;

	assert_int_equal(ioapic_reg(IOAPIC_REG_VER), (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION);
	machine_mmio(&m, IOAPIC_DEFAULT_PHYS + IOAPIC_WINDOW + 2, &byte, 1, false, now);
	assert_int_equal(byte, IOAPIC_PINS - 1);
	/* A byte write is none of its own. */
	machine_mmio(&m, IOAPIC_DEFAULT_PHYS + IOAPIC_REGSEL, &rte_index, 1, true, now);
	assert_int_equal(m.ioapic.regsel, IOAPIC_REG_VER);
	machine_mmio(&m, IOAPIC_DEFAULT_PHYS + IOAPIC_WINDOW, (uint8_t *)&wide, 8, false, now);
	assert_true(wide == UINT64_MAX);
}

static void other_memory_reads_all_ones(void **state)
{
	static const uint64_t places[] = { IOAPIC_DEFAULT_PHYS - 4, IOAPIC_DEFAULT_PHYS + IOAPIC_SIZE, APIC_DEFAULT_PHYS,
					   0xa0000, UINT64_MAX - 7 };
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t val = 0;

		machine_mmio(&m, places[i], (uint8_t *)&val, 8, false, now);
		assert_true(val == UINT64_MAX);
		machine_mmio(&m, places[i], (uint8_t *)&val, 8, true, now);
		machine_mmio(&m, places[i], (uint8_t *)&val, 4, false, now);
		assert_true(val == UINT64_MAX);
		val = 0;
		machine_mmio(&m, places[i], (uint8_t *)&val, 4, false, now);
		assert_true(val == UINT32_MAX);
	}
}

/* ---- lab ---- */

static void delayed_commands_happen_in_time(void **state)
{
	(void)state;
	outx(LAB_DELAY, 4, 50);
	outw(LAB_UP, BIT(5));
	outx(LAB_DELAY, 4, 20);
	outb(LAB_NMI, 1);
	assert_int_equal(machine_deadline(&m), T0 + 20 * US);
	assert_true(machine_nmi_possible(&m));
	machine_advance(&m, T0 + 20 * US);
	assert_int_equal(m.events.nmis, 1);
	assert_int_equal(machine_deadline(&m), T0 + 50 * US);
	assert_int_equal(pic_lines(), 0);
	machine_advance(&m, T0 + 50 * US);
	assert_int_equal(pic_lines(), BIT(5));
	assert_int_equal(machine_deadline(&m), TIME_NEVER);
}

static void commands_due_at_once_happen_at_once(void **state)
{
	(void)state;
	outx(LAB_DELAY, 4, 20);
	outb(LAB_NMI, 1);
	outx(LAB_DELAY, 4, 10);
	outw(LAB_UP, BIT(5));
	outx(LAB_DELAY, 4, 20);
	outb(LAB_NMI, 1);
	machine_advance(&m, T0 + MS);
	assert_int_equal(m.events.nmis, 2);
	assert_int_equal(pic_lines(), BIT(5));
}

static void a_drop_before_inta_cannot_lower_a_line_that_a_device_drives(void **state)
{
	(void)state;
	outb(UART_COM1 + UART_MCR, BIT(3));
	outb(UART_COM1 + UART_IER, BIT(1));
	outw(LAB_DROP_BEFORE_INTA, BIT(UART_IRQ));
	assert_int_equal(machine_inta(&m, now).vector, 0x24);
	assert_int_equal(m.ioapic.lines, BIT(UART_IRQ));
}

static void a_drop_before_inta_lowers_the_ioapic_pin_too(void **state)
{
	struct pic_ack ack;
	(void)state;

	outw(LAB_UP, BIT(3));
	outw(LAB_DROP_BEFORE_INTA, BIT(3));
	ack = machine_inta(&m, now);
	assert_true(ack.spurious);
	assert_int_equal(ack.vector, 0x27);
	assert_int_equal(m.ioapic.lines, 0);
}

static void an_nmi_is_possible_through_an_unmasked_nmi_pin(void **state)
{
	(void)state;
	assert_false(machine_nmi_possible(&m));
	m.ioapic.rte[5] = FIELD(10, 8, APIC_DM_NMI) | RTE_MASKED;
	assert_false(machine_nmi_possible(&m));
	m.ioapic.rte[5] = FIELD(10, 8, APIC_DM_NMI);
	assert_true(machine_nmi_possible(&m));
}

static void unmap_names_a_page(void **state)
{
	(void)state;
	outx(LAB_UNMAP, 4, UINT32_MAX);
	assert_true(m.events.unmap);
	assert_true(m.events.unmap_gpa == UINT32_MAX * PAGE_SIZE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(an_isa_line_is_a_pic_input_and_an_ioapic_pin),
		T(the_timer_is_ioapic_pin_2_and_the_cascade_is_nobodys),
		T(a_line_that_falls_and_rises_within_one_access_is_an_edge),
		T(pins_above_15_have_no_pic_input),
		T(a_line_is_high_while_a_device_or_the_lab_drives_it),
		T(a_pulse_is_a_new_edge),
		T(the_clock_is_line_8),
		T(a_one_shot_raises_irq_0_at_its_deadline_and_stays_high),
		T(a_line_that_nobody_hears_sets_no_deadline),
		T(missed_periods_give_one_interrupt),
		T(a_rise_that_is_over_already_is_seen_until_the_next_look),
		T(a_square_wave_falls_in_its_second_half),
		T(a_write_that_lowers_the_output_lowers_the_line_at_once),
		T(a_count_read_is_the_count_now),
		T(unclaimed_ports_read_all_ones_and_drop_writes),
		T(wide_accesses_are_split_into_bytes),
		T(each_device_answers_at_its_ports),
		T(a20_is_open_and_reads_back),
		T(the_uart_transmits),
		T(the_exit_port_takes_the_low_byte),
		T(only_the_whole_word_shuts_down),
		T(the_ioapic_answers_at_its_page),
		T(other_memory_reads_all_ones),
		T(delayed_commands_happen_in_time),
		T(commands_due_at_once_happen_at_once),
		T(a_drop_before_inta_cannot_lower_a_line_that_a_device_drives),
		T(a_drop_before_inta_lowers_the_ioapic_pin_too),
		T(an_nmi_is_possible_through_an_unmasked_nmi_pin),
		T(unmap_names_a_page),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
