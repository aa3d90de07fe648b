/* SPDX-License-Identifier: BSD-2-Clause
 * NMI: delivery, blocking until IRET, the latch, and its place before INTR.
 * Knows nothing of where an NMI comes from but the lab device. */
#include "known.h"
#include "rt.h"

/* The rules are about INTR; all four treat NMIs alike, so the expectation is: pass, but for one (nmi.before-intr). */

#define LINE 5
#define WAKE_US 3000

SEQUENCE_IO(seq_nmi_if1,
	"	sti\n"
	"	nop\n"
	"	out %al, %dx\n"
	SEQ_LABEL(nmi_if1_next)
	"	nop\n"
	"	cli\n");
extern const char nmi_if1_next[];

SEQUENCE_IO(seq_nmi_if0,
	"	out %al, %dx\n"
	SEQ_LABEL(nmi_if0_next)
	"	nop\n"
	"	nop\n");
extern const char nmi_if0_next[];

/* SDM v3, "Masking Maskable Hardware Interrupts": "The IF flag does not affect non-maskable interrupts (NMIs)". Raised by
 * OUT: behind OUT, whatever IF is. */
SCENARIO(nmi_raise, .name = "nmi.raise")
{
	on_vector(VEC_NMI, empty_handler);
	seq_nmi_if1(LAB_NMI, 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if1_next);
	EXPECT_EQ(arrivals.log[0].rflags & RFLAGS_IF, RFLAGS_IF);
	seq_nmi_if0(LAB_NMI, 1);
	EXPECT_ARRIVAL(1, VEC_NMI, nmi_if0_next);
	EXPECT_EQ(arrivals.log[1].rflags & RFLAGS_IF, 0);
	EXPECT_EQ(arrivals.count, 2);
}

/* SDM v3, "Handling Multiple NMIs": "While an NMI interrupt handler is executing, the processor blocks delivery of
 * subsequent NMIs until the next execution of the IRET instruction." The second one, raised in the
 * handler, waits there whatever exits happen, and comes at the boundary behind IRET. */
static void raise_nmi_once(struct frame *f)
{
	(void)f;
	if (arrivals.count > 1)
		return;
	lab_nmi();
	settle();
	EXPECT_EQ(arrivals.count, 1);
}

SCENARIO(nmi_blocked, .name = "nmi.blocked-until-iret")
{
	on_vector(VEC_NMI, raise_nmi_once);
	seq_nmi_if0(LAB_NMI, 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if0_next);
	EXPECT_ARRIVAL(1, VEC_NMI, nmi_if0_next);
	EXPECT_EQ(arrivals.count, 2);
}

/* Two NMIs while one is handled: there is one latch, so exactly one more: while NMIs are blocked one is held pending, and
 * a further one finds it pending already. */
static void raise_nmi_twice(struct frame *f)
{
	(void)f;
	if (arrivals.count > 1)
		return;
	lab_nmi();
	lab_nmi();
	settle();
	EXPECT_EQ(arrivals.count, 1);
}

SCENARIO(nmi_latched, .name = "nmi.latched-once")
{
	on_vector(VEC_NMI, raise_nmi_twice);
	seq_nmi_if0(LAB_NMI, 1);
	settle();
	EXPECT_EQ(arrivals.count, 2);
	EXPECT_ARRIVAL(1, VEC_NMI, nmi_if0_next);
}

/* The window: "until the next execution of the IRET instruction", any IRET. Here one inside the handler, to the next
 * instruction; the NMI raised before it nests at that boundary, exactly. */
SEQUENCE(seq_iret_inside,
	"	mov %rsp, %rdx\n"
	"	mov %ss, %ecx\n"
	"	push %rcx\n"
	"	push %rdx\n"
	"	pushfq\n"
	"	mov %cs, %ecx\n"
	"	push %rcx\n"
	"	lea iret_inside_next(%rip), %rcx\n"
	"	push %rcx\n"
	"	iretq\n"
	SEQ_LABEL(iret_inside_next)
	"	nop\n"
	"	nop\n");
extern const char iret_inside_next[];

static void unblock_inside(struct frame *f)
{
	(void)f;
	if (arrivals.count > 1)
		return;
	lab_nmi();
	EXPECT_EQ(arrivals.count, 1);
	seq_iret_inside();
	EXPECT_EQ(arrivals.count, 2);
}

SCENARIO(nmi_window, .name = "nmi.window-at-iret")
{
	on_vector(VEC_NMI, unblock_inside);
	seq_nmi_if0(LAB_NMI, 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if0_next);
	EXPECT_ARRIVAL(1, VEC_NMI, iret_inside_next);
	EXPECT_EQ(arrivals.count, 2);
}

