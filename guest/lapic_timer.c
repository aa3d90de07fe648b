/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the local APIC's timer: one-shot, periodic, TSC-deadline, the divisor and the current count.
 * Knows nothing of the bus clock's rate, which is measured, nor of exact time: the CPU may be taken away between any two
 * instructions, so that lower bounds, counts and order are what is compared. No scenario differs by rule or mode. */
#include "known.h"
#include "lapic_regs.h"

#define INITIAL_MAX ((uint32_t)MASK(31, 0))
#define LVT_ONESHOT (V_TIMER | APIC_TIMER_MODE_FIELD(APIC_TIMER_ONESHOT))
#define LVT_PERIODIC (V_TIMER | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC))
#define LVT_DEADLINE (V_TIMER | APIC_TIMER_MODE_FIELD(APIC_TIMER_TSC_DEADLINE))
/* Divide Configuration Register: bits 3, 1 and 0 */
enum { DIVIDE_BY_1 = 0x0b, DIVIDE_BY_2 = 0x00, DIVIDE_BY_16 = 0x03 };
enum { RATIO = 16, RATIO_MIN = 12, RATIO_MAX = 20, RATE_SHIFT = 20 };
enum { TICKS = 10, SAMPLES = 200, SOON_MS = 2, LATER_MS = 20, AFTER_LATER_MS = 60, AN_HOUR_MS = 3600000 };
enum { COUNT_TINY = 1000 };

static uint32_t current_count(void) { return apic_read(APIC_TIMER_CURRENT); }
static uint32_t fired(void) { return arrivals_of(V_TIMER); }
static void spin_ms(unsigned ms) { (void)SPIN_UNTIL(false, ms); }

/* A stopped timer with this divisor and LVT entry, and a handler for it. */
static void prepare(uint32_t lvt, uint32_t divide)
{
	on_vector(V_TIMER, lapic_finish);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_TIMER_DIVIDE, divide);
	apic_write(APIC_LVT_TIMER, lvt);
}

/* Counts per ms times 2^20, over some ms; never too few: a CPU that is away meanwhile makes them more. */
static uint64_t count_rate(uint32_t divide)
{
	uint64_t begin, spent;
	uint32_t count;

	prepare(LVT_ONESHOT | APIC_LVT_MASKED, divide);
	apic_write(APIC_TIMER_INITIAL, INITIAL_MAX);
	count = current_count();
	begin = rdtsc();
	spin_ms(LAPIC_SOME_MS);
	spent = rdtsc() - begin;
	count -= current_count();
	apic_write(APIC_TIMER_INITIAL, 0);
	if (!count)
		fail("", "the current count does not move");
	return ((uint64_t)count << RATE_SHIFT) / (spent / env.tsc_per_ms + 1);
}

/* The initial count that lasts about this long at divide by 1. */
static uint32_t counts_of_ms(unsigned ms)
{
	return (uint32_t)((count_rate(DIVIDE_BY_1) * ms) >> RATE_SHIFT);
}

static uint64_t in_ms(unsigned ms) { return rdtsc() + ms * env.tsc_per_ms; }

/* Whether the target is still to come; if so, nothing may have been delivered yet. IF opens for a moment. */
static bool none_before(uint64_t target)
{
	uint32_t early;

	irq_open();
	early = fired();
	arrivals_clear();
	if (rdtsc() >= target)
		return false;
	EXPECT_EQ(early, 0);
	return true;
}

/* ---- one-shot and periodic ---- */

/* Intel SDM v3, "APIC Timer": "In one-shot mode, the timer is started by programming its initial-count register. The initial
 * count value is then copied into the current-count register and count-down begins. After the timer reaches zero, an timer
 * interrupt is generated and the timer remains at its 0 value until reprogrammed." Must: one interrupt, count 0. */
static void oneshot(void)
{
	uint32_t count = counts_of_ms(SOON_MS);

	prepare(LVT_ONESHOT, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, count);
	irq_on();
	EXPECT(SPIN_UNTIL(fired(), LAPIC_LONG_MS));
	spin_ms(LAPIC_QUIET_MS);
	irq_off();
	EXPECT_EQ(fired(), 1);
	EXPECT_EQ(current_count(), 0);
	EXPECT_EQ(apic_read(APIC_TIMER_INITIAL), count);
}
SCENARIO(lapic_oneshot, .name = "lapic.timer-oneshot") { oneshot(); }
SCENARIO(lapic_oneshot_x2apic, .name = "lapic.x2apic-timer-oneshot")
{
	need_x2apic();
	oneshot();
}

