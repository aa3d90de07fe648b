/* SPDX-License-Identifier: BSD-2-Clause
 * The hypervisor's own descriptor tables, interrupts and panics.
 * Knows nothing of the firmware's, except that they are loaded before and after. */
#include "x86/host_idt.h"

#include "status.h"
#include "vmm/fmt.h"
#include "x86.h"
#include "x86/com1.h"
#include "x86/emulator.h"

/* "Segment Descriptors" and "64-Bit IDT Gate Descriptors" */
#define DESC_TYPE(t) FIELD(43, 40, t)
#define DESC_S BIT64(44)
#define DESC_P BIT64(47)
#define DESC_L BIT64(53)
#define DESC_TYPE_CODE 0xb /* execute/read, accessed */
#define DESC_TYPE_DATA 0x3 /* read/write, accessed */
#define DESC_TYPE_TSS 0x9
#define DESC_TYPE_INTR_GATE 0xe
#define DESC_LIMIT(l) FIELD(15, 0, l)
#define DESC_BASE(b) (FIELD(39, 16, b) | FIELD(63, 56, (uint64_t)(b) >> 24))
#define DESC_BASE_HI(b) ((uint64_t)(b) >> 32)
#define GATE_OFFSET(o) (FIELD(15, 0, o) | FIELD(63, 48, (uint64_t)(o) >> 16))
#define GATE_OFFSET_HI(o) ((uint64_t)(o) >> 32)
#define GATE_SELECTOR(s) FIELD(31, 16, s)
#define GATE_IST(n) FIELD(34, 32, n)
#define GATE_IST_MASK MASK(34, 32)

#define FIRST_INTERRUPT 32 /* vectors below are exceptions */
#define STUB_SIZE 16       /* HOST_STUB_SIZE of host_entry.S */
#define PANIC_LINE 1024

CHECK_LAYOUT(struct host_tss, ist, 0x24, "\"64-Bit TSS Format\"");
CHECK_LAYOUT(struct host_tss, iopb, 0x66, "\"64-Bit TSS Format\"");
_Static_assert(HOST_TSS / sizeof(uint64_t) + 2 == ARRAY_SIZE(((struct host *)0)->gdt), "the TSS descriptor ends the GDT");

/* host_entry.S */
extern const char host_stubs[], host_rdmsr_insn[], host_wrmsr_insn[], host_msr_fault[];
bool host_rdmsr(uint32_t index, uint64_t *v);
bool host_wrmsr(uint32_t index, uint64_t v);
void host_interrupt(struct host_frame *f);

/* The handlers get no argument but the stack, hence the one static variable of hv/x86. */
static struct host *current_host;

static void build_gdt(struct host *h)
{
	uint64_t tss = (uintptr_t)&h->tss;

	h->gdt[HOST_CS / sizeof(uint64_t)] = DESC_P | DESC_S | DESC_L | DESC_TYPE(DESC_TYPE_CODE);
	h->gdt[HOST_DS / sizeof(uint64_t)] = DESC_P | DESC_S | DESC_TYPE(DESC_TYPE_DATA);
	h->gdt[HOST_TSS / sizeof(uint64_t)] =
		DESC_P | DESC_TYPE(DESC_TYPE_TSS) | DESC_LIMIT(sizeof(h->tss) - 1) | DESC_BASE(tss);
	h->gdt[HOST_TSS / sizeof(uint64_t) + 1] = DESC_BASE_HI(tss);
}

static void build_tss(struct host *h)
{
	for (unsigned i = 0; i < HOST_ISTS; i++)
		h->tss.ist[i] = (uintptr_t)h->ist[i] + HOST_IST_SIZE;
	h->tss.iopb = sizeof(h->tss);
}

/* A stack of their own for what can strike while the stack itself is the trouble. 0: none, else 1..7. */
static unsigned ist_of(unsigned vector)
{
	switch (vector) {
	case VEC_DF:
		return HOST_IST_DF + 1;
	case VEC_NMI:
		return HOST_IST_NMI + 1;
	case VEC_MC:
		return HOST_IST_MC + 1;
	default:
		return 0;
	}
}

static void build_idt(struct host *h)
{
	for (unsigned i = 0; i < HOST_IDT_ENTRIES; i++) {
		uint64_t stub = (uintptr_t)host_stubs + i * STUB_SIZE;

		h->idt[i].lo = DESC_P | DESC_TYPE(DESC_TYPE_INTR_GATE) | GATE_OFFSET(stub) | GATE_SELECTOR(HOST_CS) |
			       GATE_IST(ist_of(i));
		h->idt[i].hi = GATE_OFFSET_HI(stub);
	}
}

void host_use_ist(struct host *h, bool use)
{
	for (unsigned i = 0; i < FIRST_INTERRUPT; i++)
		h->idt[i].lo = (h->idt[i].lo & ~GATE_IST_MASK) | GATE_IST(use ? ist_of(i) : 0);
}

