/* SPDX-License-Identifier: BSD-2-Clause
 * The guest's runtime: scenarios and their verdicts, interrupts, drivers of the lab device and of the PC.
 * Knows nothing of the hypervisor under it. */
#pragma once

#include "bits.h"
#include "guest_abi.h"
#include "types.h"
#include "x86.h"

/* ---- what runs under us, from the command line ---- */
enum rule { RULE_LEGACY = BIT(0), RULE_STASH = BIT(1), RULE_BOUNDARY = BIT(2), RULE_REARM = BIT(3), RULE_ANY = 0xf };
enum mode { MODE_SPLIT = BIT(0), MODE_USER = BIT(1), MODE_ANY = 0x3 };
enum vid { VID_OFF = BIT(0), VID_ON = BIT(1), VID_ANY = 0x3 };

struct env {
	uint32_t rule, mode, vid; /* one bit each */
	char l0[32];              /* platform name */
	uint64_t seed;
	bool lab;                 /* the lab device answers */
	uint64_t tsc_per_ms;      /* measured against the PIT at start */
};
extern struct env env;
/* Is this platform one of these globs, joined by commas, or with ! before them none of these? */
bool on_platform(const char *globs);

/* ---- scenarios ---- */
/* A failure that is expected where rule, mode, vid and platform all match (l0: as on_platform(), NULL = any). The first
 * that matches counts. */
struct xfail {
	uint32_t rules, modes, vids;
	const char *l0;
	const char *verdict; /* livelock, starved, inverted, late, if0, hung; "": fail() without a word */
	const char *why;     /* one sentence, printed with --list and in docs */
};

struct scenario {
	const char *name; /* "group.words-with-dashes" */
	void (*run)(void);
	uint32_t deadline_ms; /* 0: 5000 */
	uint32_t modes;       /* 0 or MODE_ANY: every mode; else skipped in the others, with `skip` as reason */
	const char *skip;
	struct xfail xfails[6];
	const char *file; /* set by SCENARIO */
	int line;
};

/* Registers a scenario. Order in the suite: by file name, then by place in the file.
 *   SCENARIO(windows_sti_shadow, .name = "windows.sti-shadow") { ... }  */
#define SCENARIO(id, ...)                                                                     \
	static void id(void);                                                                 \
	static const struct scenario scenario_##id                                            \
		__attribute__((section("scenarios"), used, aligned(8))) = { .run = id, .file = __FILE__, .line = __LINE__, __VA_ARGS__ }; \
	static void id(void)

/* Ends the scenario with a verdict by longjmp; the machine is put back (PICs, PIT, APIC, lines, IDT, IF=0) afterwards.
 * A scenario that returns without calling one of them has passed. */