/* Intel SDM v3, "APIC Timer": "In periodic mode, the current-count register is automatically reloaded from the initial-count
 * register when the count reaches zero and a timer interrupt is generated, and the count-down is repeated." "A write of 0
 * to the initial-count register effectively stops the local APIC timer, in both one-shot and periodic mode."
 * Must: ten interrupts, the count never above the initial one; none after the stop. */
static void periodic(void)
{
	uint32_t count = counts_of_ms(SOON_MS), stopped_at;

	prepare(LVT_PERIODIC, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, count);
	irq_on();
	EXPECT(SPIN_UNTIL(fired() >= TICKS, LAPIC_LONG_MS));
	for (int i = 0; i < SAMPLES; i++)
		EXPECT(current_count() <= count);
	apic_write(APIC_TIMER_INITIAL, 0);
	irq_open(); /* one may have been pending already */
	stopped_at = fired();
	EXPECT_EQ(current_count(), 0);
	irq_on();
	spin_ms(LAPIC_QUIET_MS);
	irq_off();
	EXPECT_EQ(fired(), stopped_at);
}
SCENARIO(lapic_periodic, .name = "lapic.timer-periodic") { periodic(); }
SCENARIO(lapic_periodic_x2apic, .name = "lapic.x2apic-timer-periodic")
{
	need_x2apic();
	periodic();
}

/* A one-shot is stopped before its time.
 * Intel SDM v3, "APIC Timer", as above. Must: no interrupt. (If the CPU is away for so long that it had fired before the
 * stop, the attempt is repeated.) */
SCENARIO(lapic_stop, .name = "lapic.timer-stopped-by-zero", .deadline_ms = LAPIC_PATIENT_MS)
{
	uint32_t count = counts_of_ms(LATER_MS);
	bool in_time = false;

	prepare(LVT_ONESHOT, DIVIDE_BY_1);
	for (int i = 0; i < LAPIC_ATTEMPTS && !in_time; i++) {
		uint64_t halfway = in_ms(LATER_MS / 2);

		apic_write(APIC_TIMER_INITIAL, count);
		apic_write(APIC_TIMER_INITIAL, 0);
		in_time = none_before(halfway);
	}
	EXPECT(in_time);
	irq_on();
	spin_ms(AFTER_LATER_MS);
	EXPECT_EQ(fired(), 0);
	EXPECT_EQ(current_count(), 0);
}

/* A running one-shot gets a new initial count.
 * Intel SDM v3, "APIC Timer": "If during the count-down process the initial-count register is set, counting will restart,
 * using the new initial-count value." Must: an hour's count replaced by a short one fires, once. */
SCENARIO(lapic_restart, .name = "lapic.timer-restarted-by-initial-count")
{
	uint32_t count = counts_of_ms(SOON_MS);

	prepare(LVT_ONESHOT, DIVIDE_BY_16);
	apic_write(APIC_TIMER_INITIAL, INITIAL_MAX);
	spin_ms(SOON_MS);
	apic_write(APIC_TIMER_INITIAL, count / RATIO);
	irq_on();
	EXPECT(SPIN_UNTIL(fired(), LAPIC_LONG_MS));
	spin_ms(LAPIC_QUIET_MS);
	EXPECT_EQ(fired(), 1);
}

/* The LVT entry is masked.
 * Intel SDM v3, "APIC Timer": "The mask flag in the LVT timer register can be used to mask the timer interrupt." Must: the
 * count reaches zero, IRR stays clear, unmasking afterwards delivers nothing. */
SCENARIO(lapic_timer_masked, .name = "lapic.timer-masked",
	 .xfails = { KVM_MASKED_TIMER })
{
	uint32_t count = counts_of_ms(SOON_MS);

	prepare(LVT_ONESHOT | APIC_LVT_MASKED, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, count);
	EXPECT(SPIN_UNTIL(current_count() == 0, LAPIC_LONG_MS));
	EXPECT(!apic_irr_bit(V_TIMER));
	apic_write(APIC_LVT_TIMER, LVT_ONESHOT);
	irq_on();
	spin_ms(LAPIC_QUIET_MS);
	EXPECT_EQ(arrivals.count, 0);
}

/* The entry is masked after the interrupt is in IRR.
 * Intel SDM v3, "Local Interrupt Acceptance": IRR holds what was accepted; the mask acts on the source. Must: delivered. */
