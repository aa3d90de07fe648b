/* SPDX-License-Identifier: BSD-2-Clause
 * Exits: what the kernel half does itself, what it hands over, and how it finishes what comes back.
 * Knows nothing of injection rules. */
#include "unit/vcpu_fixture.h"

#define PORT 0x1234
#define MMIO 0xd0000000u
#define ALL_ONES 0xffffffffffffffffull
#define PATTERN 0x1122334455667788ull
#define SOME_MSR 0xc0011029u

static void expect_io(struct rig *r, unsigned direction, unsigned size)
{
	assert_int_equal(run(r), VCPU_EXIT_IO);
	assert_int_equal(run_of(r)->io.direction, direction);
	assert_int_equal(run_of(r)->io.size, size);
	assert_int_equal(run_of(r)->io.port, PORT);
}

/* ---- ports ---- */

static void out_hands_over_as_many_bytes_as_it_has(void **state)
{
	static const uint32_t data[] = { 0x88, 0x7788, 0x55667788 };
	struct rig *r = rig_split(1);

	(void)state;
	LOAD(r, MOV(RAX, PATTERN), OUT(PORT, 1), OUT(PORT, 2), OUT(PORT, 4), LABEL(0), OUT(EXIT, 1));
	for (unsigned i = 0; i < 3; i++) {
		expect_io(r, VCPU_IO_OUT, 1u << i);
		assert_int_equal(run_of(r)->io.data, data[i]);
	}
	assert_int_equal(r->f.rip, fake_label(&r->f, 0));
	assert_int_equal(r->v.regs.gpr[RAX], PATTERN);
	rig_end(r);
}

/* SDM v1, "General-Purpose Registers in 64-Bit Mode": "32-bit operands generate a 32-bit result, zero-extended to a 64-bit
 * result"; 8 and 16 bits leave the rest. */
static void in_merges_into_rax(void **state)
{
	static const uint64_t rax[] = { 0x11223344556677ff, 0x112233445566ffff, 0xffffffff };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_split(seed);

			LOAD(r, MOV(RAX, PATTERN), IN(PORT, 1u << i), OUT(EXIT, 1));
			expect_io(r, VCPU_IO_IN, 1u << i);
			run_of(r)->io.data = UINT32_MAX;
			run_to(r, EXIT);
			assert_int_equal(r->v.regs.gpr[RAX], rax[i]);
			rig_end(r);
		}
}

/* ---- string I/O ---- */

static void outs_takes_memory_and_moves_rsi(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned n = 0; n < 6; n++) {
			struct rig *r = rig_split(seed);
			uint64_t size = 1u << n % 3;
			bool down = n >= 3;
			const uint64_t val = PATTERN;

			memcpy(r->f.ram + FAKE_DATA, &val, sizeof(val));
			LOAD(r, MOV(RSI, FAKE_DATA), POPF(down ? RFLAGS_DF : 0), OUTS(PORT, size, 0), LABEL(0), OUT(EXIT, 1));
			expect_io(r, VCPU_IO_OUT, (unsigned)size);
			assert_int_equal(run_of(r)->io.data, val & MASK(8 * size - 1, 0));
			assert_int_equal(r->v.regs.gpr[RSI], down ? FAKE_DATA - size : FAKE_DATA + size);
			assert_int_equal(r->f.rip, fake_label(&r->f, 0));
			rig_end(r);
		}
}

