/* SPDX-License-Identifier: BSD-2-Clause
 * The decoder: prefixes, one table from opcode to operation and operands, ModRM.
 * Knows nothing of registers' values, of memory or of the CPU that met the instruction. */
#include "core/decode.h"

#include "bits.h"
#include "status.h"

enum prefix {
	PREFIX_ES = 0x26,
	PREFIX_CS = 0x2e,
	PREFIX_SS = 0x36,
	PREFIX_DS = 0x3e,
	PREFIX_FS = 0x64,
	PREFIX_GS = 0x65,
	PREFIX_OPERAND_SIZE = 0x66,
	PREFIX_ADDRESS_SIZE = 0x67,
	PREFIX_LOCK = 0xf0,
	PREFIX_REPNE = 0xf2,
	PREFIX_REP = 0xf3,
};
#define REX(byte) (GET_FIELD(7, 4, byte) == 4)
#define REX_W BIT(3)
#define REX_R BIT(2)
#define REX_X BIT(1)
#define REX_B BIT(0)
#define REX_EXTENDS BIT(3) /* where R, X and B go in a register's number */

#define MODRM_MOD(b) GET_FIELD(7, 6, b)
#define MODRM_REG(b) GET_FIELD(5, 3, b)
#define MODRM_RM(b) GET_FIELD(2, 0, b)
#define SIB_SCALE(b) GET_FIELD(7, 6, b)
#define SIB_INDEX(b) GET_FIELD(5, 3, b)
#define SIB_BASE(b) GET_FIELD(2, 0, b)
enum { MOD_NO_DISP, MOD_DISP8, MOD_DISP, MOD_REGISTER };
#define RM16_DISP16 6   /* with MOD_NO_DISP, 16-bit addresses: no register at all */
#define RM32_SIB 4
#define RM32_DISP32 5   /* with MOD_NO_DISP, wider addresses: no register, or RIP; also as a SIB base */
#define BYTE_REG_HIGH 4 /* the first of AH, CH, DH, BH */

/* ---- the table ---- */

/* Operands, by the codes of the manuals' opcode maps: E is ModRM.rm, G ModRM.reg, I an immediate of at most four bytes, J one byte
 * of immediate, O an offset without ModRM, A the accumulator, Z a register in the opcode, X and Y the string operands. */
enum form { NO_FORM, FORM_NONE, FORM_GROUP, FORM_EG, FORM_GE, FORM_EI, FORM_EJ, FORM_E, FORM_AO, FORM_OA, FORM_Z_DST, FORM_Z_SRC,
	    FORM_I, FORM_J, FORM_STRING, FORM_E_SRC, FORM_CR, FORM_MODRM };

#define BYTES BIT(0)   /* the operands are bytes */
#define LOCKABLE BIT(1) /* where dst is memory */
#define D64 BIT(2)     /* 64 bits in 64-bit mode */
#define SRC8 BIT(3)    /* src is a byte, */
#define SRC16 BIT(4)   /* a word, */
#define SRC32 BIT(5)   /* a doubleword, or a word with 16-bit operands */
#define ONLY64 BIT(6)
#define NOT64 BIT(7)
#define MEMORY BIT(8)  /* ModRM.rm is no register */
#define BARE BIT(9)    /* neither 66 nor F2 nor F3 in front */

struct entry {
	uint8_t op, form;
	uint16_t flags;
};

enum group { GROUP_1B, GROUP_1, GROUP_1J, GROUP_1A, GROUP_3B, GROUP_3, GROUP_4, GROUP_5, GROUP_7, GROUP_8, GROUP_11B, GROUP_11, GROUPS };
#define IN_GROUP(g) { g, FORM_GROUP, 0 }

#define ALU(first, insn, lock)                                                                      \
	[(first)] = { insn, FORM_EG, BYTES | (lock) }, [(first) + 1] = { insn, FORM_EG, (lock) },   \
	[(first) + 2] = { insn, FORM_GE, BYTES }, [(first) + 3] = { insn, FORM_GE, 0 }
#define BOTH(first, insn, form, flags) [(first)] = { insn, form, BYTES | (flags) }, [(first) + 1] = { insn, form, flags }
#define EIGHT(first, insn, form, flags) [(first)... (first) + 7] = { insn, form, flags }

