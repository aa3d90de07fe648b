/* SPDX-License-Identifier: BSD-2-Clause
 * Segments as compatibility mode knows them: limit, type, direction and the null selector, for string I/O and for loads from a
 * device, which a hypervisor executes for the guest.
 * Knows nothing of the hypervisor under it. */
#include "insn.h"
#include "guest_layout.h"
#include "known.h"

#define SCRATCH_PORT 0x3ff
#define FIRST 0x31
#define SECOND 0x52
#define LIMIT 15 /* of a segment in bytes: its last valid offset */
/* Type fields of data and code segments, with the accessed bit. */
#define TYPE_READ_ONLY 1ull
#define TYPE_WRITABLE 3ull
#define TYPE_DOWN 7ull /* writable, expand-down */
#define TYPE_EXECUTE_READ 11ull
/* S, P, DPL 0, D/B */
#define DESCRIPTOR(type, base, limit)                                                                      \
	(FIELD(15, 0, limit) | FIELD(39, 16, base) | FIELD(43, 40, type) | FIELD(44, 44, 1) | FIELD(47, 47, 1) | \
	 FIELD(51, 48, (uint64_t)(limit) >> 16) | FIELD(54, 54, 1) | FIELD(63, 56, (uint64_t)(base) >> 24))

static uint8_t ram[INSN_PAGE] __attribute__((aligned(INSN_PAGE)));
static const struct insn_setup plain;

INSN_FAR(seg_outsb, 32, "outsb");
INSN_FAR(seg_insb, 32, "insb");
INSN_FAR(seg_insw, 32, "insw");
INSN_FAR(seg_es_outsb, 32, "outsb %es:(%esi), %dx");
INSN_FAR(seg_ss_outsb, 32, "outsb %ss:(%esi), %dx");
INSN_FAR(seg_outsb16, 32, "addr16 outsb");
INSN_FAR(seg_rep_outsb, 32, "rep outsb");
INSN_FAR(seg_load, 32, "movl (%esi), %eax");
INSN_FAR(seg_store, 32, "movl %edx, (%edi)");
INSN_FAR(seg_ss_load, 32, "movl %ss:(%esi), %eax");

/* DS and ES are the segment; SS too where `stack`. */
static void run(const struct insn_code *code, uint64_t descriptor, uint64_t offset, bool stack)
{
	struct insn_far where = { SEL_CODE32, SEL_DATA, SEL_SPARE, SEL_SPARE, 0 };

	insn_segment(0, descriptor);
	if (stack)
		where.ss = SEL_SPARE;
	insn_far_run(code, &where, &(struct insn_regs){ .rsi = offset, .rdi = offset, .rcx = 1, .rdx = SCRATCH_PORT }, &plain);
}

static void expect_done(const struct insn_code *code, uint64_t descriptor, uint64_t offset)
{
	run(code, descriptor, offset, false);
	if (insn_fault.count)
		fail("", "offset %#lx of segment %#lx: vector %#lx", offset, descriptor, insn_fault.vector);
}

static void expect_fault(const struct insn_code *code, uint64_t descriptor, uint64_t offset, bool stack)
{
	run(code, descriptor, offset, stack);
	if (!insn_fault.count)
		fail("", "offset %#lx of segment %#lx: no fault", offset, descriptor);
	EXPECT_EQ(insn_fault.vector, stack ? VEC_SS : VEC_GP);
	EXPECT_EQ(insn_fault.error, 0);
	EXPECT_EQ(insn_fault.rip, code->at);
	EXPECT_EQ(insn_regs.rsi, offset);
	EXPECT_EQ(insn_regs.rdi, offset);
}

/* The base is added, and the index is 32 bits wide, or 16. */
SCENARIO(insn_seg_base, .name = "insn.segment-base")
{
	const uint64_t data = DESCRIPTOR(TYPE_WRITABLE, (uint64_t)ram, LIMIT);

	ram[0] = FIRST;
	ram[1] = SECOND;
	expect_done(&seg_outsb, data, 1);
	EXPECT_EQ(inb(SCRATCH_PORT), SECOND);
	EXPECT_EQ(insn_regs.rsi, 2);
	expect_done(&seg_outsb16, data, FIELD(31, 16, 1));
	EXPECT_EQ(inb(SCRATCH_PORT), FIRST);
	EXPECT_EQ(insn_regs.rsi, FIELD(31, 16, 1) | 1);
	ram[2] = 0;
	expect_done(&seg_insb, data, 2);
	EXPECT_EQ(ram[2], FIRST);
}