static void rep_ins_fills_memory_one_exit_per_element(void **state)
{
	const unsigned count = 5;

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);
		uint16_t words[6];

		memset(r->f.ram + FAKE_DATA, 0, sizeof(words));
		LOAD(r, MOV(RDI, FAKE_DATA), MOV(RCX, count), MOV(RAX, PATTERN), LABEL(0), INS(PORT, 2, FAKE_REP), LABEL(1),
		     OUT(EXIT, 1));
		for (unsigned i = 0; i < count; i++) {
			expect_io(r, VCPU_IO_IN, 2);
			assert_int_equal(r->v.regs.gpr[RCX], count - i);
			run_of(r)->io.data = 0xabcd0000u | (i + 1); /* what is above the size is dropped */
		}
		run_to(r, EXIT);
		memcpy(words, r->f.ram + FAKE_DATA, sizeof(words));
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(words[i], i + 1);
		assert_int_equal(words[count], 0);
		assert_int_equal(r->v.regs.gpr[RCX], 0);
		assert_int_equal(r->v.regs.gpr[RDI], FAKE_DATA + 2 * count);
		assert_int_equal(r->v.regs.gpr[RAX], PATTERN);
		rig_end(r);
	}
}

/* SDM v2, "REP": with a count of 0 the string instruction does nothing. */
static void rep_with_no_count_does_nothing(void **state)
{
	(void)state;
	for (unsigned high = 0; high < 2; high++) {
		struct rig *r = rig_split(0);

		/* 32-bit addresses count in ECX */
		LOAD(r, MOV(RCX, high ? PATTERN & ~MASK(31, 0) : 0), MOV(RSI, FAKE_DATA), OUTS(PORT, 1, FAKE_REP), LABEL(0),
		     OUT(EXIT, 1));
		assert_int_equal(run(r), VCPU_EXIT_IO);
		assert_int_equal(run_of(r)->io.port, EXIT);
		assert_int_equal(r->v.regs.gpr[RSI], FAKE_DATA);
		rig_end(r);
	}
}

/* An interrupt between two elements: RIP still at the instruction, registers say how far it is. */
static void rep_is_interrupted_between_elements(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, STI, MOV(RSI, FAKE_DATA), MOV(RCX, 3), LABEL(0), OUTS(PORT, 1, FAKE_REP), LABEL(1), OUT(EXIT, 1));
		expect_io(r, VCPU_IO_OUT, 1);
		interrupt(r, EXTINT_VECTOR);
		expect_io(r, VCPU_IO_OUT, 1);
		expect_arrival_at(r, EVENT_INTR, EXTINT_VECTOR, 0);
		assert_int_equal(r->v.regs.gpr[RCX], 1);
		expect_io(r, VCPU_IO_OUT, 1);
		assert_int_equal(r->f.rip, fake_label(&r->f, 1));
		rig_end(r);
	}
}

#define LINEAR_HOLE 0x40000000ull /* not mapped by fake_long_mode() */

static void string_io_raises_the_guests_page_fault(void **state)
{
	(void)state;
	for (unsigned in = 0; in < 2; in++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_split(seed);

			fake_long_mode(&r->f);
			if (in)
				LOAD(r, MOV(RDI, LINEAR_HOLE), LABEL(0), INS(PORT, 4, 0), OUT(EXIT, 1));
			else
				LOAD(r, MOV(RSI, LINEAR_HOLE), LABEL(0), OUTS(PORT, 4, 0), OUT(EXIT, 1));
			run_to(r, EXIT);
			assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_PF, 0)->error, in ? PF_ERR_W : 0);
			assert_int_equal(r->f.cr2, LINEAR_HOLE);
			assert_int_equal(r->v.stats.user_exits, 1); /* the port was not touched */
			rig_end(r);
		}
}