static const struct entry one_byte[] = {
	ALU(0x00, INSN_ADD, LOCKABLE),
	ALU(0x08, INSN_OR, LOCKABLE),
	ALU(0x10, INSN_ADC, LOCKABLE),
	ALU(0x18, INSN_SBB, LOCKABLE),
	ALU(0x20, INSN_AND, LOCKABLE),
	ALU(0x28, INSN_SUB, LOCKABLE),
	ALU(0x30, INSN_XOR, LOCKABLE),
	ALU(0x38, INSN_CMP, 0),
	EIGHT(0x50, INSN_PUSH, FORM_Z_SRC, D64),
	EIGHT(0x58, INSN_POP, FORM_Z_DST, D64),
	[0x63] = { INSN_MOVSX, FORM_GE, SRC32 | ONLY64 },
	[0x68] = { INSN_PUSH, FORM_I, D64 },
	[0x6a] = { INSN_PUSH, FORM_J, D64 },
	BOTH(0x6c, INSN_INS, FORM_STRING, 0),
	BOTH(0x6e, INSN_OUTS, FORM_STRING, 0),
	[0x80] = IN_GROUP(GROUP_1B),
	[0x81] = IN_GROUP(GROUP_1),
	[0x82] = { GROUP_1B, FORM_GROUP, NOT64 },
	[0x83] = IN_GROUP(GROUP_1J),
	BOTH(0x84, INSN_TEST, FORM_EG, 0),
	BOTH(0x86, INSN_XCHG, FORM_EG, LOCKABLE),
	BOTH(0x88, INSN_MOV, FORM_EG, 0),
	BOTH(0x8a, INSN_MOV, FORM_GE, 0),
	[0x8f] = IN_GROUP(GROUP_1A),
	BOTH(0xa0, INSN_MOV, FORM_AO, 0),
	BOTH(0xa2, INSN_MOV, FORM_OA, 0),
	BOTH(0xa4, INSN_MOVS, FORM_STRING, 0),
	BOTH(0xa6, INSN_CMPS, FORM_STRING, 0),
	BOTH(0xaa, INSN_STOS, FORM_STRING, 0),
	BOTH(0xac, INSN_LODS, FORM_STRING, 0),
	BOTH(0xae, INSN_SCAS, FORM_STRING, 0),
	[0xc6] = IN_GROUP(GROUP_11B),
	[0xc7] = IN_GROUP(GROUP_11),
	[0xf1] = { INSN_EXITS, FORM_NONE, 0 }, /* INT1 */
	[0xf4] = { INSN_EXITS, FORM_NONE, 0 }, /* HLT */
	[0xf6] = IN_GROUP(GROUP_3B),
	[0xf7] = IN_GROUP(GROUP_3),
	[0xfe] = IN_GROUP(GROUP_4),
	[0xff] = IN_GROUP(GROUP_5),
};

#define ESCAPE 0x0f
static const struct entry two_byte[] = {
	[0x01] = IN_GROUP(GROUP_7), /* LMSW, XSETBV, RDTSCP, VMMCALL and the like */
	[0x08] = { INSN_EXITS, FORM_NONE, 0 },  /* INVD */
	[0x09] = { INSN_EXITS, FORM_NONE, 0 },  /* WBINVD */
	[0x20] = { INSN_MOV_FROM_CR, FORM_CR, 0 },
	[0x21] = { INSN_MOV_FROM_DR, FORM_CR, 0 },
	[0x22] = { INSN_MOV_TO_CR, FORM_CR, 0 },
	[0x23] = { INSN_MOV_TO_DR, FORM_CR, 0 },
	[0x30] = { INSN_EXITS, FORM_NONE, 0 },  /* WRMSR */
	[0x31] = { INSN_EXITS, FORM_NONE, 0 },  /* RDTSC */
	[0x32] = { INSN_EXITS, FORM_NONE, 0 },  /* RDMSR */
	[0x33] = { INSN_EXITS, FORM_NONE, 0 },  /* RDPMC */
	[0xa2] = { INSN_EXITS, FORM_NONE, 0 },  /* CPUID */
	[0xa3] = { INSN_BT, FORM_EG, 0 },
	[0xab] = { INSN_BTS, FORM_EG, LOCKABLE },
	BOTH(0xb0, INSN_CMPXCHG, FORM_EG, LOCKABLE),
	[0xb3] = { INSN_BTR, FORM_EG, LOCKABLE },
	[0xb6] = { INSN_MOVZX, FORM_GE, SRC8 },
	[0xb7] = { INSN_MOVZX, FORM_GE, SRC16 },
	[0xba] = IN_GROUP(GROUP_8),
	[0xbb] = { INSN_BTC, FORM_EG, LOCKABLE },
	[0xbe] = { INSN_MOVSX, FORM_GE, SRC8 },
	[0xbf] = { INSN_MOVSX, FORM_GE, SRC16 },
	BOTH(0xc0, INSN_XADD, FORM_EG, LOCKABLE),
	[0xc3] = { INSN_MOV, FORM_EG, MEMORY | BARE }, /* MOVNTI */
};