/* SDM v3, "Limit Checking": the last byte of an operand beyond the limit is #GP, or #SS where the segment is SS. */
SCENARIO(insn_seg_limit, .name = "insn.segment-limit", .xfails = { QEMU_NO_SEGMENTS })
{
	const uint64_t data = DESCRIPTOR(TYPE_WRITABLE, (uint64_t)ram, LIMIT);

	expect_done(&seg_outsb, data, LIMIT);
	expect_fault(&seg_outsb, data, LIMIT + 1, false);
	expect_done(&seg_insb, data, LIMIT);
	expect_fault(&seg_insb, data, LIMIT + 1, false);
	expect_fault(&seg_insw, data, LIMIT, false);
	expect_fault(&seg_es_outsb, data, LIMIT + 1, false);
	expect_fault(&seg_rep_outsb, data, LIMIT + 1, false);
	expect_fault(&seg_ss_outsb, data, LIMIT + 1, true);
	expect_fault(&seg_outsb16, data, LIMIT + 1, false);
}

/* SDM v3, "Type Checking": INS needs a segment that may be written, and no code is; OUTS one that may be read. */
SCENARIO(insn_seg_type, .name = "insn.segment-type", .xfails = { QEMU_NO_SEGMENTS })
{
	const uint64_t read_only = DESCRIPTOR(TYPE_READ_ONLY, (uint64_t)ram, LIMIT);
	const uint64_t code = DESCRIPTOR(TYPE_EXECUTE_READ, (uint64_t)ram, LIMIT);

	ram[0] = FIRST;
	expect_done(&seg_outsb, read_only, 0);
	expect_fault(&seg_insb, read_only, 0, false);
	expect_done(&seg_outsb, code, 0);
	expect_fault(&seg_insb, code, 0, false);
	EXPECT_EQ(ram[0], FIRST);
}

/* SDM v3, "Limit Checking": of an expand-down segment the offsets above the limit are valid, up to FFFFFFFFH with B = 1. */
SCENARIO(insn_seg_down, .name = "insn.segment-expand-down", .xfails = { QEMU_NO_SEGMENTS })
{
	const uint64_t down = DESCRIPTOR(TYPE_DOWN, (uint64_t)ram, LIMIT);

	ram[LIMIT + 1] = FIRST;
	expect_done(&seg_outsb, down, LIMIT + 1);
	EXPECT_EQ(inb(SCRATCH_PORT), FIRST);
	expect_fault(&seg_outsb, down, LIMIT, false);
	expect_fault(&seg_insw, down, LIMIT, false);
	expect_fault(&seg_insb, down, 0, false);
	expect_fault(&seg_ss_outsb, down, LIMIT, true);
}

/* SDM v3, "Null Segment Selector Checking": it can be loaded, and any access by it is #GP(0). */
SCENARIO(insn_seg_null, .name = "insn.segment-null", .xfails = { QEMU_NO_SEGMENTS })
{
	const struct insn_far where = { SEL_CODE32, SEL_DATA, 0, 0, 0 };
	const struct insn_regs in = { .rsi = (uint64_t)ram, .rdi = (uint64_t)ram, .rdx = SCRATCH_PORT };
	const struct insn_code *const codes[] = { &seg_outsb, &seg_insb, &seg_es_outsb };

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		insn_far_run(codes[i], &where, &in, &plain);
		EXPECT_EQ(insn_fault.count, 1);
		EXPECT_EQ(insn_fault.vector, VEC_GP);
		EXPECT_EQ(insn_fault.error, 0);
		EXPECT_EQ(insn_fault.rip, codes[i]->at);
	}
}

/* The same checks in front of a device's register. */
SCENARIO(insn_seg_mmio, .name = "insn.segment-mmio", .xfails = { QEMU_CPU_NO_SEGMENTS })
{
	const uint64_t data = DESCRIPTOR(TYPE_WRITABLE, IOAPIC_DEFAULT_PHYS - LIMIT - 1, 2 * LIMIT);
	const uint64_t read_only = DESCRIPTOR(TYPE_READ_ONLY, IOAPIC_DEFAULT_PHYS - LIMIT - 1, INSN_PAGE);
	volatile uint32_t *select = (volatile uint32_t *)IOAPIC_DEFAULT_PHYS;

	*select = FIRST;
	expect_done(&seg_load, data, LIMIT + 1);
	EXPECT_EQ(insn_regs.rax, FIRST);
	expect_fault(&seg_load, data, 2 * LIMIT, false);
	expect_fault(&seg_ss_load, data, 2 * LIMIT, true);
	expect_done(&seg_load, read_only, LIMIT + 1);
	expect_fault(&seg_store, read_only, LIMIT + 1, false);
	EXPECT_EQ(*select, FIRST);
}
