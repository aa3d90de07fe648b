/* SPDX-License-Identifier: BSD-2-Clause
 * Interrupt windows: at which instruction boundary a pending external interrupt arrives.
 * Knows nothing of rules: all four must open the window at the same boundary in both modes.
 *
 * All four rules arm a window for a pending line while the CPU cannot take it; they differ in who goes first and in
 * when the window is armed again, which rule.c is about. So there is one expectation per scenario here: pass. */
#include "rt.h"
#include "guest_layout.h"

#define LINE 5
#define LINE_NESTED 3 /* above LINE in the 8259's fixed priority */
#define IF_MASK 0x200 /* RFLAGS.IF for assembly */
#define HLT_WAKE_US 3000
#define HLT_WAKE_COUNT 3000 /* PIT ticks: 2.5 ms */

/* SDM v3, "Maskable Hardware Interrupts": "The IF flag in the EFLAGS register permits all maskable hardware interrupts to
 * be masked as a group"; with IF=1 an interrupt is taken at the next instruction boundary. The line rises while OUT
 * executes: the boundary is the one behind OUT. */
SEQUENCE_IO(seq_raise_if1,
	"	sti\n"
	"	nop\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(raise_if1_next)
	"	nop\n"
	"	cli\n");
extern const char raise_if1_next[];

