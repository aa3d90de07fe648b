/* SPDX-License-Identifier: BSD-2-Clause
 * The rule, first part: who goes first when an ExtINT and a local APIC vector want the same window, and when a window
 * is armed again after the stash was emptied. The second part, LINT0, is in rule_lint0.c.
 * Knows nothing of how the rules are written; the comments say what follows from them. */
#include "rt.h"

#define LINE_HIGH 3 /* fixed priority of the 8259: IR3 before IR4 before IR5 */
#define LINE_MID 4
#define LINE_LOW 5
#define IPI_VECTOR 0x60
#define TIMER_VECTOR 0x61

SEQUENCE(seq_open,
	"	sti\n"
	"	nop\n"
	SEQ_LABEL(open_boundary)
	"	nop\n"
	"	cli\n");
extern const char open_boundary[];

/* ---- ExtINT and a local APIC vector at one window ---- */

/* IF=0, an ISA line high, a self-IPI in IRR, then STI: both can be taken at the same boundary. No manual orders the
 * two; KVM, QEMU and we ask the 8259 first and the local APIC only if it has none, and a rule that lets the local APIC go
 * first lets it go first every time (rule.self-ipi-starvation).
 * legacy, split: `ready` demands that no local APIC vector is pending, so the user half is not asked; the vector is
 * injected instead: inverted. With virtual-interrupt delivery it cannot even be injected: livelock.
 * stash, boundary, rearm: `ready` asks for a place in the stash only: ExtINT first.
 * user: the local APIC is the user half's own, and it asks the 8259 first under every rule. */
SCENARIO(rule_inversion, .name = "rule.extint-before-lapic",
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_OFF, NULL, "inverted", "a pending LAPIC vector makes ready false" },
		     { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" },
		     { RULE_ANY, MODE_ANY, VID_ANY, "bare-bochs*", "inverted", "Bochs asks the local APIC first" } })
{
	uint8_t extint = irq_pend();

	on_vector(IPI_VECTOR, apic_handler);
	apic_self_ipi(IPI_VECTOR);
	seq_open();
	EXPECT_EQ(arrivals_of(extint), 1);
	EXPECT_EQ(arrivals_of(IPI_VECTOR), 1);
	EXPECT_EQ(arrivals.log[0].rip, (uint64_t)open_boundary);
	EXPECT_EQ(arrivals.log[1].rip, (uint64_t)open_boundary);
	if (arrivals.log[0].vector == IPI_VECTOR)
		fail("inverted", "LAPIC vector %#x before ExtINT %#x", IPI_VECTOR, extint);
}

/* The same entry, asked for nothing but progress. SDM v3, "Virtual-Interrupt Delivery": a recognized virtual interrupt
 * is delivered when, among others, "the 'interrupt-window exiting' VM-execution control is 0".
 * legacy with VID: the window is armed for the ExtINT, exits at once, finds a vector pending in the local APIC, is not
 * `ready`, and is armed again: no instruction of the guest is executed any more. The watchdog calls it livelock.
 * All others hand the ExtINT over at the first window, which disarms it; the vector follows. */
SCENARIO(rule_vid_window, .name = "rule.vid-window-request",
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" } })
{
	uint8_t extint = irq_pend();

	on_vector(IPI_VECTOR, apic_handler);
	apic_self_ipi(IPI_VECTOR);
	irq_on();
	SPIN_UNTIL(arrivals.count == 2, 100);
	irq_off();
	EXPECT_EQ(arrivals_of(extint), 1);
	EXPECT_EQ(arrivals_of(IPI_VECTOR), 1);
}

/* ---- starvation ---- */

/* A handler that makes its own vector pending again before it returns, up to STORM_WINDOWS times or until the ExtINT
 * has come: the local APIC has something deliverable at every reopening of IF. The ExtINT line is high all the time.
 * legacy, split: every window goes to the local APIC: starved; after the last one it drains and the ExtINT arrives.
 * All others: the first window is the ExtINT's. */
#define STORM_WINDOWS 64
#define STORM_MS 2000
#define TIMER_PERIOD 20000 /* bus clocks of 1 ns where the platform has KVM's bus clock: 20 us */
#define TIMER_MS 50
#define APIC_DIVIDE_BY_1 0xb

static volatile uint32_t storm_windows;
static uint8_t storm_extint;

static bool storm_goes_on(void)
{
	storm_windows++;
	return storm_windows < STORM_WINDOWS && !arrivals_of(storm_extint);
}

static void self_ipi_again(struct frame *f)
{
	if (storm_goes_on())
		apic_self_ipi((uint8_t)f->vector);
	apic_eoi();
}

/* The timer expires again while its own interrupt is in service: it is pending when EOI comes. */
static void timer_again(struct frame *f)
{
	if (!storm_goes_on())
		apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	else if (!SPIN_UNTIL(apic_irr_bit((uint8_t)f->vector), TIMER_MS))
		error("the periodic timer does not expire again");
	apic_eoi();
}

static void storm_verdict(void)
{
	uint32_t before;

	irq_on();
	SPIN_UNTIL(arrivals_of(storm_extint), STORM_MS);
	settle();
	irq_off();
	EXPECT_EQ(arrivals_of(storm_extint), 1);
	for (before = 0; before < arrivals.count && before < STORM_WINDOWS; before++)
		if (arrivals.log[before].vector == storm_extint)
			break;
	if (before == STORM_WINDOWS)
		fail("starved", "%u windows, 0 ExtINT", STORM_WINDOWS);
	metric("windows", before);
	EXPECT_EQ(before, 0);
}
_Static_assert(STORM_WINDOWS <= ARRAY_SIZE(arrivals.log), "the log must show where the ExtINT came");

SCENARIO(rule_ipi_storm, .name = "rule.self-ipi-starvation",
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_OFF, NULL, "starved", "every window goes to the local APIC" },
		     { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" },
		     { RULE_ANY, MODE_ANY, VID_ANY, "bare-bochs*", "starved", "Bochs asks the local APIC first" } })
{
	storm_windows = 0;
	storm_extint = irq_pend();
	on_vector(IPI_VECTOR, self_ipi_again);
	apic_self_ipi(IPI_VECTOR);
	storm_verdict();
}