SCENARIO(lapic_timer_mask_late, .name = "lapic.timer-masked-after-irr")
{
	uint32_t count = counts_of_ms(SOON_MS);

	prepare(LVT_ONESHOT, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, count);
	EXPECT(SPIN_UNTIL(apic_irr_bit(V_TIMER), LAPIC_LONG_MS));
	apic_write(APIC_LVT_TIMER, LVT_ONESHOT | APIC_LVT_MASKED);
	irq_open();
	EXPECT_EQ(fired(), 1);
}

/* The entry holds a vector below 16.
 * Intel SDM v3, "Error Handling": "Receive Illegal Vector: Set when the local APIC detects an illegal vector (one in the range
 * 0 to 15) in an interrupt message it receives or in an interrupt generated locally from the local vector table". Must: no
 * interrupt, the error in the ESR. */
SCENARIO(lapic_timer_illegal, .name = "lapic.timer-illegal-vector",
	 .xfails = { KVM_NO_ESR,
		     BARE("bare-qemu*", "QEMU takes vectors below 16 for any others") })
{
	uint32_t count = counts_of_ms(SOON_MS);

	on_vector(V_ILLEGAL, lapic_finish);
	prepare(V_ILLEGAL, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, count);
	irq_on();
	EXPECT(SPIN_UNTIL(current_count() == 0, LAPIC_LONG_MS));
	spin_ms(LAPIC_SOME_MS);
	irq_off();
	EXPECT_EQ(arrivals.count, 0);
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(apic_read(APIC_ESR), APIC_ESR_RECV_ILLEGAL);
}

/* Several periods pass with IF=0.
 * Intel SDM v3, "Interrupt Acceptance for Fixed Interrupts": "collapsed into the single bit in the IRR". Must: one interrupt
 * when IF opens for two instructions after the timer was stopped. */
SCENARIO(lapic_timer_collapse, .name = "lapic.timer-periods-collapse")
{
	uint32_t count = counts_of_ms(SOON_MS);

	prepare(LVT_PERIODIC, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, count);
	spin_ms(LATER_MS);
	EXPECT(SPIN_UNTIL(apic_irr_bit(V_TIMER), LAPIC_LONG_MS));
	apic_write(APIC_TIMER_INITIAL, 0);
	irq_open();
	EXPECT_EQ(fired(), 1);
}

/* sti; hlt with a one-shot under way.
 * Intel SDM v2, "HLT": "An enabled interrupt (including NMI and SMI), ... will resume execution." "If an interrupt ... is used
 * to resume execution after a HLT instruction, the saved instruction pointer ... points to the instruction following the HLT
 * instruction." Must: it wakes, again and again. */
SCENARIO(lapic_timer_wakes, .name = "lapic.timer-wakes-hlt", .deadline_ms = LAPIC_PATIENT_MS)
{
	uint32_t count = counts_of_ms(SOON_MS);

	prepare(LVT_ONESHOT, DIVIDE_BY_1);
	for (uint32_t i = 1; i <= TICKS; i++) {
		apic_write(APIC_TIMER_INITIAL, count);
		while (fired() < i)
			__asm__ volatile("sti; hlt; cli" ::: "memory");
	}
	EXPECT_EQ(fired(), TICKS);
}

/* ---- count and divisor ---- */

/* A one-shot is watched.
 * Intel SDM v3, "APIC Timer": the current count counts down from the initial count. Must: never above it, never rising. */
SCENARIO(lapic_count, .name = "lapic.timer-count-falls")
{
	uint32_t last = INITIAL_MAX;

	prepare(LVT_ONESHOT | APIC_LVT_MASKED, DIVIDE_BY_2);
	apic_write(APIC_TIMER_INITIAL, INITIAL_MAX);
	for (int i = 0; i < SAMPLES; i++) {
		uint32_t count = current_count();

		EXPECT(count <= last);
		last = count;
	}
	spin_ms(SOON_MS);
	EXPECT(current_count() < last);
}

/* The rate is measured at divide by 1 and by 16.
 * Intel SDM v3, "Divide Configuration Register": "011: Divide by 16", "111: Divide by 1". Must: some attempt finds a ratio
 * near 16. */