/* A device, or nothing, is asked first; what straddles the end of RAM is asked for byte by byte. */
static void outs_takes_from_wherever_it_is(void **state)
{
	static const struct {
		uint64_t at, ask;
		unsigned len;
		uint32_t out;
	} cases[] = { { MMIO, MMIO, 2, 0xbbaa },
		      { FAKE_RAM_SIZE, FAKE_RAM_SIZE, 2, 0xbbaa },
		      { FAKE_RAM_SIZE - 1, FAKE_RAM_SIZE, 1, 0xaa11 },
		      { FAKE_DATA + PAGE_SIZE - 1, 0, 0, 0x2211 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *r = rig_split(0);

		r->f.ram[FAKE_RAM_SIZE - 1] = r->f.ram[FAKE_DATA + PAGE_SIZE - 1] = 0x11;
		r->f.ram[FAKE_DATA + PAGE_SIZE] = 0x22;
		LOAD(r, MOV(RSI, cases[i].at), OUTS(PORT, 2, 0), OUT(EXIT, 1));
		if (cases[i].len) {
			assert_int_equal(run(r), VCPU_EXIT_MMIO);
			assert_int_equal(run_of(r)->mmio.phys_addr, cases[i].ask);
			assert_int_equal(run_of(r)->mmio.len, cases[i].len);
			assert_false(run_of(r)->mmio.is_write);
			memcpy(run_of(r)->mmio.data, "\xaa\xbb\xcc", 3);
		}
		expect_io(r, VCPU_IO_OUT, 2);
		assert_int_equal(run_of(r)->io.data, cases[i].out);
		rig_end(r);
	}
}

/* Outside 64-bit mode addresses have a segment base, and wrap at 4 GiB. */
static void string_io_adds_the_segment_base(void **state)
{
	struct rig *r = rig_split(0);
	const uint64_t base = 0x80000000;

	(void)state;
	r->f.seg[SREG_DS].base = base;
	r->f.ram[FAKE_DATA] = 0x5a;
	LOAD(r, MOV(RSI, base + FAKE_DATA), OUTS(PORT, 1, 0), OUT(EXIT, 1));
	expect_io(r, VCPU_IO_OUT, 1);
	assert_int_equal(run_of(r)->io.data, 0x5a);
	rig_end(r);
}

/* ---- memory-mapped I/O ---- */

static void expect_mmio(struct rig *r, uint64_t gpa, bool write, unsigned len)
{
	assert_int_equal(run(r), VCPU_EXIT_MMIO);
	assert_int_equal(run_of(r)->mmio.phys_addr, gpa);
	assert_int_equal(run_of(r)->mmio.is_write, write);
	assert_int_equal(run_of(r)->mmio.len, len);
}

static uint64_t mmio_data(const struct rig *r)
{
	uint64_t val = 0;

	memcpy(&val, r->v.run.mmio.data, r->v.run.mmio.len);
	return val;
}

static void set_mmio_data(struct rig *r, uint64_t val)
{
	memcpy(run_of(r)->mmio.data, &val, sizeof(val));
}

static void mmio_goes_to_the_user_half(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned mode = 0; mode < 2; mode++) {
			struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, seed);

			LOAD(r, MOV(RAX, PATTERN), MEM(MMIO, true, 2, 0x89, 0x03), MEM(MMIO + 4, false, 2, 0x8a, 0x03), LABEL(0),
			     OUT(EXIT, 1));
			expect_mmio(r, MMIO, true, 4);
			assert_int_equal(mmio_data(r), PATTERN & MASK(31, 0));
			expect_mmio(r, MMIO + 4, false, 1);
			set_mmio_data(r, ALL_ONES);
			run_to(r, EXIT);
			assert_int_equal(r->v.regs.gpr[RAX], PATTERN | MASK(7, 0));
			rig_end(r);
		}
}

/* Read and write half are two exits; an immediate exit in between still writes. */
static void read_modify_write_is_two_exits(void **state)
{
	const uint32_t old = 0xf0;

	(void)state;
	for (unsigned xchg = 0; xchg < 2; xchg++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_split(seed);

			if (xchg)
				LOAD(r, MOV(RAX, 0x0f), MEM(MMIO, true, 2, 0x87, 0x03), LABEL(0), OUT(EXIT, 1));
			else
				LOAD(r, MOV(RAX, 0x0f), MEM(MMIO, true, 2, 0x09, 0x03), LABEL(0), OUT(EXIT, 1));
			expect_mmio(r, MMIO, false, 4);
			set_mmio_data(r, old);
			run_of(r)->immediate_exit = 1;
			expect_mmio(r, MMIO, true, 4);
			assert_int_equal(mmio_data(r), xchg ? 0x0f : 0xff);
			assert_int_equal(run(r), VCPU_EXIT_INTR);
			assert_int_equal(r->v.regs.gpr[RAX], xchg ? old : 0x0f);
			assert_int_equal(r->f.rip, fake_label(&r->f, 0));
			rig_end(r);
		}
}