#define ALU_GROUP(form, flags)                                                                                          \
	{ { INSN_ADD, form, (flags) | LOCKABLE }, { INSN_OR, form, (flags) | LOCKABLE }, { INSN_ADC, form, (flags) | LOCKABLE }, \
	  { INSN_SBB, form, (flags) | LOCKABLE }, { INSN_AND, form, (flags) | LOCKABLE }, { INSN_SUB, form, (flags) | LOCKABLE }, \
	  { INSN_XOR, form, (flags) | LOCKABLE }, { INSN_CMP, form, flags } }
#define UNARY_GROUP(flags)                                                                              \
	{ { INSN_TEST, FORM_EI, flags }, { INSN_TEST, FORM_EI, flags }, { INSN_NOT, FORM_E, (flags) | LOCKABLE }, \
	  { INSN_NEG, FORM_E, (flags) | LOCKABLE } }
#define INC_DEC(flags) { INSN_INC, FORM_E, (flags) | LOCKABLE }, { INSN_DEC, FORM_E, (flags) | LOCKABLE }
static const struct entry groups[GROUPS][8] = {
	[GROUP_1B] = ALU_GROUP(FORM_EI, BYTES),
	[GROUP_1] = ALU_GROUP(FORM_EI, 0),
	[GROUP_1J] = ALU_GROUP(FORM_EJ, 0),
	[GROUP_1A] = { { INSN_POP, FORM_E, D64 } },
	[GROUP_3B] = UNARY_GROUP(BYTES),
	[GROUP_3] = UNARY_GROUP(0),
	[GROUP_4] = { INC_DEC(BYTES) },
	[GROUP_5] = { INC_DEC(0), [6] = { INSN_PUSH, FORM_E_SRC, D64 } },
	[GROUP_7] = { [0 ... 5] = { INSN_EXITS, FORM_MODRM, 0 }, [6] = { INSN_LMSW, FORM_E_SRC, SRC16 }, { INSN_EXITS, FORM_MODRM, 0 } },
	[GROUP_8] = { [4] = { INSN_BT, FORM_EJ, 0 }, { INSN_BTS, FORM_EJ, LOCKABLE }, { INSN_BTR, FORM_EJ, LOCKABLE },
		      { INSN_BTC, FORM_EJ, LOCKABLE } },
	[GROUP_11B] = { { INSN_MOV, FORM_EI, BYTES } },
	[GROUP_11] = { { INSN_MOV, FORM_EI, 0 } },
};

/* ---- bytes ---- */

struct decoder {
	const uint8_t *bytes;
	size_t avail, pos;
	bool truncated; /* bytes were wanted that are not there; they read as 0 */
	enum cs_mode mode;
	bool operand_size, address_size;
	uint8_t rex;    /* 0: none that counts */
	uint8_t sreg;   /* the override, or SREGS */
	uint8_t opcode; /* the last byte of it */
	uint8_t modrm;
};

