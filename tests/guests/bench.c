/* SPDX-License-Identifier: BSD-2-Clause
 * The benchmark's guest: each of the common ways out of a guest, many times over, with nothing in between. It prints how many
 * exits each one took; what an exit costs the hypervisor is counted there.
 * Knows nothing of the hypervisor's inside: the counters are the lab device's. */
#include <stdint.h>

#include "guest_abi.h"

#define HEADER_MAGIC 0x1badb002u
#define HEADER_FLAGS 3u
#define PAGE_SIZE 4096u
#define ROUNDS 2000u

#define COM1_DATA 0x3f8
#define COM1_LSR 0x3fd
#define LSR_THRE 0x20
#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1
#define PIC_EOI 0x20
#define ICW1_INIT_ICW4 0x11
#define ICW2_BASE 0x20
#define ICW3_MASTER 0x04
#define ICW4_8086 0x01
#define ALL_MASKED 0xff
#define LINE 5
#define LINE_VECTOR (ICW2_BASE + LINE)
#define IPI_VECTOR 0x60

#define APIC_BASE 0xfee00000u
#define APIC_TPR 0x080
#define APIC_EOI 0x0b0
#define APIC_SVR 0x0f0
#define APIC_ICR_LOW 0x300
#define SVR_ENABLE 0x1ff
#define ICR_SELF 0x44000u

#define SEG_CODE 0x08
#define GATE_32_INTERRUPT 0x8e00
#define VECTORS 256
#define DESC_CODE 0x00cf9b000000ffffull
#define DESC_DATA 0x00cf93000000ffffull

