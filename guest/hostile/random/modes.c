/* SPDX-License-Identifier: BSD-2-Clause
 * Descriptor tables, page tables, a TSS and the devices for one mode, so that its handlers bring the guest back from whatever
 * fault it makes; and sometimes not. All memory is mapped where it is, for everybody.
 * Knows nothing of which instructions run. */
#include "random.h"

#define P_RW_US 7u
#define LARGE 0x80u
#define MIB 0x100000u
#define GIB 0x40000000u
#define PML4 (TABLES)
#define PDPT (TABLES + PAGE)
#define DIRECTORIES (TABLES + 2 * PAGE) /* four of PAE's, one of 32-bit paging's */
#define FIRST_TABLE (TABLES + 6 * PAGE)
#define TABLE_WORDS 1024u
#define CR0_WP 0x10000u
#define CR0_AM 0x40000u
#define CR0_PG 0x80000000u
#define CR0_ET 0x10u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define CR4_OSFXSR 0x200u
#define EFER_SCE 1u
#define EFER_LME 0x100u
#define FLAGS_RESERVED 2u
#define FLAGS_IF 0x200u
#define FLAGS_IOPL 0x3000u
#define FLAGS_VM 0x20000u
#define TSS_AVAILABLE 0x0000890000000000ull
#define TSS_CR3 0x1c
#define TSS_IST1 0x24
#define TSS_IOMAP 0x64
#define GATE_INTERRUPT32 0x8e00u
#define GATE_INTERRUPT16 0x8600u
#define GATE_TRAP 0x100u
#define GATE_DPL3 0x6000u
#define VECTORS 256u
#define VEC_DB 1
#define VEC_BP 3
#define LAPIC_SVR 0xfee000f0u
#define LAPIC_LVT_TIMER 0xfee00320u
#define LAPIC_DIVIDE 0xfee003e0u
#define LAPIC_INITIAL 0xfee00380u
#define SVR_ON 0x1ffu
#define TIMER_PERIODIC 0x20000u
#define TIMER_VECTOR 0x40
#define PIC1 0x20
#define PIC2 0xa0
#define PIT_COUNTER0 0x40
#define PIT_CONTROL 0x43
#define ICW1 0x11
#define ICW4 1
#define PIT_MODE2 0x34

const char *const mode_names[MODES] = { "real", "unreal", "vm86", "prot16", "flat32", "paged32", "pae32", "long64", "compat32" };

struct layout {
	uint16_t offset;
	uint32_t value;
};

