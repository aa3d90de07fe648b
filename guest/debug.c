/* SPDX-License-Identifier: BSD-2-Clause
 * What a debugger in the guest relies on: RF, the debug registers, breakpoints and the single step, whoever executes the
 * instruction or delivers the exception.
 * Knows nothing of who does. */
#include "known.h"
#include "rt.h"

/* ---- RF ---- */

/* SDM v3, "Instruction-Breakpoint Exception Condition": "For any fault-class exception except a debug exception generated in
 * response to an instruction breakpoint, the value pushed for RF is 1." UD2's the CPU delivers; the others are instructions
 * that exit, and their faults are injected. */
SEQUENCE(seq_rf_ud2, "	ud2\n" SEQ_LABEL(rf_ud2_next) "	nop\n");
SEQUENCE(seq_rf_rdmsr,
	"	mov $0x12345, %ecx\n"
	"	rdmsr\n"
	SEQ_LABEL(rf_rdmsr_next)
	"	nop\n");
SEQUENCE(seq_rf_rsm, "	rsm\n" SEQ_LABEL(rf_rsm_next) "	nop\n");
extern const char rf_ud2_next[], rf_rdmsr_next[], rf_rsm_next[];
static uint64_t resume_at;

static void resume(struct frame *f)
{
	f->rip = resume_at;
	f->rflags &= ~RFLAGS_RF;
}

static void expect_fault_with_rf(void (*sequence)(void), const char *next, uint8_t vector)
{
	arrivals_clear();
	resume_at = (uint64_t)next;
	sequence();
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_EQ(arrivals.log[0].vector, vector);
	EXPECT_EQ(arrivals.log[0].rflags & RFLAGS_RF, RFLAGS_RF);
}

SCENARIO(debug_rf_ud2, .name = "debug.rf-of-ud2",
	 .xfails = { { RULE_ANY, MODE_ANY, VID_ANY, QEMU_CPU, "",
		       "QEMU's CPU pushes RF as it is for a fault, too" } })
{
	on_vector(VEC_UD, resume);
	expect_fault_with_rf(seq_rf_ud2, rf_ud2_next, VEC_UD);
}

SCENARIO(debug_rf_injected, .name = "debug.rf-of-injected-faults")
{
	if (!env.lab)
		skip("nobody injects");
	on_vector(VEC_UD, resume);
	on_vector(VEC_GP, resume);
	expect_fault_with_rf(seq_rf_rdmsr, rf_rdmsr_next, VEC_GP);
	expect_fault_with_rf(seq_rf_rsm, rf_rsm_next, VEC_UD);
}

/* "Trap-class exceptions generated after an instruction completes" push RF as it is, and each instruction that completes
 * clears it. CPUID exits, NOP does not. */
#define TF_MASK 0x100
_Static_assert(RFLAGS_TF == TF_MASK, "for assembly");
SEQUENCE(seq_rf_step,
	"	push %rbx\n"
	"	pushfq\n"
	"	orq $" STR(TF_MASK) ", (%rsp)\n"
	"	popfq\n"
	"	cpuid\n"
	SEQ_LABEL(rf_step_cpuid)
	"	nop\n"
	SEQ_LABEL(rf_step_nop)
	"	nop\n"
	"	pop %rbx\n");
extern const char rf_step_cpuid[], rf_step_nop[];

static void end_second_step(struct frame *f)
{
	if (arrivals.count == 2)
		f->rflags &= ~RFLAGS_TF;
}

SCENARIO(debug_rf_trap, .name = "debug.rf-of-single-step")
{
	on_vector(VEC_DB, end_second_step);
	seq_rf_step();
	EXPECT_ARRIVAL(0, VEC_DB, rf_step_cpuid);
	EXPECT_ARRIVAL(1, VEC_DB, rf_step_nop);
	EXPECT_EQ(arrivals.count, 2);
	for (unsigned i = 0; i < arrivals.count; i++)
		EXPECT_EQ(arrivals.log[i].rflags & RFLAGS_RF, 0);
}