struct gate {
	uint16_t offset_low, selector, flags, offset_high;
};
struct table {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

void _start(void);
void bench(void);
void line_handler(void);
void ipi_handler(void);

__attribute__((used, section(".text.header"), aligned(4))) static const uint32_t header[] = {
	HEADER_MAGIC, HEADER_FLAGS, 0u - HEADER_MAGIC - HEADER_FLAGS
};
static uint8_t stack[PAGE_SIZE] __attribute__((used, aligned(16)));
static uint64_t gdt[] __attribute__((used, aligned(8))) = { 0, DESC_CODE, DESC_DATA };
static struct gate idt[VECTORS] __attribute__((aligned(8)));
static volatile uint32_t lines __attribute__((used)), ipis __attribute__((used));

__attribute__((naked)) void _start(void)
{
	__asm__ volatile("lea stack + %c0, %%esp; jmp bench" : : "i"(PAGE_SIZE));
}

/* The handlers do the least that can be done: the line falls, both controllers are ready for the next. */
__attribute__((naked)) void line_handler(void)
{
	__asm__ volatile("push %%eax; push %%edx; incl lines; mov %0, %%edx; mov %1, %%eax; out %%ax, %%dx; mov %2, %%al; "
			 "out %%al, %3; pop %%edx; pop %%eax; iret"
			 :
			 : "i"(LAB_DOWN), "i"(1 << LINE), "i"(PIC_EOI), "i"(PIC1_COMMAND));
}

__attribute__((naked)) void ipi_handler(void)
{
	__asm__ volatile("incl ipis; movl $0, %0; iret" : : "m"(*(volatile uint32_t *)(APIC_BASE + APIC_EOI)));
}

static void out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
static void out16(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory"); }

static uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static uint32_t in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static volatile uint32_t *apic(uint32_t offset)
{
	return (volatile uint32_t *)(APIC_BASE + offset);
}

static void put(const char *text)
{
	for (; *text; text++) {
		while (!(in8(COM1_LSR) & LSR_THRE))
			;
		out8(COM1_DATA, (uint8_t)*text);
	}
}

static void put_number(uint32_t v)
{
	char text[11] = { 0 };
	unsigned at = sizeof(text) - 1;

	do
		text[--at] = (char)('0' + v % 10);
	while (v /= 10);
	put(text + at);
}

static uint32_t counter(enum lab_counter c)
{
	out8(LAB_COUNTER_SELECT, (uint8_t)c);
	return in32(LAB_COUNTER);
}

/* Each snapshot is two exits, and the first of them is counted in it. */
#define SNAPSHOT_EXITS 2

static const struct {
	const char *name;
	enum lab_counter counter;
} shown[] = { { " exits=", LAB_EXITS }, { " user_exits=", LAB_USER_EXITS }, { " window_exits=", LAB_WINDOW_EXITS } };
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

static void measure(const char *name, void (*once)(void))
{
	uint32_t before[SHOWN], after[SHOWN];

	once(); /* pages are mapped then */
	for (unsigned i = 0; i < SHOWN; i++)
		before[i] = counter(shown[i].counter);
	for (uint32_t i = 0; i < ROUNDS; i++)
		once();
	for (unsigned i = 0; i < SHOWN; i++)
		after[i] = counter(shown[i].counter);
	put("# bench: guest ");
	put(name);
	put(" rounds=");
	put_number(ROUNDS);
	for (unsigned i = 0; i < SHOWN; i++) {
		uint32_t own = shown[i].counter == LAB_WINDOW_EXITS ? 0 : SHOWN * SNAPSHOT_EXITS;

		put(shown[i].name);
		put_number(after[i] - before[i] - own);
	}
	put("\n");
}

static void do_cpuid(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void do_out(void) { out8(LAB_NOP, 0); }
static void do_in(void) { (void)in32(LAB_MAGIC_PORT); }
static void do_mmio(void) { *apic(APIC_SVR) = SVR_ENABLE; }
static void do_tpr(void) { *apic(APIC_TPR) = 0; }

/* The line rises while IF=0: a window must be waited for, then the vector is injected. */
static void do_window(void)
{
	out16(LAB_UP, 1 << LINE);
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

/* It rises while IF=1: injected on the way back from OUT. */
static void do_injection(void)
{
	__asm__ volatile("sti; nop" : : : "memory");
	out16(LAB_UP, 1 << LINE);
	__asm__ volatile("nop; cli" : : : "memory");
}

static void do_self_ipi(void)
{
	*apic(APIC_ICR_LOW) = ICR_SELF | IPI_VECTOR;
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

static void set_gate(unsigned vector, void (*handler)(void))
{
	uint32_t offset = (uint32_t)handler;

	idt[vector] = (struct gate){ (uint16_t)offset, SEG_CODE, GATE_32_INTERRUPT, (uint16_t)(offset >> 16) };
}

static void set_up(void)
{
	const struct table g = { sizeof(gdt) - 1, (uint32_t)gdt }, i = { sizeof(idt) - 1, (uint32_t)idt };

	set_gate(LINE_VECTOR, line_handler);
	set_gate(IPI_VECTOR, ipi_handler);
	__asm__ volatile("lgdt %0; lidt %1; ljmp %2, $1f; 1:" : : "m"(g), "m"(i), "i"(SEG_CODE) : "memory");
	out8(PIC1_COMMAND, ICW1_INIT_ICW4);
	out8(PIC1_DATA, ICW2_BASE);
	out8(PIC1_DATA, ICW3_MASTER);
	out8(PIC1_DATA, ICW4_8086);
	out8(PIC1_DATA, (uint8_t)~(1 << LINE));
	out8(PIC2_DATA, ALL_MASKED);
	*apic(APIC_SVR) = SVR_ENABLE;
}

__attribute__((used)) void bench(void)
{
	set_up();
	measure("cpuid", do_cpuid);
	measure("out", do_out);
	measure("in", do_in);
	measure("apic-svr-write", do_mmio);
	measure("apic-tpr-write", do_tpr);
	measure("window-then-injection", do_window);
	measure("injection", do_injection);
	measure("self-ipi", do_self_ipi);
	out8(EXIT_PORT, lines != 2 * (ROUNDS + 1) || ipis != ROUNDS + 1);
	for (;;)
		__asm__ volatile("cli; hlt");
}