SCENARIO(rule_timer_storm, .name = "rule.timer-starvation",
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_OFF, NULL, "starved", "every window goes to the local APIC" },
		     { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" },
		     { RULE_ANY, MODE_ANY, VID_ANY, "bare-bochs*", "starved", "Bochs asks the local APIC first" } })
{
	storm_windows = 0;
	storm_extint = irq_pend();
	on_vector(TIMER_VECTOR, timer_again);
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC));
	apic_write(APIC_TIMER_INITIAL, TIMER_PERIOD);
	if (!SPIN_UNTIL(apic_irr_bit(TIMER_VECTOR), TIMER_MS))
		error("the periodic timer does not expire");
	storm_verdict();
}

/* ---- the arming hole ---- */

/* Three lines rise in one OUT, IF=1, the master in AEOI mode. 8259A data sheet, "Automatic End of Interrupt (AEOI)
 * Mode": it "will automatically perform a non-specific EOI operation at the trailing edge of the last interrupt
 * acknowledge pulse": INTR is high again as soon as the first vector is acknowledged, while that vector still fills
 * the stash. The handlers touch no device: nothing but a window makes an exit.
 * legacy: `accept` does not look at the stash: a window is armed with the injection, and again: all three arrive at
 * the boundary behind OUT, by two window exits.
 * stash, boundary: the window was decided on before the injection emptied the stash: no window; the second and third
 * interrupt wait for an exit that has nothing to do with them: late. Both modes (user: `inj` is the place).
 * rearm: decides again after the injection: as legacy.
 * An exit that the host causes can stand in for a window. So a run in which one happened proves lateness, never its
 * absence, and is measured again, at most AEOI_MEASURES times.
 * wait_us is how long the second and third wait, each, if the guest makes an exit after AEOI_WAIT_MS only: shown, and no part
 * of the verdict, for it depends on when somebody else makes one. */
SEQUENCE_IO(seq_aeoi, /* returns with IF=1 */
	"	sti\n"
	"	nop\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(aeoi_next)
	"	nop\n");
extern const char aeoi_next[];

#define AEOI_LINES (BIT(LINE_HIGH) | BIT(LINE_MID) | BIT(LINE_LOW))
#define AEOI_COUNT 3
#define AEOI_WINDOWS 2
#define AEOI_MEASURES 50
#define AEOI_SPIN_MS 1
#define AEOI_LATE_MAX 20
#define AEOI_WAIT_ROUNDS 5
#define AEOI_WAIT_MS 20 /* longer than the time between two ticks of any host */
#define USEC_PER_MS 1000

struct aeoi_result {
	uint64_t windows, preempts, tsc;
	unsigned at_once, late_exits;
};

static volatile uint64_t aeoi_stamp[AEOI_COUNT];

static void aeoi_handler(struct frame *f)
{
	(void)f;
	if (arrivals.count <= AEOI_COUNT)
		aeoi_stamp[arrivals.count - 1] = rdtsc();
}

static unsigned arrived_at_once(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < arrivals.count && i < AEOI_COUNT; i++)
		n += arrivals.log[i].rip == (uint64_t)aeoi_next;
	return n;
}

/* The guest waits so long before each exit that it makes. */
static struct aeoi_result aeoi_measure(unsigned spin_ms)
{
	struct aeoi_result r = { 0 };