_Noreturn void fail(const char *verdict, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* subject is broken: verdict "" or a word of xfail */
_Noreturn void error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));                     /* the test is broken */
_Noreturn void skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* fail("") with file:line, expression and both values when they differ. */
#define EXPECT_EQ(got, want) expect_eq((uint64_t)(got), (uint64_t)(want), #got, __FILE__, __LINE__)
#define EXPECT(cond) expect_true((cond), #cond, __FILE__, __LINE__)
void expect_eq(uint64_t got, uint64_t want, const char *what, const char *file, int line);
void expect_true(bool cond, const char *what, const char *file, int line);
/* Adds ` name=value` to the scenario's KTAP line. At most 8, and four of rt_run.c's own; names are the same on every platform. */
void metric(const char *name, uint64_t value);
/* A diagnostic line `# ...` */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int rt_snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- interrupts and exceptions ---- */
struct frame { /* pushed by the stubs in start.S */
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
typedef void handler_fn(struct frame *f);
/* All 256 vectors enter C through interrupt gates. An unexpected vector ends the scenario: fail("", "unexpected vector").
 * NULL takes a handler away. */
void on_vector(uint8_t vector, handler_fn *fn);
/* Every interrupt and exception that arrives is also logged, in order, before its handler runs (first 64; count is exact). */
struct arrival { uint8_t vector; uint64_t rip, rflags, error; };
struct arrivals { uint32_t count; struct arrival log[64]; };
extern volatile struct arrivals arrivals;
void arrivals_clear(void);
uint32_t arrivals_of(uint8_t vector); /* exact count since arrivals_clear() */
void set_gate(uint8_t vector, bool trap_gate); /* interrupt gate (default) or trap gate */
void set_ist(uint8_t vector, unsigned ist);    /* 0: none; IST1..3 have stacks of their own */
void gate_present(uint8_t vector, bool present); /* a gate that is not there: #NP on delivery */
/* Where a vector's stub begins: the interrupted RIP when something arrives on top of a delivery. */
uint64_t vector_entry(uint8_t vector);
/* Handlers for common cases: nothing but the EOI, at the 8259 pair (by vector) or at the local APIC; nothing at all. */
void pic_handler(struct frame *f);
void apic_handler(struct frame *f);
void empty_handler(struct frame *f);

/* Structures that delivery itself reads, each on pages of its own: lab_unmap() of one hits nothing else. */
extern uint8_t rt_idt_page[], rt_gdt_page[], rt_tss_page[];
#define IST_STACK_SIZE 8192
extern uint8_t rt_ist_stacks[][IST_STACK_SIZE]; /* [ist - 1]; a delivery writes the last page */

/* A routine in assembly, `void name(void)`, whose labels C can see: SEQ_LABEL(x) in it, `extern char x[]` in C.
 * It may clobber what a C call may. Written outside of functions, so that no label is ever duplicated. */
#define STR_(x) #x
#define STR(x) STR_(x)
#define SEQ_LABEL(label) ".globl " #label "\n" #label ":\n"
#define SEQUENCE(name, ...)                                                                 \
	void name(void);                                                                    \
	__asm__(".pushsection .text\n.globl " #name "\n" #name ":\n" __VA_ARGS__ "\tret\n.popsection")
/* The same with arguments: edi: port, esi: value. */
#define SEQUENCE_IO(name, ...)                                                              \
	void name##_insns(uint16_t port, uint32_t value);                                   \
	__asm__(".pushsection .text\n.globl " #name "_insns\n" #name "_insns:\n"            \
		"\tmov %edi, %edx\n\tmov %esi, %eax\n" __VA_ARGS__ "\tret\n.popsection");     \
	static inline void name(uint16_t port, uint32_t value) { port_check(port); name##_insns(port, value); }
/* EXPECT that arrival n was `vector` at the label. */
#define EXPECT_ARRIVAL(n, vec, label) expect_arrival((n), (vec), (uint64_t)(label), #label, __FILE__, __LINE__)
void expect_arrival(uint32_t n, uint8_t vector, uint64_t rip, const char *what, const char *file, int line);

static inline void irq_on(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void irq_off(void) { __asm__ volatile("cli" ::: "memory"); }
/* IF=1 for two whole instructions, then IF=0: whatever is pending and takeable arrives before it returns. */
static inline void irq_open(void) { __asm__ volatile("sti; nop; nop; cli" ::: "memory"); }
static inline uint64_t rflags(void) { uint64_t f; __asm__ volatile("pushfq; pop %0" : "=r"(f)); return f; }
static inline uint64_t rdtsc(void) { uint32_t a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return (uint64_t)d << 32 | a; }
static inline void pause(void) { __asm__ volatile("pause" ::: "memory"); }
static inline void barrier(void) { __asm__ volatile("" ::: "memory"); }
/* Spins with the present IF until cond or until ms have passed; the value is cond's. No exit while spinning. */
#define SPIN_UNTIL(cond, ms) __extension__({ \
	uint64_t end_ = rdtsc() + (uint64_t)(ms) * env.tsc_per_ms; \
	while (!(cond) && rdtsc() < end_) pause(); \
	(bool)(cond); })

/* Gives whatever may still come its chance, IF as it is: a few exits, and time between them. */
void settle(void);

/* ---- ports, MSRs ---- */
/* A command to the lab device skips the scenario where there is none: at the first that it needs, so no list of such
 * scenarios has to be kept. A port that is constant is checked by the compiler. */
static inline void port_check(uint16_t p)
{
	if (p >= LAB_BASE && p < LAB_BASE + LAB_PORTS && !env.lab)
		skip("needs the lab device");
}
static inline void outb(uint16_t p, uint8_t v) { port_check(p); __asm__ volatile("outb %0, %w1" ::"a"(v), "Nd"(p) : "memory"); }
static inline void outw(uint16_t p, uint16_t v) { port_check(p); __asm__ volatile("outw %0, %w1" ::"a"(v), "Nd"(p) : "memory"); }
static inline void outl(uint16_t p, uint32_t v) { port_check(p); __asm__ volatile("outl %0, %w1" ::"a"(v), "Nd"(p) : "memory"); }
static inline uint8_t inb(uint16_t p) { uint8_t v; __asm__ volatile("inb %w1, %0" : "=a"(v) : "Nd"(p) : "memory"); return v; }
static inline uint16_t inw(uint16_t p) { uint16_t v; __asm__ volatile("inw %w1, %0" : "=a"(v) : "Nd"(p) : "memory"); return v; }
static inline uint32_t inl(uint16_t p) { uint32_t v; __asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(p) : "memory"); return v; }
static inline uint64_t rdmsr(uint32_t m) { uint32_t a, d; __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(m) : "memory"); return (uint64_t)d << 32 | a; }
static inline void wrmsr(uint32_t m, uint64_t v) { __asm__ volatile("wrmsr" ::"c"(m), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory"); }
/* As above; the value tells whether #GP came instead. */
bool rdmsr_gp(uint32_t msr, uint64_t *val);
bool wrmsr_gp(uint32_t msr, uint64_t val);

/* ---- lab device ---- */
static inline void lab_up(unsigned line) { outw(LAB_UP, (uint16_t)BIT(line)); }
static inline void lab_down(unsigned line) { outw(LAB_DOWN, (uint16_t)BIT(line)); }
static inline void lab_pulse(unsigned line) { outw(LAB_PULSE, (uint16_t)BIT(line)); }
static inline void lab_nmi(void) { outb(LAB_NMI, 1); }
uint64_t lab_counter(enum lab_counter c); /* 0 where nobody counts */
/* Drops the nested translation of the page at p. */
void lab_unmap(const void *p);

/* Schedules an NMI `us` from now and halts, with IF=0 or behind STI. On a machine under load the NMI may come before HLT:
 * then HLT is not executed, the value is false, and the caller tries again with more time. Clears the arrivals first. */
bool halt_until_nmi(uint32_t us, bool if1);
extern const char halt_if0_next[], halt_if1_next[];

/* ---- 8259 pair: initialized to vectors 0x20..0x2f, edge, all masked, before every scenario ---- */
#define PIC_VECTOR(irq) ((uint8_t)(0x20 + (irq)))
enum { ICW4_8086 = BIT(0), ICW4_AEOI = BIT(1), ICW4_SFNM = BIT(4) };
void pic_init(uint8_t master_icw4, uint8_t slave_icw4); /* full ICW1..4, then all masked */
void pic_unmask(unsigned irq); /* and the cascade for 8..15 */
void pic_mask(unsigned irq);
void pic_eoi(unsigned irq);    /* non-specific, both chips for 8..15 */
uint8_t pic_irr(bool slave);
uint8_t pic_isr(bool slave);
/* With IF=0: makes one ISA interrupt pending, unmasked, with pic_handler() as its handler, and returns its vector.
 * A lab line where there is the lab device, else IRQ0 by the PIT. */
uint8_t irq_pend(void);

/* ---- local APIC: enabled, TPR 0, LVT0 = ExtINT unmasked, xAPIC mode, before every scenario ---- */
uint32_t apic_read(uint32_t reg);            /* xAPIC page, or MSRs while in x2APIC mode */
void apic_write(uint32_t reg, uint32_t val);
void apic_eoi(void);
void apic_self_ipi(uint8_t vector);
void apic_x2apic(void);                      /* enters x2APIC mode for this scenario */
bool apic_isr_bit(uint8_t vector);
bool apic_irr_bit(uint8_t vector);
bool cpu_has_x2apic(void);
bool cpu_has_tsc_deadline(void);

/* ---- I/O APIC: all pins masked before every scenario ---- */
uint32_t ioapic_read_reg(uint8_t reg);
void ioapic_write_reg(uint8_t reg, uint32_t val);
void ioapic_route(unsigned pin, uint64_t rte);
uint64_t ioapic_rte(unsigned pin);

/* ---- PIT ---- */
void pit_oneshot(uint16_t count);      /* channel 0, mode 0 */
void pit_periodic(uint16_t count);     /* channel 0, mode 2 */
void pit_stop(void);

/* Strings, of which C's library would have the rest. */
void *memset(void *to, int c, size_t n);
bool str_has_prefix(const char *s, const char *prefix);

/* xorshift64*, seeded from env.seed and the scenario's name: the same run again for the same seed */
uint64_t rnd(void);