/* ---- the debug registers ---- */

enum { BP_EXECUTE = 0, BP_WRITE = 1, BP_ACCESS = 3 }; /* R/W field of DR7 */
enum { BP_LEN_1 = 0, BP_LEN_4 = 3, BP_LEN_8 = 2 };
#define DR7_LOCAL(n) BIT64(2 * (n))
#define DR7_CONDITION(n, rw, len) ((uint64_t)((rw) | (len) << 2) << (16 + 4 * (n)))
#define DR7_BREAKPOINT(n, rw, len) (DR7_LOCAL(n) | DR7_CONDITION(n, rw, len))

#define DR(n)                                                                                        \
	static inline uint64_t read_dr##n(void)                                                      \
	{                                                                                            \
		uint64_t v;                                                                          \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(v) : : "memory");                       \
		return v;                                                                            \
	}                                                                                            \
	static inline void write_dr##n(uint64_t v) { __asm__ volatile("mov %0, %%dr" #n : : "r"(v) : "memory"); }
DR(0)
DR(1)
DR(2)
DR(3)
DR(6)
DR(7)
#undef DR

static void dr_reset(void)
{
	write_dr7(DR7_INIT);
	write_dr6(DR6_INIT);
}

static volatile uint64_t seen_dr6;
static void see_dr6(struct frame *f)
{
	seen_dr6 = read_dr6();
	write_dr6(DR6_INIT);
	f->rflags = (f->rflags & ~RFLAGS_TF) | RFLAGS_RF;
}

SCENARIO(debug_registers, .name = "debug.registers-hold-their-values")
{
	const uint64_t pattern = 0x0123456789abcdef, no_breakpoint = 0xffff0000 | DR7_INIT;

	write_dr0(pattern);
	write_dr1(pattern + 1);
	write_dr2(pattern + 2);
	write_dr3(pattern + 3);
	write_dr6(DR6_INIT | DR6_BS);
	write_dr7(no_breakpoint);
	settle();
	EXPECT_EQ(read_dr0(), pattern);
	EXPECT_EQ(read_dr1(), pattern + 1);
	EXPECT_EQ(read_dr2(), pattern + 2);
	EXPECT_EQ(read_dr3(), pattern + 3);
	EXPECT_EQ(read_dr6(), DR6_INIT | DR6_BS);
	EXPECT_EQ(read_dr7(), no_breakpoint);
	dr_reset();
}

/* SDM v3, "Data Memory and I/O Breakpoint Exception Conditions": a trap, behind the instruction that has accessed the place. */
uint64_t debug_watched __attribute__((used));
SEQUENCE(seq_watched_write,
	"	movl $1, debug_watched\n"
	SEQ_LABEL(watched_write_next)
	"	nop\n");
extern const char watched_write_next[];

SCENARIO(debug_data, .name = "debug.data-breakpoint")
{
	on_vector(VEC_DB, see_dr6);
	debug_watched = 0;
	write_dr2((uint64_t)&debug_watched);
	write_dr6(DR6_INIT);
	write_dr7(DR7_INIT | DR7_BREAKPOINT(2, BP_WRITE, BP_LEN_4));
	seq_watched_write();
	write_dr7(DR7_INIT);
	EXPECT_EQ(debug_watched, 1);
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_ARRIVAL(0, VEC_DB, watched_write_next);
	EXPECT_EQ(seen_dr6, DR6_INIT | DR6_B(2));
}

/* A fault, in front of the instruction; RF=1 in the image lets it run. */
SEQUENCE(seq_code_breakpoint,
	"	nop\n"
	SEQ_LABEL(code_breakpoint)
	"	nop\n"
	"	nop\n");
extern const char code_breakpoint[];