SCENARIO(lapic_divide, .name = "lapic.timer-divide", .deadline_ms = LAPIC_PATIENT_MS)
{
	uint64_t ratio = 0;

	for (int i = 0; i < LAPIC_ATTEMPTS && (ratio < RATIO_MIN || ratio > RATIO_MAX); i++)
		ratio = count_rate(DIVIDE_BY_1) / (count_rate(DIVIDE_BY_16) | 1);
	EXPECT(ratio >= RATIO_MIN && ratio <= RATIO_MAX);
}

/* All divisors are written with a reserved bit.
 * Intel SDM v3, "Divide Configuration Register": bits 0, 1 and 3 are the divide value, bit 2 is 0. Must: those read back. */
SCENARIO(lapic_divide_bits, .name = "lapic.timer-divide-reads-back")
{
	enum { ALL = 0x0f, VALUE = 0x0b };

	for (uint32_t v = 0; v <= ALL; v++) {
		apic_write(APIC_TIMER_DIVIDE, v);
		EXPECT_EQ(apic_read(APIC_TIMER_DIVIDE), v & VALUE);
	}
}

/* The divisor changes under a running count.
 * Must: the count goes on from where it is: it neither rises nor restarts. */
SCENARIO(lapic_divide_running, .name = "lapic.timer-divide-while-counting",
	 .xfails = { BARE("bare-*", "the count is computed again from the start with the new divisor") })
{
	uint32_t before;

	prepare(LVT_ONESHOT | APIC_LVT_MASKED, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, INITIAL_MAX);
	spin_ms(LAPIC_SOME_MS);
	before = current_count();
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	EXPECT(current_count() <= before);
	before = current_count();
	spin_ms(LAPIC_SOME_MS);
	EXPECT(current_count() < before);
}

/* ---- TSC-deadline ---- */

static uint64_t deadline(void) { return rdmsr(MSR_TSC_DEADLINE); }
static void set_deadline(uint64_t tsc) { wrmsr(MSR_TSC_DEADLINE, tsc); }

static void prepare_deadline(uint32_t flags)
{
	if (!cpu_has_tsc_deadline())
		skip("no TSC-deadline timer");
	prepare(LVT_DEADLINE | flags, DIVIDE_BY_1);
}

/* Intel SDM v3, "TSC-Deadline Mode": "An interrupt is generated when the logical processor's time-stamp counter equals or
 * exceeds the target value in the IA32_TSC_DEADLINE MSR. When the timer generates an interrupt, it disarms itself and
 * clears the IA32_TSC_DEADLINE MSR. Thus, each write to the IA32_TSC_DEADLINE MSR generates at most one timer interrupt."
 * Must: one, not before its time; the MSR reads the target, then 0. */
static void deadline_once(void)
{
	uint64_t target;

	prepare_deadline(0);
	target = in_ms(LATER_MS);
	set_deadline(target);
	EXPECT(deadline() == target || rdtsc() >= target);
	irq_on();
	EXPECT(SPIN_UNTIL(fired(), LAPIC_LONG_MS));
	EXPECT(rdtsc() >= target);
	spin_ms(LAPIC_QUIET_MS);
	irq_off();
	EXPECT_EQ(fired(), 1);
	EXPECT_EQ(deadline(), 0);
}
SCENARIO(lapic_deadline_once, .name = "lapic.tsc-deadline-fires-once",
	 .xfails = { BOCHS_DEADLINE }) { deadline_once(); }
SCENARIO(lapic_deadline_once_x2apic, .name = "lapic.x2apic-tsc-deadline-fires-once",
	 .xfails = { BOCHS_DEADLINE })
{
	need_x2apic();
	deadline_once();
}

/* Targets that have passed, the least of them 1.
 * Intel SDM v3, as above: "equals or exceeds". Must: fires at once. */
SCENARIO(lapic_deadline_past, .name = "lapic.tsc-deadline-in-the-past",
	 .xfails = { BOCHS_DEADLINE })
{
	prepare_deadline(0);
	irq_on();
	set_deadline(1);
	EXPECT(SPIN_UNTIL(fired() == 1, LAPIC_LONG_MS));
	set_deadline(rdtsc());
	EXPECT(SPIN_UNTIL(fired() == 2, LAPIC_LONG_MS));
	spin_ms(LAPIC_SOME_MS);
	EXPECT_EQ(fired(), 2);
	EXPECT_EQ(deadline(), 0);
}

/* A pending target is overwritten with 0.
 * Intel SDM v3, "TSC-Deadline Mode": "Writing 0 to the IA32_TSC_DEADLINE MSR disarms the local-APIC timer." Must: reads 0, no
 * interrupt, neither at once nor at the target. (Repeated if the CPU was away past the target.) */