/* RSP is not among the registers: it lives in the backend. */
static void mmio_loads_and_stores_rsp(void **state)
{
	struct rig *r = rig_split(1);
	uint64_t rsp = r->f.rsp;

	(void)state;
	LOAD(r, MEM(MMIO, true, 2, 0x89, 0x23), MEM(MMIO, false, 2, 0x8b, 0x23), OUT(EXIT, 1));
	expect_mmio(r, MMIO, true, 4);
	assert_int_equal(mmio_data(r), rsp);
	expect_mmio(r, MMIO, false, 4);
	set_mmio_data(r, rsp - PAGE_SIZE);
	run_to(r, EXIT);
	assert_int_equal(r->f.rsp, rsp - PAGE_SIZE);
	rig_end(r);
}

static void mmio_of_an_unknown_instruction_is_an_internal_error(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, MEM(MMIO, false, 3, 0x0f, 0x10, 0x03), OUT(EXIT, 1)); /* MOVUPS */
	assert_int_equal(run(r), VCPU_EXIT_INTERNAL_ERROR);
	assert_int_equal(run_of(r)->internal.suberror, VCPU_ERROR_EMULATION);
	assert_int_equal(run_of(r)->internal.data[0], MMIO);
	rig_end(r);
}

/* In split mode the APIC page stays in the kernel half, where APICBASE says it is; in user mode all of it is the user
 * half's. */
static void the_apic_page_belongs_to_who_has_the_apic(void **state)
{
	const uint64_t moved = 0xfed00000;

	(void)state;
	for (unsigned n = 0; n < 8; n++) {
		struct rig *r = rig_new(IRQ_RULE_REARM, n & BIT(0) ? IRQCHIP_USER : IRQCHIP_SPLIT, n);
		bool elsewhere = n & BIT(1), off = n & BIT(2);
		bool ours = !(n & BIT(0)) && !elsewhere && !off;

		r->v.lapic.base = (elsewhere ? moved : APIC_DEFAULT_PHYS) | (off ? 0 : APIC_BASE_EN);
		LOAD(r, MOV(RAX, ALL_ONES), STORE32(APIC(APIC_TPR), 0x45), LOAD_EAX(APIC(APIC_TPR)), OUT(EXIT, 1));
		assert_int_equal(run(r), ours ? VCPU_EXIT_IO : VCPU_EXIT_MMIO);
		if (ours)
			assert_int_equal(r->v.regs.gpr[RAX], 0x45);
		else
			assert_int_equal(run_of(r)->mmio.phys_addr, APIC(APIC_TPR));
		rig_end(r);
	}
}

/* SDM v3, "The Local APIC Block Diagram": "128-bit aligned 32-bit loads or stores". Narrower reads see their bytes. */
static void apic_accesses_of_other_sizes(void **state)
{
	struct rig *r = rig_split(0);
	const uint8_t imm = 0x30;

	(void)state;
	lapic_write(&r->v.lapic, APIC_TPR, 0x40, 0);
	LOAD(r, MOV(RAX, ALL_ONES), MEM(APIC(APIC_TPR), true, 3, 0xc6, 0x03, imm), MEM(APIC(APIC_TPR) + 4, true, 2, 0x89, 0x03),
	     MEM(APIC(APIC_TPR), false, 2, 0x8a, 0x03), OUT(RAISE, 1), MEM(APIC(APIC_VERSION) + 2, false, 2, 0x8a, 0x03),
	     OUT(EXIT, 1));
	run_to(r, RAISE);
	assert_int_equal(lapic_tpr(&r->v.lapic), 0x40);
	assert_int_equal(r->v.regs.gpr[RAX] & MASK(7, 0), 0x40);
	run_to(r, EXIT);
	assert_int_equal(r->v.regs.gpr[RAX] & MASK(7, 0), LAPIC_MAX_LVT);
	rig_end(r);
}