SCENARIO(windows_raise_if1, .name = "windows.raise-if1")
{
	on_vector(PIC_VECTOR(LINE), pic_handler);
	pic_unmask(LINE);
	seq_raise_if1(LAB_UP, BIT(LINE));
	EXPECT_ARRIVAL(0, PIC_VECTOR(LINE), raise_if1_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* IF=0 and a pending line, then STI. SDM v2, "STI—Set Interrupt Flag": "If IF = 0, maskable hardware interrupts remain
 * inhibited on the instruction boundary following an execution of STI." So one more instruction runs, then it comes. */
SEQUENCE(seq_sti,
	"	sti\n"
	"	nop\n"
	SEQ_LABEL(sti_open)
	"	nop\n"
	"	cli\n");
extern const char sti_open[];

SCENARIO(windows_sti_shadow, .name = "windows.sti-shadow")
{
	uint8_t vector = irq_pend();

	seq_sti();
	EXPECT_ARRIVAL(0, vector, sti_open);
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_EQ(arrivals.log[0].rflags & RFLAGS_IF, RFLAGS_IF);
}

/* The same entry: "No interrupts can be recognized if an execution of CLI immediately follow such an execution of STI."
 * Nothing arrives and nothing is acknowledged, however often; the request stays in the 8259. */
SEQUENCE(seq_sti_cli,
	"	sti\n"
	"	cli\n"
	"	sti\n"
	"	cli\n"
	"	sti\n"
	"	cli\n"
	"	nop\n");

SCENARIO(windows_sti_cli, .name = "windows.sti-cli")
{
	uint8_t vector = irq_pend();

	seq_sti_cli();
	EXPECT_EQ(arrivals.count, 0);
	EXPECT_EQ(pic_isr(false), 0);
	EXPECT_EQ(pic_irr(false), BIT(vector - PIC_VECTOR(0)));
	seq_sti();
	EXPECT_ARRIVAL(0, vector, sti_open);
	EXPECT_EQ(arrivals.count, 1);
}

/* One instruction between STI and CLI: exactly one boundary with IF=1 and no shadow, in front of CLI. */
SEQUENCE(seq_sti_nop_cli,
	"	sti\n"
	"	nop\n"
	SEQ_LABEL(sti_nop_cli_boundary)
	"	cli\n"
	"	nop\n");
extern const char sti_nop_cli_boundary[];

SCENARIO(windows_sti_nop_cli, .name = "windows.sti-nop-cli")
{
	uint8_t vector = irq_pend();

	seq_sti_nop_cli();
	EXPECT_ARRIVAL(0, vector, sti_nop_cli_boundary);
	seq_sti_nop_cli();
	EXPECT_EQ(arrivals.count, 1);
}

/* SDM v2, "MOV—Move": "Loading the SS register with a MOV instruction [...] inhibits interrupts on the following
 * instruction boundary." The line must be pending when MOV SS runs, which only the shadow of STI allows; and of such a
 * chain the manual promises the first shadow alone. (Older editions of "STI" say so of this very chain: "only the first
 * instruction in the sequence is guaranteed to delay the interrupt"; SDM v3, "Masking Exceptions and Interrupts When
 * Switching Stacks", of loads of SS: "only the first is guaranteed to inhibit or suppress events in this way".) Both the
 * boundary behind MOV SS (chain cut, as QEMU does) and the one behind NOP (chain honoured) are right; the metric tells
 * which: the rest of the promise is tested by windows.mov-ss-never. */
SEQUENCE(seq_mov_ss,
	"	mov %ss, %eax\n"
	"	sti\n"
	"	mov %eax, %ss\n"
	SEQ_LABEL(mov_ss_cut)
	"	nop\n"
	SEQ_LABEL(mov_ss_chained)
	"	nop\n"
	"	cli\n");
extern const char mov_ss_cut[], mov_ss_chained[];

SCENARIO(windows_mov_ss, .name = "windows.mov-ss-after-sti")
{
	uint8_t vector = irq_pend();

	seq_mov_ss();
	EXPECT_EQ(arrivals.count, 1);
	metric("chained", arrivals.log[0].rip == (uint64_t)mov_ss_chained);
	if (arrivals.log[0].rip != (uint64_t)mov_ss_cut)
		EXPECT_ARRIVAL(0, vector, mov_ss_chained);
}

/* The same with POP SS, which 64-bit mode does not have: a detour through a 32-bit code segment, from where the 64-bit
 * handler is entered and returned to. */
SEQUENCE(seq_pop_ss,
	"	push $" STR(SEL_CODE32) "\n"
	"	lea 1f(%rip), %rax\n"
	"	push %rax\n"
	"	lretq\n"
	"	.code32\n"
	"1:	push %ss\n"
	"	sti\n"
	"	pop %ss\n"
	SEQ_LABEL(pop_ss_cut)
	"	nop\n"
	SEQ_LABEL(pop_ss_chained)
	"	nop\n"
	"	cli\n"
	"	ljmp $" STR(SEL_CODE64) ", $2f\n"
	"	.code64\n"
	"2:\n");
extern const char pop_ss_cut[], pop_ss_chained[];

SCENARIO(windows_pop_ss, .name = "windows.pop-ss-after-sti")
{
	uint8_t vector = irq_pend();

	seq_pop_ss();
	EXPECT_EQ(arrivals.count, 1);
	metric("chained", arrivals.log[0].rip == (uint64_t)pop_ss_chained);
	if (arrivals.log[0].rip != (uint64_t)pop_ss_cut)
		EXPECT_ARRIVAL(0, vector, pop_ss_chained);
}

/* The shadow of MOV SS by itself, with IF=1 all the time: interrupts of the PIT arrive where they like, but never
 * between MOV SS and the instruction behind it. */
SEQUENCE(seq_mov_ss_never, /* runs until the handler sets eax */
	"	mov %ss, %ecx\n"
	"	xor %eax, %eax\n"
	"	sti\n"
	"	nop\n" /* or STI's shadow and MOV SS would make a chain */
	"	nop\n"
	"1:	mov %ecx, %ss\n"
	SEQ_LABEL(mov_ss_never)
	"	test %eax, %eax\n"
	"	jz 1b\n"
	"	cli\n");
extern const char mov_ss_never[];
#define NEVER_ARRIVALS 40
#define NEVER_PERIOD 997 /* PIT ticks: 0.8 ms, and prime, to meet the loop at every phase */

static void mov_ss_never_handler(struct frame *f)
{
	EXPECT(f->rip != (uint64_t)mov_ss_never);
	f->rax = arrivals.count >= NEVER_ARRIVALS;
	pic_eoi(0);
}

SCENARIO(windows_mov_ss_never, .name = "windows.mov-ss-never")
{
	on_vector(PIC_VECTOR(0), mov_ss_never_handler);
	pic_unmask(0);
	pit_periodic(NEVER_PERIOD);
	seq_mov_ss_never();
	EXPECT(arrivals.count >= NEVER_ARRIVALS);
}

/* SDM v2, "POPF/POPFD/POPFQ": IF is loaded like any flag; the inhibition belongs to STI, MOV SS and POP SS alone. */
SEQUENCE(seq_popf,
	"	pushfq\n"
	"	orq $" STR(IF_MASK) ", (%rsp)\n"
	"	popfq\n"
	SEQ_LABEL(popf_next)
	"	nop\n"
	"	cli\n");
extern const char popf_next[];

SCENARIO(windows_popf, .name = "windows.popf-no-shadow")
{
	uint8_t vector = irq_pend();

	seq_popf();
	EXPECT_ARRIVAL(0, vector, popf_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* IRET likewise: the boundary behind it is the first one, before its target runs. */
SEQUENCE(seq_iret,
	"	mov %rsp, %rcx\n"
	"	mov %ss, %eax\n"
	"	push %rax\n"
	"	push %rcx\n"
	"	pushfq\n"
	"	orq $" STR(IF_MASK) ", (%rsp)\n"
	"	mov %cs, %eax\n"
	"	push %rax\n"
	"	lea iret_target(%rip), %rax\n"
	"	push %rax\n"
	"	iretq\n"
	"	ud2\n"
	SEQ_LABEL(iret_target)
	"	nop\n"
	"	cli\n");
extern const char iret_target[];

SCENARIO(windows_iret, .name = "windows.iret-no-shadow")
{
	uint8_t vector = irq_pend();

	seq_iret();
	EXPECT_ARRIVAL(0, vector, iret_target);
	EXPECT_EQ(arrivals.count, 1);
}

/* STI;HLT with the line already pending. The shadow covers HLT, so the CPU does halt; SDM v2, "HLT—Halt": "If an
 * interrupt (including NMI) is used to resume execution after a HLT instruction, the saved instruction pointer (CS:EIP)
 * points to the instruction following the HLT instruction." An interrupt in front of HLT would sleep for ever. */
SEQUENCE(seq_sti_hlt,
	"	sti\n"
	"	hlt\n"
	SEQ_LABEL(sti_hlt_next)
	"	cli\n");
extern const char sti_hlt_next[];

SCENARIO(windows_sti_hlt, .name = "windows.sti-hlt-pending")
{
	uint8_t vector = irq_pend();

	seq_sti_hlt();
	EXPECT_ARRIVAL(0, vector, sti_hlt_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* The line rises while the CPU is halted already. W alone never wakes it: the user half must be kicked, find the vCPU
 * ready and hand the vector over. */
SCENARIO(windows_sti_hlt_wake, .name = "windows.sti-hlt-wake")
{
	unsigned irq = env.lab ? LINE : 0;

	on_vector(PIC_VECTOR(irq), pic_handler);
	pic_unmask(irq);
	if (env.lab) {
		outl(LAB_DELAY, HLT_WAKE_US);
		lab_up(irq);
	} else {
		pit_oneshot(HLT_WAKE_COUNT);
	}
	seq_sti_hlt();
	EXPECT_ARRIVAL(0, PIC_VECTOR(irq), sti_hlt_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* HLT with IF=0: SDM v2, "HLT—Halt": "An enabled interrupt (including NMI and SMI) [...] will resume execution": INTR is
 * not enabled, NMI is. The line rises first and does not wake; the NMI later does. The line is still there. */
SCENARIO(windows_hlt_if0, .name = "windows.hlt-if0")
{
	uint32_t us = HLT_WAKE_US;

	on_vector(PIC_VECTOR(LINE), pic_handler);
	pic_unmask(LINE);
	do {
		us *= 2;
		lab_down(LINE);
		outl(LAB_DELAY, us / 2);
		lab_up(LINE);
	} while (!halt_until_nmi(us, false));
	EXPECT_ARRIVAL(0, VEC_NMI, halt_if0_next);
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_EQ(pic_irr(false), BIT(LINE));
	seq_sti();
	EXPECT_ARRIVAL(1, PIC_VECTOR(LINE), sti_open);
	EXPECT_EQ(arrivals.count, 2);
}

/* A handler opens interrupts: SDM v3, "Flag Usage By Exception- or Interrupt-Handler Procedure": through an interrupt
 * gate "the processor clears the IF flag to prevent other interrupts from interfering with the current interrupt
 * handler". A second line raised there waits for the handler's own STI and nests at that boundary. */
SEQUENCE(seq_nested,
	"	sti\n"
	"	nop\n"
	SEQ_LABEL(nested_open)
	"	nop\n"
	"	cli\n");
extern const char nested_open[];

static void nesting_handler(struct frame *f)
{
	EXPECT_EQ(f->vector, PIC_VECTOR(LINE));
	lab_up(LINE_NESTED);
	EXPECT_EQ(arrivals.count, 1);
	seq_nested();
	EXPECT_EQ(arrivals.count, 2);
	pic_eoi(LINE);
}

SCENARIO(windows_nested, .name = "windows.nested-handler")
{
	on_vector(PIC_VECTOR(LINE), nesting_handler);
	on_vector(PIC_VECTOR(LINE_NESTED), pic_handler);
	pic_unmask(LINE);
	pic_unmask(LINE_NESTED);
	seq_raise_if1(LAB_UP, BIT(LINE));
	EXPECT_ARRIVAL(0, PIC_VECTOR(LINE), raise_if1_next);
	EXPECT_ARRIVAL(1, PIC_VECTOR(LINE_NESTED), nested_open);
	EXPECT_EQ(arrivals.count, 2);
}

/* A window asked for while an exception is delivered. #UD comes in the shadow of STI, so the pending line has not had
 * its chance; the exception goes first and closes IF again. The line arrives when IRET reopens it, behind UD2. */
SEQUENCE(seq_exception,
	"	sti\n"
	SEQ_LABEL(exception_at)
	"	ud2\n"
	SEQ_LABEL(exception_next)
	"	nop\n"
	"	cli\n");
extern const char exception_at[], exception_next[];

static void skip_ud2(struct frame *f)
{
	EXPECT_EQ(arrivals.count, 1);
	f->rip = (uint64_t)exception_next;
}

/* The nested line's entry is in the log already. */
static void skip_ud2_nested(struct frame *f)
{
	f->rip = (uint64_t)exception_next;
}

SCENARIO(windows_exception, .name = "windows.during-exception")
{
	uint8_t vector = irq_pend();

	on_vector(VEC_UD, skip_ud2);
	seq_exception();
	EXPECT_ARRIVAL(0, VEC_UD, exception_at);
	EXPECT_ARRIVAL(1, vector, exception_next);
	EXPECT_EQ(arrivals.count, 2);
}

/* The same through a trap gate, which leaves IF alone. SDM v2, "STI—Set Interrupt Flag": "The inhibition ends after
 * delivery of another event (e.g., exception) or the execution of the next instruction": the line nests on the
 * handler's very first instruction. AMD's manual speaks of "a single-instruction window" (APM v2, "Interrupt Shadows"), and
 * QEMU lets the shadow survive the delivery: then it is the boundary behind the first instruction of the stub. */
#define FIRST_INSN_SIZE 2 /* push imm8, the first of a vector stub */

SCENARIO(windows_exception_trap_gate, .name = "windows.during-exception-trap-gate")
{
	uint8_t vector = irq_pend();

	on_vector(VEC_UD, skip_ud2_nested);
	set_gate(VEC_UD, true);
	seq_exception();
	/* The nested one is logged first: the other's stub had not reached the log. */
	EXPECT_ARRIVAL(1, VEC_UD, exception_at);
	metric("shadow_survives", arrivals.log[0].rip == vector_entry(VEC_UD) + FIRST_INSN_SIZE);
	if (arrivals.log[0].rip != vector_entry(VEC_UD) + FIRST_INSN_SIZE)
		EXPECT_ARRIVAL(0, vector, vector_entry(VEC_UD));
	EXPECT_EQ(arrivals.count, 2);
}

/* An instruction in the shadow that the hypervisor emulates and skips. The CPU has not executed it, so it is the
 * hypervisor that must end the shadow: SDM v2, "STI—Set Interrupt Flag": "The inhibition ends after [...] the execution
 * of the next instruction." Left standing, the shadow would cover one instruction too many, and for ever with an
 * emulated loop. OUT raises the line itself: it arrives right behind it. */
SEQUENCE_IO(seq_sti_out,
	"	sti\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(sti_out_next)
	"	nop\n"
	"	cli\n");
extern const char sti_out_next[];

SCENARIO(windows_shadow_out, .name = "windows.shadow-out")
{
	on_vector(PIC_VECTOR(LINE), pic_handler);
	pic_unmask(LINE);
	seq_sti_out(LAB_UP, BIT(LINE));
	EXPECT_ARRIVAL(0, PIC_VECTOR(LINE), sti_out_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* The same in the shadow of MOV SS. */
SEQUENCE_IO(seq_mov_ss_out,
	"	mov %ss, %ecx\n"
	"	sti\n"
	"	nop\n"
	"	mov %ecx, %ss\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(mov_ss_out_next)
	"	nop\n"
	"	cli\n");
extern const char mov_ss_out_next[];

SCENARIO(windows_shadow_mov_ss_out, .name = "windows.shadow-mov-ss-out")
{
	on_vector(PIC_VECTOR(LINE), pic_handler);
	pic_unmask(LINE);
	seq_mov_ss_out(LAB_UP, BIT(LINE));
	EXPECT_ARRIVAL(0, PIC_VECTOR(LINE), mov_ss_out_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* CPUID, which VMX always and SVM usually intercepts, with the line pending beforehand. */
SEQUENCE(seq_sti_cpuid,
	"	push %rbx\n"
	"	xor %eax, %eax\n"
	"	sti\n"
	"	cpuid\n"
	SEQ_LABEL(sti_cpuid_next)
	"	nop\n"
	"	cli\n"
	"	pop %rbx\n");
extern const char sti_cpuid_next[];

SCENARIO(windows_shadow_cpuid, .name = "windows.shadow-cpuid")
{
	uint8_t vector = irq_pend();

	seq_sti_cpuid();
	EXPECT_ARRIVAL(0, vector, sti_cpuid_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* A load from the local APIC's page: decoded and emulated by the hypervisor. */
SEQUENCE_IO(seq_sti_mmio, /* esi, now eax: the address */
	"	sti\n"
	"	mov (%rax), %ecx\n"
	SEQ_LABEL(sti_mmio_next)
	"	nop\n"
	"	cli\n");
extern const char sti_mmio_next[];

SCENARIO(windows_shadow_mmio, .name = "windows.shadow-mmio")
{
	uint8_t vector = irq_pend();

	seq_sti_mmio(0, APIC_DEFAULT_PHYS + APIC_VERSION);
	EXPECT_ARRIVAL(0, vector, sti_mmio_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* An instruction in the shadow that is not emulated: its page is not there in the nested tables, so it exits and runs
 * again, still in the shadow. SDM v2, "STI—Set Interrupt Flag": "The inhibition ends after [...] the execution of the next
 * instruction." The window is armed for a CPU that has IF=1 already, and must open behind that instruction. */
SEQUENCE(seq_sti_load,
	"	lea sti_load_page(%rip), %rax\n"
	"	sti\n"
	"	mov (%rax), %ecx\n"
	SEQ_LABEL(sti_load_next)
	"	nop\n"
	"	cli\n");
extern const char sti_load_next[];
extern uint8_t sti_load_page[PAGE_SIZE];
uint8_t sti_load_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

SCENARIO(windows_shadow_page, .name = "windows.shadow-page-fault")
{
	uint8_t vector = irq_pend();

	lab_unmap(sti_load_page);
	seq_sti_load();
	EXPECT_ARRIVAL(0, vector, sti_load_next);
	EXPECT_EQ(arrivals.count, 1);
}