SCENARIO(lapic_deadline_zero, .name = "lapic.tsc-deadline-zero-disarms", .deadline_ms = LAPIC_PATIENT_MS)
{
	bool in_time = false;

	prepare_deadline(0);
	for (int i = 0; i < LAPIC_ATTEMPTS && !in_time; i++) {
		uint64_t target = in_ms(LATER_MS);

		set_deadline(target);
		set_deadline(0);
		in_time = none_before(target);
	}
	EXPECT(in_time);
	EXPECT_EQ(deadline(), 0);
	irq_on();
	spin_ms(AFTER_LATER_MS);
	EXPECT_EQ(fired(), 0);
}

/* A far target is overwritten with a near one, a near one with a far one.
 * Intel SDM v3, as above: the MSR holds one target. Must: the last one counts. */
SCENARIO(lapic_deadline_replaced, .name = "lapic.tsc-deadline-replaced", .deadline_ms = LAPIC_PATIENT_MS)
{
	bool in_time = false;

	prepare_deadline(0);
	set_deadline(in_ms(AN_HOUR_MS));
	set_deadline(in_ms(SOON_MS));
	irq_on();
	EXPECT(SPIN_UNTIL(fired() == 1, LAPIC_LONG_MS));
	irq_off();
	arrivals_clear();
	for (int i = 0; i < LAPIC_ATTEMPTS && !in_time; i++) {
		uint64_t target = in_ms(LATER_MS);

		set_deadline(target);
		set_deadline(in_ms(AN_HOUR_MS));
		in_time = none_before(target);
	}
	EXPECT(in_time);
	irq_on();
	spin_ms(AFTER_LATER_MS);
	EXPECT_EQ(fired(), 0);
	set_deadline(0);
}

/* IA32_TSC goes an hour forward; then a deadline is set, soon by the new count; and one for the old count's next hour is armed when
 * the TSC jumps over it.
 * Intel SDM v3, "TSC-Deadline Mode": the interrupt comes when the processor's "time-stamp counter equals or exceeds the absolute
 * time". Must: fires at its time by the count that the guest reads, and at once where the count has passed it. */
static void tsc_forward(uint64_t ms) { wrmsr(MSR_TSC, rdtsc() + ms * env.tsc_per_ms); }
static void tsc_back(uint64_t ms) { wrmsr(MSR_TSC, rdtsc() - ms * env.tsc_per_ms); }

SCENARIO(lapic_deadline_new_tsc, .name = "lapic.tsc-deadline-after-tsc-write",
	 .xfails = { BOCHS_TSC_JUMP })
{
	uint64_t target;

	prepare_deadline(0);
	tsc_forward(AN_HOUR_MS);
	target = in_ms(LATER_MS);
	set_deadline(target);
	irq_on();
	EXPECT(SPIN_UNTIL(fired(), LAPIC_LONG_MS));
	EXPECT(rdtsc() >= target);
	irq_off();
	tsc_back(AN_HOUR_MS);
	EXPECT_EQ(fired(), 1);
}

SCENARIO(lapic_deadline_jumped, .name = "lapic.tsc-deadline-passed-by-tsc-write",
	 .xfails = { KVM_TSC_JUMP, BOCHS_TSC_JUMP })
{
	prepare_deadline(0);
	set_deadline(in_ms(AN_HOUR_MS));
	irq_on();
	spin_ms(LAPIC_SOME_MS);
	EXPECT_EQ(fired(), 0);
	tsc_forward(2 * AN_HOUR_MS);
	EXPECT(SPIN_UNTIL(fired(), LAPIC_LONG_MS));
	irq_off();
	tsc_back(2 * AN_HOUR_MS);
	EXPECT_EQ(fired(), 1);
}

/* The timer's mode is changed with a target pending, and changed back.
 * Intel SDM v3, "TSC-Deadline Mode": "Transitioning between TSC-deadline mode and other timer modes also disarms the timer."
 * "In other timer modes ... the IA32_TSC_DEADLINE MSR reads zero and writes are ignored." Must: no interrupt. */