static void read_modify_write_of_the_apic_page(void **state)
{
	const uint8_t old = 0x20, new = 0x35;
	struct rig *r = rig_split(0);

	(void)state;
	lapic_write(&r->v.lapic, APIC_TPR, old, 0);
	LOAD(r, MOV(RAX, new), MEM(APIC(APIC_TPR), true, 2, 0x87, 0x03), OUT(EXIT, 1));
	assert_int_equal(run(r), VCPU_EXIT_IO);
	assert_int_equal(lapic_tpr(&r->v.lapic), new);
	assert_int_equal(r->v.regs.gpr[RAX], old);
	rig_end(r);
}

/* In 64-bit mode CS has no base, whatever its hidden part holds. */
static void the_instruction_is_fetched_at_rip_in_64_bit_mode(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	fake_long_mode(&r->f);
	r->f.seg[SREG_CS].base = PAGE_SIZE;
	LOAD(r, MOV(RAX, PATTERN), MEM(MMIO, true, 3, 0x48, 0x89, 0x03), OUT(EXIT, 1));
	expect_mmio(r, MMIO, true, 8);
	assert_int_equal(mmio_data(r), PATTERN);
	rig_end(r);
}

static void the_instruction_is_fetched_at_cs_base_elsewhere(void **state)
{
	struct rig *r = rig_split(0);
	const uint64_t base = 0xfffff000;

	(void)state;
	LOAD(r, MEM(MMIO, true, 2, 0x89, 0x03), OUT(EXIT, 1));
	memmove(r->f.ram + FAKE_CODE - PAGE_SIZE, r->f.ram + FAKE_CODE, PAGE_SIZE);
	memset(r->f.ram + FAKE_CODE, 0, PAGE_SIZE);
	r->f.seg[SREG_CS].base = base; /* linear = RIP - 4096 */
	expect_mmio(r, MMIO, true, 4);
	rig_end(r);
}

/* ---- registers of the CPU ---- */

static void msrs_of_the_apic_go_to_the_user_half_in_user_mode(void **state)
{
	const uint64_t val = PATTERN;

	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_user(seed);
		struct vcpu_run *u = run_of(r);

		LOAD(r, MOV(RAX, ALL_ONES), MOV(RDX, ALL_ONES), MOV(RCX, ALL_ONES << 32 | MSR_APIC_BASE), RDMSR,
		     OUT(RAISE, 1), WRMSR, OUT(EXIT, 1));
		assert_int_equal(run(r), VCPU_EXIT_RDMSR);
		assert_int_equal(u->msr.index, MSR_APIC_BASE);
		u->msr.data = val;
		run_to(r, RAISE);
		assert_int_equal(r->v.regs.gpr[RAX], (uint32_t)val);
		assert_int_equal(r->v.regs.gpr[RDX], val >> 32);
		assert_int_equal(run(r), VCPU_EXIT_WRMSR);
		assert_int_equal(u->msr.index, MSR_APIC_BASE);
		assert_int_equal(u->msr.data, val);
		run_to(r, EXIT);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* "error: from the user half: 1 = inject #GP" */
static void an_msr_error_of_the_user_half_is_gp(void **state)
{
	(void)state;
	FOR_SEEDS(seed)
		for (unsigned write = 0; write < 2; write++) {
			struct rig *r = rig_user(seed);

			if (write)
				LOAD(r, MOV(RCX, MSR_X2APIC_FIRST), LABEL(0), WRMSR, OUT(EXIT, 1));
			else
				LOAD(r, MOV(RCX, MSR_X2APIC_FIRST), MOV(RAX, PATTERN), LABEL(0), RDMSR, OUT(EXIT, 1));
			assert_int_equal(run(r), write ? VCPU_EXIT_WRMSR : VCPU_EXIT_RDMSR);
			assert_int_equal(run_of(r)->msr.error, 0);
			run_of(r)->msr.error = 1;
			run_of(r)->msr.data = 0;
			run_to(r, EXIT);
			assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0)->error, 0);
			if (!write)
				assert_int_equal(r->v.regs.gpr[RAX], PATTERN);
			rig_end(r);
		}
}