/* And the IRET of an exception's handler, run within the NMI's: a well-known trap for kernels. */
SEQUENCE(seq_ud_inside,
	SEQ_LABEL(ud_inside_at)
	"	ud2\n"
	SEQ_LABEL(ud_inside_next)
	"	nop\n"
	"	nop\n");
extern const char ud_inside_at[], ud_inside_next[];

static void skip_ud_inside(struct frame *f)
{
	f->rip = (uint64_t)ud_inside_next;
}

static void fault_inside(struct frame *f)
{
	(void)f;
	if (arrivals.count > 1)
		return;
	lab_nmi();
	seq_ud_inside();
}

SCENARIO(nmi_exception_unblocks, .name = "nmi.exception-iret-unblocks")
{
	on_vector(VEC_NMI, fault_inside);
	on_vector(VEC_UD, skip_ud_inside);
	seq_nmi_if0(LAB_NMI, 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if0_next);
	EXPECT_ARRIVAL(1, VEC_UD, ud_inside_at);
	EXPECT_ARRIVAL(2, VEC_NMI, ud_inside_next);
	EXPECT_EQ(arrivals.count, 3);
}

/* SDM v3, "Priority Among Concurrent Events": NMI is above maskable hardware interrupts. Both are raised in the NMI's
 * handler and both become possible at its IRET, to IF=1: NMI, then ExtINT, at the same boundary.
 * split, all rules: the vector may be stashed first, but the NMI takes the slot.
 * user, all rules: a vector handed over by KVM_INTERRUPT is committed and goes in before an NMI that is merely pending;
 * none of the rules looks at it: inverted. */
static void raise_both(struct frame *f)
{
	(void)f;
	if (arrivals.count > 1)
		return;
	lab_up(LINE);
	lab_nmi();
	settle();
	EXPECT_EQ(arrivals.count, 1);
}

SCENARIO(nmi_before_intr, .name = "nmi.before-intr",
	 .xfails = { { RULE_ANY, MODE_USER, VID_ANY, NULL, "inverted", "the mailbox is injected before a pending NMI" } })
{
	uint8_t extint = PIC_VECTOR(LINE);

	on_vector(VEC_NMI, raise_both);
	on_vector(extint, pic_handler);
	pic_unmask(LINE);
	seq_nmi_if1(LAB_NMI, 1);
	EXPECT_EQ(arrivals.count, 3);
	EXPECT_EQ(arrivals_of(extint), 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if1_next);
	if (arrivals.log[1].vector == extint || arrivals.log[1].rip != (uint64_t)nmi_if1_next)
		fail("inverted", "ExtINT %#x before NMI", extint);
	EXPECT_ARRIVAL(1, VEC_NMI, nmi_if1_next);
	EXPECT_ARRIVAL(2, extint, nmi_if1_next);
}

/* SDM v2, "STI—Set Interrupt Flag": "NMIs (and system-management interrupts) may be inhibited on the instruction
 * boundary following an execution of STI that begins with IF = 0". Raised by the instruction in the shadow, it comes
 * behind it at the latest: there, and once. (A VMX hypervisor cannot inject it while the shadow stands.) */
SEQUENCE_IO(seq_nmi_shadow,
	"	sti\n"
	"	out %al, %dx\n"
	SEQ_LABEL(nmi_shadow_next)
	"	nop\n"
	"	cli\n");
extern const char nmi_shadow_next[];

SCENARIO(nmi_sti_shadow, .name = "nmi.sti-shadow")
{
	on_vector(VEC_NMI, empty_handler);
	seq_nmi_shadow(LAB_NMI, 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_shadow_next);
	EXPECT_EQ(arrivals.log[0].rflags & RFLAGS_IF, RFLAGS_IF);
	settle();
	EXPECT_EQ(arrivals.count, 1);
}

/* The same with MOV SS, whose shadow holds back NMIs too (SDM v2, "MOV—Move"). */
SEQUENCE_IO(seq_nmi_mov_ss,
	"	mov %ss, %ecx\n"
	"	mov %ecx, %ss\n"
	"	out %al, %dx\n"
	SEQ_LABEL(nmi_mov_ss_next)
	"	nop\n");
extern const char nmi_mov_ss_next[];

SCENARIO(nmi_mov_ss_shadow, .name = "nmi.mov-ss-shadow")
{
	on_vector(VEC_NMI, empty_handler);
	seq_nmi_mov_ss(LAB_NMI, 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_mov_ss_next);
	settle();
	EXPECT_EQ(arrivals.count, 1);
}