SCENARIO(lapic_deadline_switch, .name = "lapic.tsc-deadline-mode-switch-disarms", .deadline_ms = LAPIC_PATIENT_MS,
	 .xfails = { BOCHS_DEADLINE })
{
	bool in_time = false;

	prepare_deadline(0);
	for (int i = 0; i < LAPIC_ATTEMPTS && !in_time; i++) {
		uint64_t target = in_ms(LATER_MS);

		set_deadline(target);
		apic_write(APIC_LVT_TIMER, LVT_ONESHOT);
		EXPECT_EQ(deadline(), 0);
		set_deadline(in_ms(SOON_MS));
		EXPECT_EQ(deadline(), 0);
		apic_write(APIC_LVT_TIMER, LVT_DEADLINE);
		in_time = none_before(target);
	}
	EXPECT(in_time);
	EXPECT_EQ(deadline(), 0);
	irq_on();
	spin_ms(AFTER_LATER_MS);
	EXPECT_EQ(fired(), 0);
}

/* A running one-shot is switched to TSC-deadline mode and back.
 * Intel SDM v3, as above. Must: disarmed: no interrupt, current count 0. */
SCENARIO(lapic_oneshot_switch, .name = "lapic.timer-switch-to-tsc-deadline-disarms", .deadline_ms = LAPIC_PATIENT_MS,
	 .xfails = { BOCHS_DEADLINE })
{
	uint32_t count;
	bool in_time = false;

	if (!cpu_has_tsc_deadline())
		skip("no TSC-deadline timer");
	count = counts_of_ms(LATER_MS);
	for (int i = 0; i < LAPIC_ATTEMPTS && !in_time; i++) {
		uint64_t halfway = in_ms(LATER_MS / 2);

		prepare(LVT_ONESHOT, DIVIDE_BY_1);
		apic_write(APIC_TIMER_INITIAL, count);
		apic_write(APIC_LVT_TIMER, LVT_DEADLINE);
		EXPECT_EQ(current_count(), 0);
		apic_write(APIC_LVT_TIMER, LVT_ONESHOT);
		EXPECT_EQ(current_count(), 0);
		in_time = none_before(halfway);
	}
	EXPECT(in_time);
	irq_on();
	spin_ms(AFTER_LATER_MS);
	EXPECT_EQ(fired(), 0);
}

/* The initial count is written in TSC-deadline mode.
 * Intel SDM v3, "TSC-Deadline Mode": "writes to the initial-count register are ignored; and current-count register always
 * reads 0". Must: no interrupt. */
SCENARIO(lapic_deadline_initial, .name = "lapic.tsc-deadline-ignores-initial-count")
{
	prepare_deadline(0);
	apic_write(APIC_TIMER_INITIAL, COUNT_TINY);
	EXPECT_EQ(current_count(), 0);
	irq_on();
	spin_ms(LAPIC_QUIET_MS);
	EXPECT_EQ(fired(), 0);
}

/* The entry is masked when the time comes.
 * Intel SDM v3, "APIC Timer": the mask flag masks the timer interrupt, in every mode. Must: the target passes without an
 * interrupt; unmasking delivers none, and a new target works. */
SCENARIO(lapic_deadline_masked, .name = "lapic.tsc-deadline-masked",
	 .xfails = { KVM_MASKED_TIMER,
		     BOCHS_DEADLINE })
{
	uint64_t target;

	prepare_deadline(APIC_LVT_MASKED);
	target = in_ms(SOON_MS);
	set_deadline(target);
	irq_on();
	while (rdtsc() < target)
		pause();
	spin_ms(LAPIC_SOME_MS);
	EXPECT_EQ(deadline(), 0);
	apic_write(APIC_LVT_TIMER, LVT_DEADLINE);
	spin_ms(LAPIC_QUIET_MS);
	EXPECT_EQ(fired(), 0);
	set_deadline(in_ms(SOON_MS));
	EXPECT(SPIN_UNTIL(fired() == 1, LAPIC_LONG_MS));
}

/* Masked, and with the shortest period: nothing to stop the guest for. Where exits are counted. */
enum { QUIET_MS = 20, FEW_EXITS = 60 };
SCENARIO(lapic_timer_masked_free, .name = "lapic.timer-masked-costs-nothing")
{
	uint64_t exits;

	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC) | V_TIMER);
	apic_write(APIC_TIMER_INITIAL, 1);
	irq_on();
	exits = lab_counter(LAB_EXITS);
	SPIN_UNTIL(false, QUIET_MS);
	exits = lab_counter(LAB_EXITS) - exits;
	irq_off();
	metric("exits", exits);
	EXPECT(exits < FEW_EXITS);
}