SCENARIO(debug_code, .name = "debug.code-breakpoint")
{
	on_vector(VEC_DB, see_dr6);
	write_dr0((uint64_t)code_breakpoint);
	write_dr6(DR6_INIT);
	write_dr7(DR7_INIT | DR7_BREAKPOINT(0, BP_EXECUTE, BP_LEN_1));
	seq_code_breakpoint();
	write_dr7(DR7_INIT);
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_ARRIVAL(0, VEC_DB, code_breakpoint);
	EXPECT_EQ(arrivals.log[0].rflags & RFLAGS_RF, 0);
	EXPECT_EQ(seen_dr6, DR6_INIT | DR6_B(0));
}

/* SDM v3, "General-Detect Exception Condition": in front of an access to a debug register, and "the processor clears the GD
 * flag upon entering to the debug exception handler". */
SEQUENCE(seq_general_detect,
	SEQ_LABEL(general_detect)
	"	mov %dr0, %rax\n");
extern const char general_detect[];
static volatile uint64_t handlers_dr7;

static void see_dr7(struct frame *f)
{
	handlers_dr7 = read_dr7();
	see_dr6(f);
}

SCENARIO(debug_general_detect, .name = "debug.general-detect",
	 .xfails = { { RULE_ANY, MODE_ANY, VID_ANY, QEMU_CPU, "", "QEMU's CPU does not look at DR7.GD" } })
{
	on_vector(VEC_DB, see_dr7);
	write_dr6(DR6_INIT);
	write_dr7(DR7_INIT | DR7_GD);
	seq_general_detect();
	write_dr7(DR7_INIT);
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_ARRIVAL(0, VEC_DB, general_detect);
	EXPECT_EQ(handlers_dr7, DR7_INIT);
	EXPECT_EQ(seen_dr6, DR6_INIT | DR6_BD);
}

/* INT1 is a trap without a word in DR6. */
SEQUENCE(seq_int1,
	"	.byte 0xf1\n"
	SEQ_LABEL(int1_next)
	"	nop\n");
extern const char int1_next[];

SCENARIO(debug_int1, .name = "debug.int1",
	 .xfails = { { RULE_ANY, MODE_ANY, VID_ANY, QEMU_CPU, "", "QEMU's CPU has no INT1: #UD" } })
{
	on_vector(VEC_DB, see_dr6);
	write_dr6(DR6_INIT);
	seq_int1();
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_ARRIVAL(0, VEC_DB, int1_next);
	EXPECT_EQ(seen_dr6, DR6_INIT);
}

/* Breakpoints at addresses that mean a page of the guest's to it, and to the hypervisor the machine's own local APIC, which it
 * uses: for its timer, for interrupts to itself. */
#define OWN_MS 20
SCENARIO(debug_host, .name = "debug.breakpoints-are-the-guests-own")
{
	uint8_t irq;

	on_vector(VEC_DB, see_dr6);
	irq = irq_pend();
	write_dr0(APIC_DEFAULT_PHYS + APIC_TIMER_INITIAL);
	write_dr1(APIC_DEFAULT_PHYS + APIC_EOI);
	write_dr2(APIC_DEFAULT_PHYS + APIC_ICR_LOW);
	write_dr7(DR7_INIT | DR7_BREAKPOINT(0, BP_ACCESS, BP_LEN_4) | DR7_BREAKPOINT(1, BP_ACCESS, BP_LEN_4) |
		  DR7_BREAKPOINT(2, BP_ACCESS, BP_LEN_4));
	irq_open();
	settle();
	EXPECT(!SPIN_UNTIL(arrivals.count > 1, OWN_MS));
	write_dr7(DR7_INIT);
	EXPECT_EQ(arrivals_of(irq), 1);
	EXPECT_EQ(arrivals.count, 1);
}

/* ---- deliveries that never end ---- */

/* DR0 watches the slot of the stack to which each delivery of #DB pushes SS: each is followed by the next, in front of the
 * handler's first instruction, for ever (CVE-2015-8104). Not even the CPU's own microcode gets out of that, so a hypervisor
 * must have #DB exit: then it is a guest that makes no progress, and gets its verdict at its deadline. */
