/* SPDX-License-Identifier: BSD-2-Clause
 * What any program does, where no program does it: arithmetic, the FPU, strings, ports; and bytes that are nothing at all.
 * Knows nothing of what becomes of it. */
#include "random.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define RSI 6
#define RDI 7
#define OP_STD 0xfd
#define LAB_PORTS 0x600
#define SHORT_REPEAT 12

void make_bytes(struct gen *g)
{
	for (uint32_t n = 1 + rnd(g, 12); n; n--)
		e8(g, rnd32(g));
}

void make_plain(struct gen *g)
{
	/* ADD, OR, ADC, SBB, AND, SUB, XOR, CMP; TEST, XCHG, MOV; shifts; groups 3 to 5, MOVSXD or ARPL, POP, LEA */
	static const uint32_t ops[] = { 0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x10, 0x11, 0x19, 0x20, 0x21, 0x23, 0x28,
					0x29, 0x2b, 0x30, 0x31, 0x33, 0x38, 0x39, 0x3a, 0x3b, 0x84, 0x85, 0x86, 0x87, 0x88,
					0x89, 0x8a, 0x8b, 0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe, 0xff, 0x63, 0x8f, 0x8d };
	/* BT, BTS, BTR, BTC, CMPXCHG, XADD, group 9, MOVZX, MOVSX, SHLD, SHRD, CMOVcc, SETcc, BSF, BSR, IMUL, MOVNTI */
	static const uint32_t ops2[] = { 0x0fa3, 0x0fab, 0x0fb3, 0x0fbb, 0x0fb0, 0x0fb1, 0x0fc0, 0x0fc1, 0x0fc7, 0x0fb6, 0x0fb7,
					 0x0fbe, 0x0fbf, 0x0fa5, 0x0fad, 0x0f44, 0x0f94, 0x0fbc, 0x0fbd, 0x0faf, 0x0fc3 };
	/* groups 1, 2 and 8, SHLD, SHRD, IMUL, MOV */
	static const uint32_t with_byte[] = { 0x80, 0x83, 0xc0, 0xc1, 0x0fba, 0x0fa4, 0x0fac, 0x6b, 0xc6 };

	if (one_in(g, 3))
		e8(g, OPERAND_SIZE);
	if (one_in(g, 8))
		e8(g, LOCK);
	e_rex_w(g);
	if (one_in(g, 4)) {
		e_operand(g, PICK(g, with_byte));
		e8(g, rnd32(g));
	} else if (one_in(g, 2)) {
		e_operand(g, PICK(g, ops));
	} else {
		e_operand(g, PICK(g, ops2));
	}
}

void make_floating(struct gen *g)
{
	/* group 15, x87, MOVUPS, MOVAPS, MOVNTPS, MOVQ, MOVDQA, MOVNTDQ, MOVD, MOVNTQ, CMPXCHG8B and its like, EMMS, PREFETCH */
	static const uint32_t ops[] = { 0x0fae, 0xd8, 0xd9, 0xdb, 0xdd, 0xdf, 0x0f10, 0x0f11, 0x0f28, 0x0f29, 0x0f2b, 0x0f6f,
					0x0f7f, 0x660f6f, 0x660f7f, 0x660fe7, 0x0f6e, 0x0f7e, 0x0fe7, 0x0fc7, 0x0f77, 0x0f18 };

	e_operand(g, PICK(g, ops));
}

/* Segment, REP and operand-size prefixes before string instructions; the registers lead anywhere. */
static void string_op(struct gen *g, const uint8_t *ops, uint32_t n)
{
	static const uint8_t prefixes[] = { REP, REP, REPNE, OPERAND_SIZE, ADDRESS_SIZE, SEG_ES, SEG_CS,
					    SEG_SS, SEG_DS, SEG_FS, SEG_GS };

	e_mov(g, RSI, some_address(g));
	e_mov(g, RDI, some_address(g));
	e_mov(g, RCX, one_in(g, 20) ? odd_value(g) : rnd(g, SHORT_REPEAT));
	if (one_in(g, 8))
		e8(g, OP_STD);
	for (uint32_t i = rnd(g, 4); i; i--)
		e8(g, PICK(g, prefixes));
	e_rex_w(g);
	e8(g, ops[rnd(g, n)]);
}

void make_strings(struct gen *g)
{
	/* MOVS, CMPS, STOS, LODS, SCAS */
	static const uint8_t ops[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf };

	string_op(g, ops, LENGTH(ops));
}

static uint32_t some_port(struct gen *g)
{
	/* the 8259s, 8254, 8042, RTC, the fast gate of A20; UART, ELCR, PCI with the reset, POST, Bochs' console */
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x92,
					  0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x4d0, 0x4d1, 0xcf8, 0xcf9, 0xcfc, 0x80, 0xe9 };
	uint32_t port = PICK(g, ports);

	if (one_in(g, 3))
		port = LAB_PORTS + rnd(g, 64);
	if (one_in(g, 6))
		port = rnd(g, UINT16_MAX + 1);
	/* Its end would be no news. */
	return port >= EXIT_PORT - 3 && port <= EXIT_PORT ? EXIT_PORT + 1 : port;
}

void make_ports(struct gen *g)
{
	/* IN, OUT; INS, OUTS */
	static const uint8_t dx_ops[] = { 0xec, 0xed, 0xee, 0xef, 0xee, 0xef };
	static const uint8_t string_ops[] = { 0x6c, 0x6d, 0x6e, 0x6f };

	e_mov(g, RDX, some_port(g));
	e_mov(g, RAX, odd_value(g));
	if (one_in(g, 3)) {
		string_op(g, string_ops, LENGTH(string_ops));
		return;
	}
	if (one_in(g, 3))
		e8(g, OPERAND_SIZE);
	e8(g, PICK(g, dx_ops));
}