static void an_msr_that_does_not_exist_is_gp(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++)
		FOR_SEEDS(seed) {
			struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, seed);

			LOAD(r, MOV(RCX, SOME_MSR), LABEL(0), RDMSR, LABEL(1), WRMSR, OUT(EXIT, 1));
			run_to(r, EXIT);
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 1);
			rig_end(r);
		}
}

static void rdmsr_fills_edx_and_eax(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, MOV(RCX, MSR_PAT), MOV(RAX, ALL_ONES << 32 | 6), MOV(RDX, ALL_ONES << 32 | 1), WRMSR, MOV(RAX, ALL_ONES),
		     MOV(RDX, ALL_ONES), RDMSR, OUT(EXIT, 1));
		run_to(r, EXIT);
		assert_int_equal(r->v.regs.gpr[RAX], 6);
		assert_int_equal(r->v.regs.gpr[RDX], 1);
		expect_no_arrival(r);
		rig_end(r);
	}
}

static void the_apics_own_gp_reaches_the_guest(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, MOV(RCX, MSR_APIC_BASE), MOV(RAX, APIC_BASE_EXTD), MOV(RDX, 0), LABEL(0), WRMSR, OUT(EXIT, 1));
	run_to(r, EXIT);
	expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
	assert_true(r->v.lapic.base & APIC_BASE_EN);
	assert_int_equal(run_of(r)->apic_base, r->v.lapic.base);
	rig_end(r);
}

/* SDM v2, "MOV-Move to/from Control Registers": #GP "If an attempt is made to write a 1 to any reserved bit in CR4." */
static void cr4_takes_only_what_we_virtualize(void **state)
{
	static const uint64_t bad[] = { CR4_VMXE, CR4_OSXSAVE, CR4_PCIDE, CR4_LA57, CR4_MCE, CR4_UMIP, BIT64(63) };
	const uint64_t good = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_FSGSBASE;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rig *r = rig_split(0);

		fake_long_mode(&r->f);
		LOAD(r, MOV(RAX, CR4_PAE | bad[i]), LABEL(0), MOV_CR4, MOV(RAX, good), MOV_CR4, MOV(RAX, good & ~CR4_PAE), LABEL(1),
		     MOV_CR4, OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 1); /* leaving IA-32e mode by clearing PAE */
		expect_no_arrival(r);
		assert_int_equal(r->f.cr4, good);
		rig_end(r);
	}
}

/* Outside 64-bit mode the operand has 32 bits, and PAE may be cleared. */
static void cr4_in_32_bit_mode(void **state)
{
	struct rig *r = rig_split(0);

	(void)state;
	LOAD(r, MOV(RAX, ALL_ONES << 32 | CR4_PAE), MOV_CR4, OUT(RAISE, 1), MOV(RAX, 0), MOV_CR4, OUT(EXIT, 1));
	run_to(r, RAISE);
	assert_int_equal(r->f.cr4, CR4_PAE);
	run_to(r, EXIT);
	assert_int_equal(r->f.cr4, 0);
	expect_no_arrival(r);
	rig_end(r);
}