/* Little-endian. */
static uint64_t take(struct decoder *d, size_t n)
{
	uint64_t val = 0;

	if (n > d->avail - d->pos) {
		d->truncated = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		val |= (uint64_t)d->bytes[d->pos + i] << (8 * i);
	d->pos += n;
	return val;
}

static uint64_t take_signed(struct decoder *d, size_t n)
{
	uint64_t sign = BIT64(8 * n - 1);

	return (take(d, n) ^ sign) - sign;
}

/* SDM v2, "Segment override prefixes"; in 64-bit mode "the CS, DS, ES, and SS segment overrides are ignored" (SDM v1,
 * "Segmentation in 64-Bit Mode"). The last one that counts does. */
static void override(struct decoder *d, enum sreg s)
{
	if (d->mode != CS_64 || s >= SREG_FS)
		d->sreg = (uint8_t)s;
}

/* SDM v2, "REX Prefixes": "must immediately precede the opcode byte or the escape opcode byte (0FH)". One that does not is ignored,
 * so each prefix forgets the REX before it. Of F2 and F3 the last counts. */
static bool take_prefix(struct decoder *d, struct insn *i, uint8_t byte)
{
	bool rex = d->mode == CS_64 && REX(byte);

	switch (byte) {
	case PREFIX_OPERAND_SIZE: d->operand_size = true; break;
	case PREFIX_ADDRESS_SIZE: d->address_size = true; break;
	case PREFIX_LOCK: i->lock = true; break;
	case PREFIX_REPNE:
	case PREFIX_REP:
		i->repne = byte == PREFIX_REPNE;
		i->rep = byte == PREFIX_REP;
		break;
	case PREFIX_ES: override(d, SREG_ES); break;
	case PREFIX_CS: override(d, SREG_CS); break;
	case PREFIX_SS: override(d, SREG_SS); break;
	case PREFIX_DS: override(d, SREG_DS); break;
	case PREFIX_FS: override(d, SREG_FS); break;
	case PREFIX_GS: override(d, SREG_GS); break;
	default:
		if (!rex)
			return false;
	}
	d->rex = rex ? byte : 0;
	return true;
}

static struct entry lookup(const struct entry *table, size_t n, uint8_t opcode)
{
	const struct entry unknown = { INSN_UNKNOWN, NO_FORM, 0 };

	return opcode < n ? table[opcode] : unknown;
}

static struct entry take_opcode(struct decoder *d)
{
	d->opcode = (uint8_t)take(d, 1);
	if (d->opcode != ESCAPE)
		return lookup(one_byte, ARRAY_SIZE(one_byte), d->opcode);
	d->opcode = (uint8_t)take(d, 1);
	return lookup(two_byte, ARRAY_SIZE(two_byte), d->opcode);
}

static uint8_t address_size(const struct decoder *d)
{
	if (d->mode == CS_64)
		return d->address_size ? 4 : 8;
	return (d->mode == CS_16) != d->address_size ? 2 : 4;
}

static uint8_t operand_size(const struct decoder *d, uint16_t flags)
{
	if (flags & BYTES)
		return 1;
	if (d->rex & REX_W)
		return 8;
	if (d->mode == CS_64 && (flags & D64))
		return d->operand_size ? 2 : 8;
	if (flags & BARE) /* MOVNTI has no 16-bit form, in 16-bit mode either */
		return 4;
	return (d->mode == CS_16) != d->operand_size ? 2 : 4;
}

static uint8_t extend(const struct decoder *d, uint8_t reg, uint8_t by)
{
	return reg | (d->rex & by ? REX_EXTENDS : 0);
}

/* ---- operands ---- */

static void set_reg(const struct decoder *d, struct operand *o, uint8_t number, uint8_t size)
{
	o->kind = OPERAND_REG;
	o->high = size == 1 && !d->rex && number >= BYTE_REG_HIGH;
	o->reg = o->high ? number - BYTE_REG_HIGH : number;
}

static void set_memory(struct insn *i, uint8_t base, uint8_t index, uint8_t scale, uint64_t disp)
{
	i->mem.base = base;
	i->mem.index = index;
	i->mem.scale = scale;
	i->mem.disp = disp;
	i->mem.sreg = base == RSP || base == RBP ? SREG_SS : SREG_DS;
}

/* SDM v2, "16-Bit Addressing Forms with the ModR/M Byte". */
static void take_memory16(struct decoder *d, struct insn *i)
{
	static const struct {
		uint8_t base, index;
	} forms[] = { { RBX, RSI }, { RBX, RDI }, { RBP, RSI }, { RBP, RDI }, { RSI, NO_REG }, { RDI, NO_REG }, { RBP, NO_REG },
		      { RBX, NO_REG } };
	uint8_t mod = MODRM_MOD(d->modrm), rm = MODRM_RM(d->modrm);

	if (mod == MOD_NO_DISP && rm == RM16_DISP16)
		set_memory(i, NO_REG, NO_REG, 1, take_signed(d, 2));
	else
		set_memory(i, forms[rm].base, forms[rm].index, 1, mod == MOD_NO_DISP ? 0 : take_signed(d, mod));
}

/* rm, or the SIB's base where there is one: both leave out the register in the same way, rm for RIP in 64-bit mode. */
static uint64_t take_disp32(struct decoder *d, uint8_t base)
{
	uint8_t mod = MODRM_MOD(d->modrm);

	if (mod == MOD_DISP8)
		return take_signed(d, 1);
	return mod == MOD_DISP || base == RM32_DISP32 ? take_signed(d, 4) : 0;
}

/* SDM v2, "32-Bit Addressing Forms with the ModR/M Byte" and "... with the SIB Byte". */
static void take_memory32(struct decoder *d, struct insn *i)
{
	uint8_t rm = MODRM_RM(d->modrm), sib = rm == RM32_SIB ? (uint8_t)take(d, 1) : 0;
	uint8_t low = rm == RM32_SIB ? SIB_BASE(sib) : rm, base = extend(d, low, REX_B), index = NO_REG;
	uint64_t disp = take_disp32(d, low);

	if (rm == RM32_SIB && extend(d, SIB_INDEX(sib), REX_X) != RSP)
		index = extend(d, SIB_INDEX(sib), REX_X);
	if (low == RM32_DISP32 && MODRM_MOD(d->modrm) == MOD_NO_DISP)
		base = d->mode == CS_64 && rm != RM32_SIB ? BASE_RIP : NO_REG;
	set_memory(i, base, index, (uint8_t)BIT(SIB_SCALE(sib)), disp);
}

static void take_rm(struct decoder *d, struct insn *i, struct operand *o, uint8_t size)
{
	if (MODRM_MOD(d->modrm) == MOD_REGISTER) {
		set_reg(d, o, extend(d, MODRM_RM(d->modrm), REX_B), size);
		return;
	}
	o->kind = OPERAND_MEM;
	if (i->addr_size == 2)
		take_memory16(d, i);
	else
		take_memory32(d, i);
}

static void take_imm(struct decoder *d, struct insn *i, size_t n)
{
	i->src.kind = OPERAND_IMM;
	i->imm = take_signed(d, n);
}

static void set_reg_g(const struct decoder *d, struct operand *o, uint8_t size)
{
	set_reg(d, o, extend(d, MODRM_REG(d->modrm), REX_R), size);
}

/* Which operand is destination and which is source of MOVS and its like, the operation says. */
static void set_string(struct insn *i)
{
	set_memory(i, NO_REG, NO_REG, 1, 0);
	i->mem.sreg = SREG_DS;
	if (i->op == INSN_INS || i->op == INSN_OUTS) /* no 64-bit form */
		i->size = i->size == 8 ? 4 : i->size;
}

/* SDM v2, "MOV-Move to/from Control Registers": "The 2 bits in the mod field are ignored."
 * APM v3, "MOV CRn": "CR8 can be read and written in all modes using a LOCK prefix instead of a REX prefix to specify the additional
 * opcode bit." */
static void set_control_register(struct decoder *d, struct insn *i)
{
	bool to = i->op == INSN_MOV_TO_CR || i->op == INSN_MOV_TO_DR;
	struct operand *cr = to ? &i->dst : &i->src, *gpr = to ? &i->src : &i->dst;

	i->size = d->mode == CS_64 ? 8 : 4;
	set_reg_g(d, cr, i->size);
	set_reg(d, gpr, extend(d, MODRM_RM(d->modrm), REX_B), i->size);
	if (i->op == INSN_MOV_TO_DR || i->op == INSN_MOV_FROM_DR)
		return;
	if (i->lock)
		cr->reg |= REX_EXTENDS;
	i->lock = false;
}

static void take_operands(struct decoder *d, struct insn *i, enum form form)
{
	const uint8_t z = extend(d, d->opcode & (uint8_t)MASK(2, 0), REX_B);
	const size_t imm = i->size < 4 ? i->size : 4;

	switch (form) {
	case FORM_EG: take_rm(d, i, &i->dst, i->size), set_reg_g(d, &i->src, i->size); break;
	case FORM_GE: take_rm(d, i, &i->src, i->src_size), set_reg_g(d, &i->dst, i->size); break;
	case FORM_EI: take_rm(d, i, &i->dst, i->size), take_imm(d, i, imm); break;
	case FORM_EJ: take_rm(d, i, &i->dst, i->size), take_imm(d, i, 1); break;
	case FORM_E: take_rm(d, i, &i->dst, i->size); break;
	case FORM_E_SRC: take_rm(d, i, &i->src, i->size); break;
	case FORM_Z_DST: set_reg(d, &i->dst, z, i->size); break;
	case FORM_Z_SRC: set_reg(d, &i->src, z, i->size); break;
	case FORM_I: take_imm(d, i, imm); break;
	case FORM_J: take_imm(d, i, 1); break;
	case FORM_AO:
	case FORM_OA:
		set_reg(d, form == FORM_AO ? &i->dst : &i->src, RAX, i->size);
		(form == FORM_AO ? &i->src : &i->dst)->kind = OPERAND_MEM;
		set_memory(i, NO_REG, NO_REG, 1, take(d, i->addr_size));
		break;
	case FORM_STRING: set_string(i); break;
	case FORM_CR: set_control_register(d, i); break;
	case FORM_MODRM: take_rm(d, i, &i->dst, i->size); break;
	default: break;
	}
}

static bool has_modrm(enum form form)
{
	return form == FORM_GROUP || form == FORM_EG || form == FORM_GE || form == FORM_CR || form == FORM_MODRM;
}

static uint8_t source_size(const struct insn *i, uint16_t flags)
{
	if (flags & SRC8)
		return 1;
	if (flags & SRC16)
		return 2;
	return (flags & SRC32) && i->size > 4 ? 4 : i->size;
}

/* What no CPU executes. SDM v2, "LOCK": "An undefined opcode exception (#UD) will also be generated if the LOCK prefix is used with any
 * instruction not in the above list", or "the destination operand" is no memory. */
static bool is_undefined(const struct decoder *d, const struct insn *i, uint16_t flags)
{
	if ((flags & (d->mode == CS_64 ? NOT64 : ONLY64)))
		return true;
	if ((flags & MEMORY) && i->dst.kind != OPERAND_MEM)
		return true;
	if ((flags & BARE) && (d->operand_size || i->rep || i->repne))
		return true;
	return i->lock && (!(flags & LOCKABLE) || i->dst.kind != OPERAND_MEM);
}

int insn_decode(const uint8_t *bytes, size_t avail, enum cs_mode mode, struct insn *out)
{
	struct decoder d = { .bytes = bytes, .avail = min_u64(avail, INSN_MAX), .mode = mode, .sreg = SREGS };
	struct insn i = { 0 };
	struct entry e;
	uint16_t flags;

	while (d.pos < d.avail && take_prefix(&d, &i, bytes[d.pos]))
		d.pos++;
	e = take_opcode(&d);
	flags = e.flags;
	if (has_modrm(e.form))
		d.modrm = (uint8_t)take(&d, 1);
	if (e.form == FORM_GROUP) {
		e = groups[e.op][MODRM_REG(d.modrm)];
		flags |= e.flags;
	}
	i.op = e.op;
	i.size = operand_size(&d, flags);
	i.src_size = source_size(&i, flags);
	i.addr_size = address_size(&d);
	if (e.form != NO_FORM)
		take_operands(&d, &i, e.form);
	if (d.truncated)
		return d.avail < INSN_MAX ? E_FAULT : E_INVAL;
	if (e.form == NO_FORM || is_undefined(&d, &i, flags))
		return E_INVAL;
	if (d.sreg != SREGS)
		i.mem.sreg = d.sreg;
	i.len = (uint8_t)d.pos;
	*out = i;
	return 0;
}