	arrivals_clear();
	r.windows = lab_counter(LAB_WINDOW_EXITS);
	r.preempts = lab_counter(LAB_PREEMPT_EXITS);
	seq_aeoi(LAB_UP, AEOI_LINES);
	while (!SPIN_UNTIL(arrivals.count == AEOI_COUNT, spin_ms) && r.late_exits < AEOI_LATE_MAX) {
		outb(LAB_NOP, 0);
		r.late_exits++;
	}
	irq_off();
	r.windows = lab_counter(LAB_WINDOW_EXITS) - r.windows;
	r.preempts = lab_counter(LAB_PREEMPT_EXITS) - r.preempts;
	r.at_once = arrived_at_once();
	outw(LAB_DOWN, AEOI_LINES);
	EXPECT_EQ(arrivals.count, AEOI_COUNT);
	for (unsigned i = 0; i < AEOI_COUNT; i++)
		EXPECT_EQ(arrivals.log[i].vector, PIC_VECTOR(LINE_HIGH + i));
	r.tsc = aeoi_stamp[AEOI_COUNT - 1] - aeoi_stamp[0];
	return r;
}

static uint64_t aeoi_wait_us(void)
{
	uint64_t tsc = 0;

	for (unsigned i = 0; i < AEOI_WAIT_ROUNDS; i++)
		tsc += aeoi_measure(AEOI_WAIT_MS).tsc;
	return tsc * USEC_PER_MS / env.tsc_per_ms / (AEOI_WAIT_ROUNDS * (AEOI_COUNT - 1));
}

SCENARIO(rule_aeoi, .name = "rule.aeoi-back-to-back", .deadline_ms = 20000,
	 .xfails = { { RULE_STASH | RULE_BOUNDARY, MODE_SPLIT, VID_ANY, NULL, "late",
		       "no window is armed when the stash was full before injection" },
		     { RULE_STASH | RULE_BOUNDARY, MODE_USER, VID_ANY, "!kvm-*", "late",
		       "no window is armed when the mailbox was full before injection" } })
{
	struct aeoi_result r = { 0 };

	pic_init(ICW4_AEOI, 0);
	for (unsigned line = LINE_HIGH; line <= LINE_LOW; line++) {
		on_vector(PIC_VECTOR(line), aeoi_handler);
		pic_unmask(line);
	}
	aeoi_measure(AEOI_SPIN_MS); /* maps the handlers' pages: a nested page fault is an exit too, and would stand in for a window */
	for (unsigned i = 0; i < AEOI_MEASURES; i++) {
		r = aeoi_measure(AEOI_SPIN_MS);
		if (r.at_once < AEOI_COUNT || !r.preempts)
			break;
	}
	metric("window_exits", r.windows);
	metric("late_exits", r.late_exits);
	metric("preempt_exits", r.preempts);
	metric("wait_us", aeoi_wait_us());
	if (r.at_once < AEOI_COUNT)
		fail("late", "%u of %u at once", r.at_once, AEOI_COUNT);
	/* A kernel half that does not count its exits (KVM) shows none: the boundary has said it all. */
	if (!r.preempts && lab_counter(LAB_EXITS))
		EXPECT_EQ(r.windows, AEOI_WINDOWS);
}

/* ---- one place ---- */

/* Two lines at once with IF=0: one place in the stash. The second is acknowledged only after the first has left it:
 * both arrive, in the 8259's order ("IR0 [has] the highest priority", 8259A data sheet, "Fully Nested Mode"), by two
 * INTA cycles, and KVM_INTERRUPT is never refused because a `ready` vCPU has room. */
SCENARIO(rule_two_lines, .name = "rule.two-lines-one-stash")
{
	uint64_t intas, refused;

	on_vector(PIC_VECTOR(LINE_HIGH), pic_handler);
	on_vector(PIC_VECTOR(LINE_LOW), pic_handler);
	pic_unmask(LINE_HIGH);
	pic_unmask(LINE_LOW);
	outw(LAB_UP, BIT(LINE_HIGH) | BIT(LINE_LOW));
	intas = lab_counter(LAB_INTAS);
	refused = lab_counter(LAB_REFUSED);
	seq_open();
	EXPECT_ARRIVAL(0, PIC_VECTOR(LINE_HIGH), open_boundary);
	EXPECT_ARRIVAL(1, PIC_VECTOR(LINE_LOW), open_boundary);
	EXPECT_EQ(arrivals.count, 2);
	EXPECT_EQ(lab_counter(LAB_INTAS) - intas, 2);
	EXPECT_EQ(lab_counter(LAB_REFUSED) - refused, 0);
}