/* SDM v2, "HLT—Halt": "An enabled interrupt (including NMI and SMI) [...] will resume execution", and the saved RIP
 * "points to the instruction following the HLT instruction"; NMI needs no IF for that. */
SCENARIO(nmi_wakes_if0, .name = "nmi.wakes-hlt-if0")
{
	for (uint32_t us = WAKE_US; !halt_until_nmi(us, false);)
		us *= 2;
	EXPECT_ARRIVAL(0, VEC_NMI, halt_if0_next);
	EXPECT_EQ(arrivals.count, 1);
}

SCENARIO(nmi_wakes_if1, .name = "nmi.wakes-hlt-if1")
{
	for (uint32_t us = WAKE_US; !halt_until_nmi(us, true);)
		us *= 2;
	EXPECT_ARRIVAL(0, VEC_NMI, halt_if1_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* PIIX3 data sheet, "Real-Time Clock Address Register", bit 7: "NMI Enable". Set, it holds back what the NMI sources of the
 * board drive; these are latches, so the NMI comes behind the OUT that clears it, and comes once. */
#define RTC_INDEX 0x70
#define RTC_NMI_OFF BIT(7)
#define RTC_REG_D 0x0d

SCENARIO(nmi_masked, .name = "nmi.masked-by-port-70")
{
	on_vector(VEC_NMI, empty_handler);
	outb(RTC_INDEX, RTC_NMI_OFF | RTC_REG_D);
	lab_nmi();
	lab_nmi();
	settle();
	EXPECT_EQ(arrivals.count, 0);
	seq_nmi_if0(RTC_INDEX, RTC_REG_D);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if0_next);
	settle();
	EXPECT_EQ(arrivals.count, 1);
}

/* A blocked NMI wakes nobody: HLT in the NMI's handler, an NMI latched; the line 3 ms later wakes it. The IRET of the
 * line's handler unblocks, so the NMI follows at the very same boundary. */
SEQUENCE(seq_nmi_sti_hlt,
	"	sti\n"
	"	hlt\n"
	SEQ_LABEL(nmi_sti_hlt_next)
	"	cli\n");
extern const char nmi_sti_hlt_next[];

static void halt_inside(struct frame *f)
{
	(void)f;
	if (arrivals.count > 1)
		return;
	lab_nmi();
	outl(LAB_DELAY, WAKE_US);
	lab_up(LINE);
	seq_nmi_sti_hlt();
}

SCENARIO(nmi_blocked_hlt, .name = "nmi.blocked-does-not-wake")
{
	uint8_t extint = PIC_VECTOR(LINE);

	on_vector(VEC_NMI, halt_inside);
	on_vector(extint, pic_handler);
	pic_unmask(LINE);
	seq_nmi_if0(LAB_NMI, 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if0_next);
	EXPECT_ARRIVAL(1, extint, nmi_sti_hlt_next);
	EXPECT_ARRIVAL(2, VEC_NMI, nmi_sti_hlt_next);
	EXPECT_EQ(arrivals.count, 3);
}

/* ---- what an NMI that waits must not show ---- */

/* An NMI is due while the instruction in the shadow of MOV SS meets a page that is missing from the nested tables: it waits for the
 * end of the shadow, and whoever waits with it must not single-step that instruction for all to see. PUSHF stores RFLAGS, INT n and
 * SYSCALL would, too. The NMI comes at some point around; at each of TRIES microseconds once. */
#define TRIES 150
#define STEP_INT_VECTOR 0x80
static uint8_t step_stack[IST_STACK_SIZE] __attribute__((aligned(PAGE_SIZE)));
uint64_t nmi_step_stack_top, nmi_step_flags;
SEQUENCE(seq_step_pushf,
	"	mov %ss, %ecx\n"
	"	mov %rsp, %rdx\n"
	"	mov nmi_step_stack_top, %rsp\n"
	"	mov %ecx, %ss\n"
	"	pushfq\n"
	"	pop %rax\n"
	"	mov %rdx, %rsp\n"
	"	mov %rax, nmi_step_flags\n");
SEQUENCE(seq_step_int,
	"	mov %ss, %ecx\n"
	"	mov %ecx, %ss\n"
	"	int $" STR(STEP_INT_VECTOR) "\n");

static void note_flags(struct frame *f)
{
	nmi_step_flags = f->rflags;
}

static void expect_no_tf(void (*sequence)(void), const void *page)
{
	unsigned hits = 0, nmis = 0;

	set_ist(VEC_NMI, 2);
	on_vector(VEC_NMI, empty_handler);
	for (uint32_t us = 1; us <= TRIES; us++) {
		arrivals_clear();
		nmi_step_flags = 0;
		lab_unmap(page);
		outl(LAB_DELAY, us);
		lab_nmi();
		sequence();
		SPIN_UNTIL(arrivals_of(VEC_NMI), 1);
		settle();
		hits += !!(nmi_step_flags & RFLAGS_TF);
		nmis += arrivals_of(VEC_NMI);
	}
	EXPECT_EQ(nmis, TRIES);
	EXPECT_EQ(hits, 0);
}

SCENARIO(nmi_step_pushf, .name = "nmi.step-pushf", .deadline_ms = 30000,
	 .xfails = { KVM_AMD_STEP })
{
	nmi_step_stack_top = (uint64_t)step_stack + PAGE_SIZE + PAGE_SIZE / 2;
	expect_no_tf(seq_step_pushf, step_stack + PAGE_SIZE);
}

SCENARIO(nmi_step_int, .name = "nmi.step-int-n", .deadline_ms = 30000,
	 .xfails = { KVM_AMD_STEP })
{
	on_vector(STEP_INT_VECTOR, note_flags);
	set_ist(STEP_INT_VECTOR, 1);
	expect_no_tf(seq_step_int, rt_ist_stacks[0] + IST_STACK_SIZE / 2);
}

/* The IRET of an NMI's handler reads its frame, which a breakpoint watches; the next NMI waits for just that IRET. #DB behind it, and
 * the NMI in front of #DB's handler, since the IRET has unblocked it. */
#define DR7_WATCH_0 (DR7_INIT | 0x2 | FIELD(17, 16, 3) | FIELD(19, 18, 2)) /* G0, access, 8 bytes */
static volatile uint64_t breakpoint_dr6;
static void see_breakpoint(struct frame *f)
{
	uint64_t dr6;

	(void)f;
	__asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("mov %0, %%dr7" : : "r"(DR7_INIT));
	__asm__ volatile("mov %0, %%dr6" : : "r"(DR6_INIT));
	breakpoint_dr6 = dr6;
}

static void watch_own_frame(struct frame *f)
{
	if (arrivals_of(VEC_NMI) > 1)
		return;
	lab_nmi();
	set_ist(VEC_NMI, 2); /* the next one writes another frame */
	__asm__ volatile("mov %0, %%dr0" : : "r"(&f->rip));
	__asm__ volatile("mov %0, %%dr6" : : "r"(DR6_INIT));
	__asm__ volatile("mov %0, %%dr7" : : "r"(DR7_WATCH_0));
}

SCENARIO(nmi_breakpoint, .name = "nmi.breakpoint-at-iret",
	 .xfails = { KVM_AMD_STEP })
{
	/* Its #VMEXIT may come while a breakpoint is noted that has been hit and is then taken away: docs/findings.md, 52. */
	if (on_platform("tcg-svm-7*"))
		skip("ends QEMU 7.2 now and then");
	set_ist(VEC_NMI, 1);
	on_vector(VEC_NMI, watch_own_frame);
	on_vector(VEC_DB, see_breakpoint);
	seq_nmi_if0(LAB_NMI, 1);
	EXPECT_EQ(arrivals_of(VEC_NMI), 2);
	EXPECT_EQ(arrivals_of(VEC_DB), 1);
	EXPECT_ARRIVAL(0, VEC_NMI, nmi_if0_next);
	EXPECT_EQ(breakpoint_dr6, DR6_INIT | DR6_B(0));
}

/* TF=1, IF=0, and OUT raises the NMI: the trap of OUT first, and the NMI in front of its handler's first instruction, not at
 * some later exit. */
SEQUENCE_IO(seq_nmi_tf,
	"	pushfq\n"
	"	orq $0x100, (%rsp)\n"
	"	popfq\n"
	"	out %al, %dx\n"
	SEQ_LABEL(nmi_tf_next)
	"	nop\n");
extern const char nmi_tf_next[];

static void end_step(struct frame *f)
{
	f->rflags &= ~RFLAGS_TF;
}

SCENARIO(nmi_tf, .name = "nmi.behind-a-single-step")
{
	on_vector(VEC_DB, end_step);
	on_vector(VEC_NMI, empty_handler);
	seq_nmi_tf(LAB_NMI, 1);
	EXPECT_EQ(arrivals_of(VEC_NMI), 1);
	EXPECT_ARRIVAL(0, VEC_NMI, vector_entry(VEC_DB));
	EXPECT_ARRIVAL(1, VEC_DB, nmi_tf_next);
	EXPECT_EQ(arrivals.count, 2);
}