SCENARIO(debug_db_loop, .name = "debug.db-loop", .deadline_ms = 500,
	 .xfails = { { RULE_ANY, MODE_ANY, VID_ANY, QEMU_CPU, "", "QEMU's CPU forgets a breakpoint that a delivery hits" },
		     { RULE_ANY, MODE_ANY, VID_ANY, NULL, "hung", "the guest gets nowhere, and that is seen" } })
{
	volatile uint64_t *slot = (volatile uint64_t *)(void *)(rt_ist_stacks[0] + IST_STACK_SIZE - sizeof(uint64_t));

	if (!env.lab)
		skip("nobody ends it");
	/* QEMU 10.0 asserts that its lock is not held, and holds it while its CPU takes an interrupt. */
	if (on_platform("kvm-amd*,nested-kvm,tcg-svm-8*,tcg-svm-9*,tcg-svm-1*"))
		skip("a breakpoint that a delivery hits ends the emulator");
	on_vector(VEC_DB, empty_handler);
	set_ist(VEC_DB, 1);
	write_dr0((uint64_t)slot);
	write_dr7(DR7_INIT | DR7_BREAKPOINT(0, BP_WRITE, BP_LEN_8));
	*slot = 1;
	write_dr7(DR7_INIT);
	fail("", "the handler has returned");
}

/* ---- a guest of one boot, and the next ---- */

/* The first leaves its registers full of itself and ends only at its deadline; behind a scenario that ends so the suite goes on in
 * a fresh guest, which must find all as after reset. */
static const uint64_t own[2] = { 0x1122334455667788, 0x99aabbccddeeff00 };

static void allow_sse(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSFXSR));
}

SCENARIO(debug_leaves, .name = "debug.registers-of-a-guest", .deadline_ms = 300,
	 .xfails = { { RULE_ANY, MODE_ANY, VID_ANY, NULL, "hung", "so that the next scenario has a fresh guest" } })
{
	uint32_t mxcsr = 0x1fa0;

	if (!env.lab)
		skip("nobody ends it");
	allow_sse();
	__asm__ volatile("movups %0, %%xmm0; movups %0, %%xmm7; movups %0, %%xmm15" : : "m"(own));
	__asm__ volatile("ldmxcsr %0; fldpi" : : "m"(mxcsr));
	write_dr0(own[0]);
	write_dr3(own[0]);
	write_dr6(DR6_INIT | DR6_BS);
	wrmsr(MSR_KERNEL_GS_BASE, 0x12345678);
	wrmsr(MSR_LSTAR, 0x12345678);
	for (;;)
		__asm__ volatile("cli; hlt");
}

SCENARIO(debug_fresh, .name = "debug.registers-of-the-next")
{
	uint64_t xmm[3][2] = { { 1, 1 }, { 1, 1 }, { 1, 1 } };
	uint32_t mxcsr = 0;
	uint16_t tags[14];

	if (!env.lab)
		skip("a boot has one guest here");
	allow_sse();
	__asm__ volatile("movups %%xmm0, %0; movups %%xmm7, %1; movups %%xmm15, %2" : "=m"(xmm[0]), "=m"(xmm[1]), "=m"(xmm[2]));
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstenv %0" : "=m"(tags));
	for (unsigned i = 0; i < ARRAY_SIZE(xmm); i++)
		EXPECT_EQ(xmm[i][0] | xmm[i][1], 0);
	EXPECT_EQ(mxcsr, 0x1f80);
	EXPECT_EQ(tags[4], 0xffff); /* all are empty */
	EXPECT_EQ(read_dr0() | read_dr1() | read_dr2() | read_dr3(), 0);
	EXPECT_EQ(read_dr6(), DR6_INIT);
	EXPECT_EQ(read_dr7(), DR7_INIT);
	EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0);
	EXPECT_EQ(rdmsr(MSR_LSTAR), 0);
}