/* A full stash that stays full. STI, then OUT raises an NMI with the low line pending: behind OUT the vCPU is ready, so
 * the low line's vector is stashed, but the NMI takes the slot (SDM v3, "Priority Among Concurrent Events": NMI is above
 * maskable hardware interrupts), and its handler runs with IF=0. It raises the high line: there is no place, so it
 * must not be acknowledged, whatever the rule. In the end both have come once: the one that was acknowledged first
 * comes first, or, where nothing was acknowledged before the NMI, the one with the higher priority.
 * user: the mailbox is not ordered behind the NMI; the low line's handler is entered, then the NMI. */
SEQUENCE_IO(seq_nmi_after_sti,
	"	sti\n"
	"	out %al, %dx\n"
	SEQ_LABEL(nmi_after_sti_next)
	"	nop\n"
	"	nop\n"
	"	cli\n");
extern const char nmi_after_sti_next[];
static volatile bool accepted_early, high_acknowledged;

static void raise_high_in_nmi(struct frame *f)
{
	(void)f;
	accepted_early = pic_isr(false) & BIT(LINE_LOW);
	lab_up(LINE_HIGH);
	high_acknowledged = pic_isr(false) & BIT(LINE_HIGH);
}

SCENARIO(rule_stash_full, .name = "rule.stash-full")
{
	uint64_t refused = lab_counter(LAB_REFUSED);
	uint8_t first, second;

	on_vector(PIC_VECTOR(LINE_HIGH), pic_handler);
	on_vector(PIC_VECTOR(LINE_LOW), pic_handler);
	on_vector(VEC_NMI, raise_high_in_nmi);
	pic_unmask(LINE_HIGH);
	pic_unmask(LINE_LOW);
	lab_up(LINE_LOW);
	seq_nmi_after_sti(LAB_NMI, 1);
	metric("accepted_early", accepted_early);
	EXPECT_EQ(arrivals.count, 3);
	EXPECT_EQ(arrivals_of(VEC_NMI), 1);
	EXPECT(!high_acknowledged);
	EXPECT_EQ(lab_counter(LAB_REFUSED) - refused, 0);
	first = accepted_early ? PIC_VECTOR(LINE_LOW) : PIC_VECTOR(LINE_HIGH);
	second = accepted_early ? PIC_VECTOR(LINE_HIGH) : PIC_VECTOR(LINE_LOW);
	for (unsigned i = 0; i < arrivals.count; i++) {
		if (arrivals.log[i].vector == VEC_NMI)
			continue;
		EXPECT_EQ(arrivals.log[i].vector, first);
		EXPECT_EQ(arrivals.log[i].rip, (uint64_t)nmi_after_sti_next);
		first = second;
	}
}

/* ---- halted ---- */

/* A halted vCPU with a vector in its local APIC that TPR holds back, and a line that rises 3 ms later: only the ExtINT
 * may wake it, behind HLT, and it does so although W alone wakes nobody. */
#define WAKE_US 3000
#define TPR_BLOCK_ALL 0xf0

SEQUENCE(seq_rule_hlt,
	"	sti\n"
	"	hlt\n"
	SEQ_LABEL(rule_hlt_next)
	"	cli\n");
extern const char rule_hlt_next[];

SCENARIO(rule_halted, .name = "rule.halted-wakes")
{
	on_vector(IPI_VECTOR, apic_handler);
	on_vector(PIC_VECTOR(LINE_LOW), pic_handler);
	pic_unmask(LINE_LOW);
	apic_write(APIC_TPR, TPR_BLOCK_ALL);
	apic_self_ipi(IPI_VECTOR);
	outl(LAB_DELAY, WAKE_US);
	lab_up(LINE_LOW);
	seq_rule_hlt();
	EXPECT_ARRIVAL(0, PIC_VECTOR(LINE_LOW), rule_hlt_next);
	EXPECT_EQ(arrivals.count, 1);
	apic_write(APIC_TPR, 0);
	seq_open();
	EXPECT_ARRIVAL(1, IPI_VECTOR, open_boundary);
}

/* Two events, one sleep: a line and a self-IPI pending when STI;HLT runs. The vCPU must not sleep again after the first:
 * both come behind HLT. legacy: as rule.extint-before-lapic. */
SCENARIO(rule_halted_both, .name = "rule.halted-both-pending",
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" } })
{
	uint8_t extint = irq_pend();

	on_vector(IPI_VECTOR, apic_handler);
	apic_self_ipi(IPI_VECTOR);
	seq_rule_hlt();
	EXPECT_EQ(arrivals.count, 2);
	EXPECT_EQ(arrivals_of(extint), 1);
	EXPECT_EQ(arrivals.log[0].rip, (uint64_t)rule_hlt_next);
	EXPECT_EQ(arrivals.log[1].rip, (uint64_t)rule_hlt_next);
}