void host_tables_load(struct host *h)
{
	struct table_ptr gdt = { sizeof(h->gdt) - 1, (uintptr_t)h->gdt };
	struct table_ptr idt = { sizeof(h->idt) - 1, (uintptr_t)h->idt };

	build_gdt(h);
	build_tss(h);
	build_idt(h);
	current_host = h;
	lgdt(&gdt);
	write_cs(HOST_CS);
	write_ss(HOST_DS);
	write_ds(HOST_DS);
	write_es(HOST_DS);
	write_fs(HOST_DS);
	write_gs(HOST_DS);
	lldt(0);
	ltr(HOST_TSS);
	lidt(&idt);
}

static noreturn void end_machine(void)
{
	emulator_exit(EMULATOR_BENCH);
	for (;;) {
		cli();
		hlt();
	}
}

noreturn void host_panic(const char *format, ...)
{
	char line[PANIC_LINE];
	size_t len = fmt(line, sizeof(line), "\n# intack: panic: ");
	va_list ap;

	va_start(ap, format);
	len += fmt_v(line + len, sizeof(line) - len, format, ap);
	va_end(ap);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	com1_write(line, len);
	end_machine();
}

static noreturn void panic_at(const struct host_frame *f)
{
	host_panic("vector=%lu error=%#lx rip=%#lx cs=%#lx rflags=%#lx rsp=%#lx ss=%#lx\n"
		   "# intack: panic: cr0=%#lx cr2=%#lx cr3=%#lx cr4=%#lx image=%#lx\n"
		   "# intack: panic: rax=%#lx rcx=%#lx rdx=%#lx rbx=%#lx rbp=%#lx rsi=%#lx rdi=%#lx\n"
		   "# intack: panic: r8=%#lx r9=%#lx r10=%#lx r11=%#lx r12=%#lx r13=%#lx r14=%#lx r15=%#lx",
		   f->vector, f->error, f->rip, f->cs, f->rflags, f->rsp, f->ss, read_cr0(), read_cr2(), read_cr3(),
		   read_cr4(), (uint64_t)(uintptr_t)host_stubs, f->rax, f->rcx, f->rdx, f->rbx, f->rbp, f->rsi, f->rdi,
		   f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15);
}

/* We never debug ourselves. But on Bochs an instruction of the guest that is stepped and exits (SVM) leaves its trap to the host,
 * and under TCG the guest's breakpoints are set for some instructions of ours (docs/findings.md). */
static bool is_the_guests(const struct host_frame *f)
{
	return !(f->rflags & RFLAGS_TF) && (read_dr6() & (DR6_BS | DR6_BREAKPOINTS));
}

static void exception(struct host *h, struct host_frame *f)
{
	if (f->vector == VEC_NMI) {
		h->seen.nmi++;
		host_nmi_rearm(&h->nmi);
		return;
	}
	if (f->vector == VEC_DB && is_the_guests(f)) {
		write_dr6(DR6_INIT);
		f->rflags |= RFLAGS_RF;
		return;
	}
	if (f->vector == VEC_GP &&
	    (f->rip == (uintptr_t)host_rdmsr_insn || f->rip == (uintptr_t)host_wrmsr_insn)) {
		f->rip = (uintptr_t)host_msr_fault;
		return;
	}
	panic_at(f);
}

void host_dispatch(struct host *h, uint8_t vector)
{
	switch (vector) {
	case HOST_SPURIOUS_VECTOR:
		/* "the handler for this vector should return without an EOI" (SDM v3, "Spurious Interrupt") */
		h->seen.spurious++;
		return;
	case HOST_TIMER_VECTOR:
		h->seen.timer++;
		h->armed = TIME_NEVER;
		break;
	case HOST_KICK_VECTOR:
		h->seen.kick++;
		break;
	case HOST_POST_VECTOR: /* the exit came before the CPU processed it: software has */
		h->seen.post++;
		break;
	default:
		/* Only a firmware interrupt of our own priority class gets here. It is acknowledged, else it would
		 * block our timer; its device asks again or the firmware polls it. */
		h->seen.other++;
		break;
	}
	lapic_hw_write(&h->lapic, APIC_EOI, 0);
}

void host_interrupt(struct host_frame *f)
{
	struct host *h = current_host;

	if (f->vector < FIRST_INTERRUPT)
		exception(h, f);
	else
		host_dispatch(h, (uint8_t)f->vector);
}

int host_rdmsr_safe(uint32_t index, uint64_t *v)
{
	return host_rdmsr(index, v) ? 0 : E_NODEV;
}

int host_wrmsr_safe(uint32_t index, uint64_t v)
{
	return host_wrmsr(index, v) ? 0 : E_NODEV;
}