static void poke(uint32_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

static void poke64(uint32_t address, uint64_t value)
{
	poke(address, (uint32_t)value);
	poke(address + 4, (uint32_t)(value >> 32));
}

static void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static bool is_long(const struct gen *g)
{
	return g->mode == LONG64 || g->mode == COMPAT32;
}

static bool is_real(const struct gen *g)
{
	return g->mode == REAL || g->mode == UNREAL;
}

static uint64_t tss_descriptor(uint32_t base)
{
	return TSS_AVAILABLE | (TSS_SIZE - 1) | (uint64_t)(base & 0xffffff) << 16;
}

static void make_gdt(void)
{
	/* Base, limit, type, DPL, P; G, D and L, as the manuals lay them out. */
	static const uint64_t gdt[GDT_ENTRIES] = {
		[SEL_CODE32 / 8] = 0x00cf9b000000ffff,      [SEL_DATA / 8] = 0x00cf93000000ffff,
		[SEL_CODE16 / 8] = 0x00009b000000ffff,      [SEL_CODE64 / 8] = 0x00af9b000000ffff,
		[SEL_USER_CODE32 / 8] = 0x00cffb000000ffff, [SEL_USER_DATA / 8] = 0x00cff3000000ffff,
		[SEL_USER_CODE16 / 8] = 0x0000fb000000ffff, [SEL_USER_CODE64 / 8] = 0x00affb000000ffff,
		[SEL_CONFORMING / 8] = 0x00cf9f000000ffff,  [SEL_ABSENT / 8] = 0x00cf13000000ffff,
		[SEL_EXPAND_DOWN / 8] = 0x00cf970000000fff, [SEL_CALL_GATE / 8] = 0x0000ec0000080000 | CODE,
		[SEL_TASK_GATE / 8] = 0x0000e50000700000,   [SEL_DATA16 / 8] = 0x000093000000ffff,
		[SEL_LDT / 8] = 0x000082000000007f | (uint64_t)GDT << 16,
	};

	for (uint32_t i = 0; i < GDT_ENTRIES; i++)
		poke64(GDT + i * 8, gdt[i]);
	poke64(GDT + SEL_TSS, tss_descriptor(TSS));
	poke64(GDT + SEL_TSS_OTHER, tss_descriptor(TSS_OTHER));
	poke(V_GDTR, ((uint32_t)GDT << 16) | (GDT_ENTRIES * 8 - 1));
	poke(V_GDTR + 4, GDT >> 16);
}

/* Of 32 bits: SP0, and the whole of another task. Of 64: RSP0 to 2 and IST1 in the same bytes. */
static void make_tss(const struct gen *g)
{
	/* EIP, EFLAGS, ESP, then ES, CS, SS, DS, FS, GS */
	static const struct layout other[] = {
		{ 0x20, CODE + BLOCK_SIZE }, { 0x24, FLAGS_RESERVED }, { 0x38, USER_STACK }, { 0x48, SEL_DATA },
		{ 0x4c, SEL_CODE32 },        { 0x50, SEL_DATA },       { 0x54, SEL_DATA },   { 0x58, SEL_DATA },
		{ 0x5c, SEL_DATA },
	};

	poke(TSS + 4, STACK_TOP);
	poke(TSS + TSS_IOMAP, TSS_SIZE << 16);
	if (is_long(g))
		poke64(TSS + TSS_IST1, STACK_TOP);
	else
		poke(TSS + 8, g->mode == PROT16 ? SEL_DATA16 : SEL_DATA);
	for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		poke(TSS_OTHER + other[i].offset, other[i].value);
	poke(TSS_OTHER + TSS_CR3, *(volatile uint32_t *)V_CR3);
	poke(TSS_OTHER + TSS_IOMAP, TSS_SIZE << 16);
}

static uint32_t handler_selector(const struct gen *g)
{
	return g->mode == PROT16 ? SEL_CODE16 : is_long(g) ? SEL_CODE64 : SEL_CODE32;
}

static void gate(const struct gen *g, uint32_t vector, uint32_t handler, uint32_t flags)
{
	uint32_t low = handler_selector(g) << 16 | (handler & 0xffff), high = (handler & 0xffff0000) | flags;

	if (is_real(g)) {
		poke(IVT + vector * 4, handler);
	} else if (is_long(g)) {
		poke(IDT + vector * 16, low);
		poke64(IDT + vector * 16 + 4, high | 1); /* IST1 */
	} else {
		poke(IDT + vector * 8, low);
		poke(IDT + vector * 8 + 4, high);
	}
}

static uint32_t in_low(const uint8_t *label)
{
	return LOW16 + (uint32_t)label - (uint32_t)low16;
}

static bool is_16(const struct gen *g)
{
	return is_real(g) || g->mode == PROT16;
}

static uint32_t next_handler(const struct gen *g)
{
	return is_16(g) ? in_low(next16) : (uint32_t)(is_long(g) ? next64 : next32);
}

static void make_idt(struct gen *g)
{
	uint32_t next = next_handler(g);
	uint32_t irq = is_16(g) ? in_low(irq16) : (uint32_t)(is_long(g) ? irq64 : irq32);
	uint32_t type = g->mode == PROT16 ? GATE_INTERRUPT16 : GATE_INTERRUPT32;
	bool traps_go_on = one_in(g, 2);
	uint32_t limit = is_real(g) ? VECTORS * 4 : is_long(g) ? VECTORS * 16 : VECTORS * 8;

	for (uint32_t v = 0; v < VECTORS; v++) {
		bool goes_on = (v >= FIRST_IRQ && v != VECTOR_NEXT) || (traps_go_on && (v == VEC_DB || v == VEC_BP));
		uint32_t dpl = v == VECTOR_NEXT || one_in(g, 4) ? GATE_DPL3 : 0;

		gate(g, v, goes_on ? irq : next, type | dpl | (one_in(g, 8) ? GATE_TRAP : 0));
	}
	if (one_in(g, 10)) /* nobody mends anything */
		limit = rnd(g, 32) * 8;
	poke(V_IDTR, ((is_real(g) ? IVT : IDT) << 16) | ((limit - 1) & 0xffff));
	poke(V_IDTR + 4, 0);
	poke(V_IDTR_BAD, odd_value(g));
	poke(V_IDTR_BAD + 4, odd_value(g));
}

static void make_paging32(void)
{
	for (uint32_t i = 0; i < TABLE_WORDS; i++) {
		poke(DIRECTORIES + i * 4, (i * 4 * MIB) | LARGE | P_RW_US);
		poke(FIRST_TABLE + i * 4, (i * PAGE) | P_RW_US);
	}
	poke(DIRECTORIES, FIRST_TABLE | P_RW_US);
	poke(V_CR3, DIRECTORIES);
	poke(V_CR4, CR4_OSFXSR | CR4_PSE);
}

static void make_paging64(const struct gen *g)
{
	uint32_t rights = is_long(g) ? P_RW_US : 1; /* PAE's PDPTEs have none */

	for (uint32_t i = 0; i < TABLE_WORDS / 2; i++)
		poke64(FIRST_TABLE + i * 8, (i * PAGE) | P_RW_US);
	for (uint32_t i = 0; i < TABLE_WORDS * 2; i++)
		poke64(DIRECTORIES + i * 8, (i * 2 * MIB) | LARGE | P_RW_US);
	poke64(DIRECTORIES, FIRST_TABLE | P_RW_US);
	for (uint32_t i = 0; i < 4; i++)
		poke64(PDPT + i * 8, (DIRECTORIES + i * PAGE) | rights);
	poke64(PML4, PDPT | P_RW_US);
	poke(V_CR3, is_long(g) ? PML4 : PDPT);
	poke(V_CR4, CR4_OSFXSR | CR4_PAE);
	poke(V_EFER, EFER_LME | EFER_SCE);
}

static void make_entry(struct gen *g)
{
	static const uint16_t code[MODES] = {
		[VM86] = 0, [PROT16] = SEL_CODE16, [FLAT32] = SEL_CODE32, [PAGED32] = SEL_CODE32,
		[PAE32] = SEL_CODE32, [LONG64] = SEL_CODE64, [COMPAT32] = SEL_CODE32,
	};
	uint32_t cs = code[g->mode], ss = g->mode == PROT16 ? SEL_DATA16 : SEL_DATA, flags = FLAGS_RESERVED;

	poke(V_KERNEL_SS, is_real(g) ? 0 : ss);
	if (is_real(g) || g->mode == VM86)
		ss = 0;
	if (g->user && g->mode != VM86) {
		cs += SEL_USER_CODE32 - SEL_CODE32 + RPL_USER;
		if (g->mode == LONG64)
			cs = SEL_USER_CODE64 + RPL_USER;
		if (g->mode == PROT16)
			cs = SEL_USER_CODE16 + RPL_USER;
		ss = SEL_USER_DATA + RPL_USER;
	}
	if (g->mode == VM86)
		flags |= FLAGS_VM;
	if (g->user && one_in(g, 2))
		flags |= FLAGS_IOPL;
	if (one_in(g, 2))
		flags |= FLAGS_IF;
	poke(V_CS, cs);
	poke(V_SS, ss);
	poke(V_DS, g->mode == VM86 ? SEL_DATA : ss);
	poke(V_SP, USER_STACK);
	poke(V_FLAGS, flags);
	poke(V_NEXT, 0);
}

/* The 8259s at FIRST_IRQ, the PIT and the local APIC's timer. */
static void start_devices(struct gen *g)
{
	static const uint8_t words[][2] = { { PIC1, ICW1 },     { PIC2, ICW1 },     { PIC1 + 1, FIRST_IRQ }, { PIC2 + 1, FIRST_IRQ + 8 },
					    { PIC1 + 1, 4 },    { PIC2 + 1, 2 },    { PIC1 + 1, ICW4 },      { PIC2 + 1, ICW4 } };

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		out8(words[i][0], words[i][1]);
	out8(PIC1 + 1, (uint8_t)(rnd32(g) & ~1u));
	out8(PIC2 + 1, (uint8_t)rnd32(g));
	out8(PIT_CONTROL, PIT_MODE2);
	out8(PIT_COUNTER0, (uint8_t)rnd32(g));
	out8(PIT_COUNTER0, (uint8_t)(1 + rnd(g, 16)));
	if (one_in(g, 2))
		return;
	poke(LAPIC_SVR, SVR_ON);
	poke(LAPIC_DIVIDE, rnd(g, 4));
	poke(LAPIC_LVT_TIMER, TIMER_PERIODIC | TIMER_VECTOR);
	poke(LAPIC_INITIAL, 1000 + rnd(g, MIB));
}

void make_mode(struct gen *g)
{
	uint32_t cr0 = CR0_PE | CR0_ET | (rnd32(g) & (CR0_WP | CR0_AM));
	bool paged = g->mode >= PAGED32 || (g->mode == VM86 && one_in(g, 2));

	for (uint32_t i = 0; i < DATA_SIZE; i += 4)
		poke(DATA + i, odd_value(g));
	for (uint32_t i = 0; i < (uint32_t)low16_end - (uint32_t)low16; i++)
		*(volatile uint8_t *)(LOW16 + i) = low16[i];
	poke(V_CR4, CR4_OSFXSR);
	if (g->mode == PAE32 || is_long(g))
		make_paging64(g);
	else if (paged)
		make_paging32();
	poke(V_CR0, paged ? cr0 | CR0_PG : cr0);
	make_entry(g);
	make_gdt();
	make_tss(g);
	make_idt(g);
	if (one_in(g, 2))
		start_devices(g);
	poke(V_FAR, is_real(g) ? in_low(real) : next_handler(g));
	poke(V_FAR + 4, is_real(g) ? SEL_CODE16 : handler_selector(g));
	enter_mode(is_long(g), g->mode == REAL ? SEL_DATA16 : SEL_DATA);
}
