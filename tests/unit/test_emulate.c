/* SPDX-License-Identifier: BSD-2-Clause
 * Instructions executed for the guest: string I/O and memory-mapped I/O, in as many trips to the user half as they take.
 * Knows nothing of what each instruction does: a real CPU is the judge of that. */
#include "unit/vcpu_fixture.h"

#define PORT 0x1234
#define MMIO 0xd0000000u
#define ALL_ONES 0xffffffffffffffffull
#define PATTERN 0x1122334455667788ull

static void expect_io(struct rig *r, unsigned direction, unsigned size)
{
	assert_int_equal(run(r), VCPU_EXIT_IO);
	assert_int_equal(run_of(r)->io.direction, direction);
	assert_int_equal(run_of(r)->io.size, size);
	assert_int_equal(run_of(r)->io.port, PORT);
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

/* ---- traps ---- */

#define DR7_FIRST(rw, len) (DR7_INIT | BIT(1) | FIELD(17, 16, rw) | FIELD(19, 18, (len) - 1))
enum { BREAK_WRITE = 1, BREAK_IO, BREAK_DATA };

/* SDM v3, "Debug Status Register (DR6)", B0; the trap comes behind the access. DR0 is on the last of the four bytes. */
static void breakpoints_are_hit_by_what_is_executed_for_the_guest(void **state)
{
	static const struct {
		struct fake_insn insn;
		uint64_t at, dr7;
		bool de, hits;
	} cases[] = {
		{ MEM(MMIO, true, 2, 0x89, 0x03), MMIO + 3, DR7_FIRST(BREAK_WRITE, 1), false, true },
		{ MEM(MMIO, true, 2, 0x89, 0x03), MMIO + 4, DR7_FIRST(BREAK_WRITE, 1), false, false },
		{ MEM(MMIO, true, 2, 0x89, 0x03), MMIO + 3, DR7_FIRST(BREAK_DATA, 1), false, true },
		{ MEM(MMIO, true, 2, 0x89, 0x03), MMIO + 3, DR7_INIT | FIELD(17, 16, BREAK_WRITE), false, false },
		{ MEM(MMIO, false, 2, 0x8b, 0x03), MMIO + 3, DR7_FIRST(BREAK_WRITE, 1), false, false },
		{ MEM(MMIO, false, 2, 0x8b, 0x03), MMIO + 3, DR7_FIRST(BREAK_DATA, 1), false, true },
		{ OUTS(PORT, 4, 0), FAKE_DATA + 3, DR7_FIRST(BREAK_DATA, 1), false, true },
		{ OUTS(PORT, 4, 0), FAKE_DATA + 6, DR7_FIRST(BREAK_DATA, 4), false, false },
		{ OUTS(PORT, 4, 0), FAKE_DATA + 2, DR7_FIRST(BREAK_DATA, 4), false, true },
		{ INS(PORT, 4, 0), FAKE_DATA + 3, DR7_FIRST(BREAK_WRITE, 1), false, true },
		{ INS(PORT, 4, 0), PORT + 3, DR7_FIRST(BREAK_IO, 1), true, true },
		{ OUT(PORT, 4), PORT + 3, DR7_FIRST(BREAK_IO, 1), true, true },
		{ IN(PORT, 4), PORT + 3, DR7_FIRST(BREAK_IO, 1), true, true },
		{ IN(PORT, 4), PORT + 3, DR7_FIRST(BREAK_IO, 1), false, false },
		{ IN(PORT, 4), PORT + 3, DR7_FIRST(BREAK_DATA, 1), true, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *r = rig_split(0);
		const struct fake_insn program[] = { MOV(RSI, FAKE_DATA), MOV(RDI, FAKE_DATA), LABEL(0), cases[i].insn, LABEL(1),
						     OUT(EXIT, 1) };

		r->f.dr[0] = cases[i].at;
		r->f.dr7 = cases[i].dr7;
		r->f.cr4 = cases[i].de ? CR4_DE : 0;
		rig_load(r, program, ARRAY_SIZE(program));
		run_to(r, EXIT);
		if (cases[i].hits) {
			expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, 1);
			assert_int_equal(r->f.dr6, DR6_INIT | 1);
		}
		expect_no_arrival(r);
		rig_end(r);
	}
}

/* The last eight bytes of the address space, where an end is 0. */
static void breakpoints_reach_the_end_of_the_address_space(void **state)
{
	const uint64_t last = ~7ull;
	const unsigned eight_bytes = 3;
	struct rig *r = rig_split(0);

	(void)state;
	fake_long_mode(&r->f);
	r->f.dr[0] = last;
	r->f.dr7 = DR7_FIRST(BREAK_DATA, eight_bytes);
	assert_int_equal(vcpu_breakpoints(&r->v, DEBUG_READ, last, 8), 1);
	assert_int_equal(vcpu_breakpoints(&r->v, DEBUG_READ, last + 7, 1), 1);
	assert_int_equal(vcpu_breakpoints(&r->v, DEBUG_READ, last - 8, 8), 0);
	assert_int_equal(vcpu_breakpoints(&r->v, DEBUG_READ, 0, 8), 0);
	rig_end(r);
}

/* SDM v3, "Single-Step Exception Condition", on REP: a trap behind each iteration, with RF set in all but the last. */
static void rep_traps_behind_each_iteration(void **state)
{
	struct rig *r = rig_split(0);
	const unsigned count = 3;

	(void)state;
	LOAD(r, MOV(RSI, FAKE_DATA), MOV(RCX, count), POPF(RFLAGS_TF), LABEL(0), OUTS(PORT, 1, FAKE_REP), LABEL(1), POPF(0),
	     OUT(EXIT, 1));
	run_to(r, EXIT);
	for (unsigned i = 0; i < count; i++)
		expect_arrival_at(r, EVENT_EXCEPTION, VEC_DB, i + 1 < count ? 0 : 1);
	assert_int_equal(r->v.regs.gpr[RCX], 0);
	rig_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test(breakpoints_are_hit_by_what_is_executed_for_the_guest),
		cmocka_unit_test(breakpoints_reach_the_end_of_the_address_space),
		cmocka_unit_test(rep_traps_behind_each_iteration),
	};

	return RUN_BOTH_WAYS("emulate", tests);
}
