/* SPDX-License-Identifier: BSD-2-Clause
 * IDT and TSS, and the way from a vector to the scenario's handler, with a log of what arrived.
 * Knows nothing of interrupt controllers. */
#include "rt_private.h"
#include "guest_layout.h"

#define VECTORS 256
#define FIRST_INTERRUPT 32
#define IST_STACKS 4
#define IST_DOUBLE_FAULT 4 /* scenarios have 1..3 */

#define GATE_INTERRUPT 0x8e /* P, DPL 0, 64-bit interrupt gate */
#define GATE_TRAP 0x8f
#define GATE_PRESENT 0x80
#define DESC_TSS_AVAILABLE 0x89ull

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};
CHECK_LAYOUT(struct gate, offset_high, 8, "64-Bit IDT Gate Descriptors");

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));
CHECK_LAYOUT(struct tss, ist, 36, "64-Bit TSS Format");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const uint8_t rt_vector_stubs[];
uint8_t rt_idt_page[PAGE] __attribute__((aligned(PAGE)));
uint8_t rt_tss_page[PAGE] __attribute__((aligned(PAGE)));
uint8_t rt_ist_stacks[IST_STACKS][IST_STACK_SIZE] __attribute__((aligned(PAGE)));

static struct gate *const idt = (struct gate *)(void *)rt_idt_page;
static handler_fn *handlers[VECTORS];
static uint32_t counts[VECTORS];
volatile struct arrivals arrivals;
volatile bool rt_running;
volatile uint32_t rt_swallowed;

uint64_t vector_entry(uint8_t vector)
{
	return (uint64_t)(rt_vector_stubs + vector * STUB_SIZE);
}

static void gate_init(uint8_t vector)
{
	uint64_t entry = vector_entry(vector);

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)GET_FIELD(15, 0, entry),
		.offset_mid = (uint16_t)GET_FIELD(31, 16, entry),
		.offset_high = (uint32_t)GET_FIELD(63, 32, entry),
		.selector = SEL_CODE64,
		.type = GATE_INTERRUPT,
		.ist = vector == VEC_DF ? IST_DOUBLE_FAULT : 0,
	};
}

void set_gate(uint8_t vector, bool trap_gate)
{
	idt[vector].type = trap_gate ? GATE_TRAP : GATE_INTERRUPT;
}

void set_ist(uint8_t vector, unsigned ist)
{
	idt[vector].ist = (uint8_t)ist;
}

void gate_present(uint8_t vector, bool present)
{
	if (present)
		idt[vector].type |= GATE_PRESENT;
	else
		idt[vector].type &= (uint8_t)~GATE_PRESENT;
}

static void tss_init(void)
{
	struct tss *tss = (struct tss *)(void *)rt_tss_page;
	uint64_t *gdt = (uint64_t *)(void *)rt_gdt_page;
	uint64_t base = (uint64_t)tss;

	for (unsigned i = 0; i < IST_STACKS; i++)
		tss->ist[i] = (uint64_t)rt_ist_stacks[i] + IST_STACK_SIZE;
	tss->iomap = sizeof(*tss);
	gdt[SEL_TSS / sizeof(*gdt)] = FIELD(15, 0, sizeof(*tss) - 1) | FIELD(39, 16, base) |
				      FIELD(47, 40, DESC_TSS_AVAILABLE) | FIELD(63, 56, base >> 24);
	gdt[SEL_TSS / sizeof(*gdt) + 1] = base >> 32;
	__asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
}

void idt_init(void)
{
	struct table_pointer idtr = { .limit = PAGE - 1, .base = (uint64_t)rt_idt_page };

	idt_reset();
	tss_init();
	__asm__ volatile("lidt %0" ::"m"(idtr));
}

void idt_reset(void)
{
	for (unsigned v = 0; v < VECTORS; v++)
		gate_init((uint8_t)v);
	memset(handlers, 0, sizeof(handlers));
	arrivals_clear();
}