static void cr8_above_15_is_gp(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		struct rig *r = rig_new(IRQ_RULE_REARM, (enum irqchip_mode)mode, 0);

		r->f.quirks.cr8_always = true;
		fake_long_mode(&r->f);
		LOAD(r, MOV(RAX, 16), LABEL(0), MOV_CR8, MOV(RAX, 15), MOV_CR8, OUT(EXIT, 1));
		run_to(r, EXIT);
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 0);
		assert_int_equal(fake_tpr(&r->f) >> 4, 15);
		rig_end(r);
	}
}

/* What the CPU does not have is #UD, RDPMC is #GP, INVD and WBINVD do nothing. */
static void instructions_without_a_meaning_here(void **state)
{
	(void)state;
	FOR_SEEDS(seed) {
		struct rig *r = rig_split(seed);

		LOAD(r, LABEL(0), VMCALL, LABEL(1), RDPMC, WBINVD, INVD, LABEL(2), CAUGHT(VEC_NP, 7), OUT(EXIT, 1));
		run_to(r, EXIT);
		assert_false(expect_arrival_at(r, EVENT_EXCEPTION, VEC_UD, 0)->has_error);
		assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_GP, 1)->error, 0);
		assert_int_equal(expect_arrival_at(r, EVENT_EXCEPTION, VEC_NP, 2)->error, 7);
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* A 32-bit result in each of the four registers. */
static void cpuid_writes_four_registers(void **state)
{
	struct rig *r = rig_split(1);
	const uint64_t *g = r->v.regs.gpr;

	(void)state;
	LOAD(r, MOV(RAX, ALL_ONES << 32 | 1), MOV(RBX, ALL_ONES), MOV(RCX, ALL_ONES << 32), MOV(RDX, ALL_ONES), CPUID,
	     OUT(EXIT, 1));
	run_to(r, EXIT);
	assert_int_equal((g[RAX] | g[RBX] | g[RCX] | g[RDX]) >> 32, 0);
	assert_int_equal(g[RAX], UINT32_MAX);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_hands_over_as_many_bytes_as_it_has),
		cmocka_unit_test(in_merges_into_rax),
		cmocka_unit_test(outs_takes_memory_and_moves_rsi),
		cmocka_unit_test(rep_ins_fills_memory_one_exit_per_element),
		cmocka_unit_test(rep_with_no_count_does_nothing),
		cmocka_unit_test(rep_is_interrupted_between_elements),
		cmocka_unit_test(string_io_raises_the_guests_page_fault),
		cmocka_unit_test(outs_takes_from_wherever_it_is),
		cmocka_unit_test(string_io_adds_the_segment_base),
		cmocka_unit_test(mmio_goes_to_the_user_half),
		cmocka_unit_test(read_modify_write_is_two_exits),
		cmocka_unit_test(mmio_loads_and_stores_rsp),
		cmocka_unit_test(mmio_of_an_unknown_instruction_is_an_internal_error),
		cmocka_unit_test(the_apic_page_belongs_to_who_has_the_apic),
		cmocka_unit_test(apic_accesses_of_other_sizes),
		cmocka_unit_test(read_modify_write_of_the_apic_page),
		cmocka_unit_test(the_instruction_is_fetched_at_rip_in_64_bit_mode),
		cmocka_unit_test(the_instruction_is_fetched_at_cs_base_elsewhere),
		cmocka_unit_test(msrs_of_the_apic_go_to_the_user_half_in_user_mode),
		cmocka_unit_test(an_msr_error_of_the_user_half_is_gp),
		cmocka_unit_test(an_msr_that_does_not_exist_is_gp),
		cmocka_unit_test(rdmsr_fills_edx_and_eax),
		cmocka_unit_test(the_apics_own_gp_reaches_the_guest),
		cmocka_unit_test(cr4_takes_only_what_we_virtualize),
		cmocka_unit_test(cr4_in_32_bit_mode),
		cmocka_unit_test(cr8_above_15_is_gp),
		cmocka_unit_test(instructions_without_a_meaning_here),
		cmocka_unit_test(cpuid_writes_four_registers),
	};

	return RUN_BOTH_WAYS("exits", tests);
}