void on_vector(uint8_t vector, handler_fn *fn)
{
	handlers[vector] = fn;
}

void arrivals_clear(void)
{
	arrivals.count = 0;
	memset(counts, 0, sizeof(counts));
}

uint32_t arrivals_of(uint8_t vector)
{
	return *(volatile uint32_t *)&counts[vector];
}

static void log_arrival(const struct frame *f)
{
	volatile struct arrival *a = &arrivals.log[arrivals.count];

	if (arrivals.count < ARRAY_SIZE(arrivals.log)) {
		a->vector = (uint8_t)f->vector;
		a->rip = f->rip;
		a->rflags = f->rflags;
		a->error = f->error;
	}
	arrivals.count++;
	counts[f->vector]++;
}

void expect_arrival(uint32_t n, uint8_t vector, uint64_t rip, const char *what, const char *file, int line)
{
	if (arrivals.count <= n)
		fail("", "%s:%d: %u arrived, expected vector %#x at %s", file, line, arrivals.count, vector, what);
	expect_eq(arrivals.log[n].vector, vector, "vector", file, line);
	expect_eq(arrivals.log[n].rip, rip, what, file, line);
}

static uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

/* ---- rdmsr and wrmsr that survive #GP ---- */

__asm__(".pushsection .text\n"
	".globl rdmsr_gp\n" /* edi: the index, rsi: where to */
	"rdmsr_gp:\n"
	"	mov %edi, %ecx\n"
	SEQ_LABEL(rt_rdmsr_insn)
	"	rdmsr\n"
	"	mov %eax, (%rsi)\n"
	"	mov %edx, 4(%rsi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".globl wrmsr_gp\n" /* edi: the index, rsi: the value */
	"wrmsr_gp:\n"
	"	mov %edi, %ecx\n"
	"	mov %esi, %eax\n"
	"	mov %rsi, %rdx\n"
	"	shr $32, %rdx\n"
	SEQ_LABEL(rt_wrmsr_insn)
	"	wrmsr\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	SEQ_LABEL(rt_msr_faulted)
	"	mov $1, %eax\n"
	"	ret\n"
	".popsection");
extern const char rt_rdmsr_insn[], rt_wrmsr_insn[], rt_msr_faulted[];

static bool fixed_up(struct frame *f)
{
	if (f->vector != VEC_GP || (f->rip != (uint64_t)rt_rdmsr_insn && f->rip != (uint64_t)rt_wrmsr_insn))
		return false;
	f->rip = (uint64_t)rt_msr_faulted;
	return true;
}

/* ---- dispatch ---- */

void pic_handler(struct frame *f)
{
	pic_eoi((unsigned)f->vector - PIC_VECTOR(0));
}

void apic_handler(struct frame *f)
{
	(void)f;
	apic_eoi();
}

void empty_handler(struct frame *f)
{
	(void)f;
}

/* Between scenarios: what a scenario left behind is taken and forgotten. */
static void swallow(const struct frame *f)
{
	if (f->vector < FIRST_INTERRUPT && f->vector != VEC_NMI)
		bail_out("exception %lu outside of a scenario, rip %#lx error %#lx cr2 %#lx", f->vector, f->rip,
			 f->error, read_cr2());
	rt_swallowed++;
	if (f->vector != VEC_NMI && apic_is_reachable() && apic_isr_bit((uint8_t)f->vector))
		apic_eoi();
}

void rt_dispatch(struct frame *f)
{
	if (fixed_up(f))
		return;
	if (!rt_running) {
		swallow(f);
		return;
	}
	log_arrival(f);
	if (!handlers[f->vector])
		fail("", "unexpected vector %#lx at rip %#lx rflags %#lx error %#lx cr2 %#lx", f->vector, f->rip,
		     f->rflags, f->error, read_cr2());
	handlers[f->vector](f);
}
