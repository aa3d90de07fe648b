/* SPDX-License-Identifier: BSD-2-Clause
 * The decoder: instruction bytes in, one description of a memory access out.
 * Knows nothing of registers' values, of memory or of devices. */
#include "core/mmio.h"

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
#define REX_B BIT(0)
#define REX_EXTENDS BIT(3) /* where R and B go in a register's number */

/* Named by the operand codes of the manuals' opcode maps: E is ModRM.rm, G is ModRM.reg, I an immediate, O an
 * offset without ModRM; b is a byte, v the operand size, z the same but at most 4 bytes, w a word. */
enum opcode {
	OP_ESCAPE = 0x0f,
	OP_MOVSXD_GV_EZ = 0x63,
	OP_GRP1_EB_IB = 0x80,
	OP_GRP1_EV_IZ = 0x81,
	OP_GRP1_EV_IB = 0x83,
	OP_TEST_EB_GB = 0x84,
	OP_TEST_EV_GV = 0x85,
	OP_XCHG_EB_GB = 0x86,
	OP_XCHG_EV_GV = 0x87,
	OP_MOV_EB_GB = 0x88,
	OP_MOV_EV_GV = 0x89,
	OP_MOV_GB_EB = 0x8a,
	OP_MOV_GV_EV = 0x8b,
	OP_MOV_AL_OB = 0xa0,
	OP_MOV_RAX_OV = 0xa1,
	OP_MOV_OB_AL = 0xa2,
	OP_MOV_OV_RAX = 0xa3,
	OP_STOS_B = 0xaa,
	OP_STOS_V = 0xab,
	OP_LODS_B = 0xac,
	OP_LODS_V = 0xad,
	OP_GRP11_EB_IB = 0xc6,
	OP_GRP11_EV_IZ = 0xc7,
	OP_GRP3_EB = 0xf6,
	OP_GRP3_EV = 0xf7,
	OP_GRP4_EB = 0xfe,
	OP_GRP5_EV = 0xff,
	OP_MOV_CR_R = 0x0f22,
	OP_MOVZX_GV_EB = 0x0fb6,
	OP_MOVZX_GV_EW = 0x0fb7,
	OP_MOVSX_GV_EB = 0x0fbe,
	OP_MOVSX_GV_EW = 0x0fbf,
};
#define TWO_BYTE(second) ((uint16_t)(FIELD(15, 8, OP_ESCAPE) | (second)))
#define OPCODE_W BIT(0) /* operand size, not a byte */
#define OPCODE_D BIT(1) /* ModRM.reg is the destination */

/* The first quarter of the one-byte map: eight operations times { Eb,Gb  Ev,Gv  Gb,Eb  Gv,Ev  and four others }. */
#define IS_ALU_MODRM(opcode) ((opcode) < 0x40 && !((opcode) & BIT(2)))
#define ALU_OF_OPCODE(opcode) GET_FIELD(5, 3, opcode)

enum { GRP3_TEST = 0, GRP3_NOT = 2, GRP3_NEG = 3 };
enum { GRP45_INC = 0, GRP45_DEC = 1 };
enum { GRP11_MOV = 0 };

#define MODRM_MOD(b) GET_FIELD(7, 6, b)
#define MODRM_REG(b) GET_FIELD(5, 3, b)
#define MODRM_RM(b) GET_FIELD(2, 0, b)
#define SIB_BASE(b) GET_FIELD(2, 0, b)
enum { MOD_NO_DISP, MOD_DISP8, MOD_DISP, MOD_REGISTER };
#define RM16_DISP16 6   /* with MOD_NO_DISP, 16-bit addresses: no register at all */
#define RM32_SIB 4
#define RM32_DISP32 5   /* with MOD_NO_DISP, wider addresses: no register, or RIP; also as a SIB base */
#define BYTE_REG_HIGH 4 /* the first of AH, CH, DH, BH */

struct decoder {
	const uint8_t *insn;
	size_t avail, pos;
	bool truncated; /* bytes were wanted that are not there; they read as 0 */
	enum cs_mode mode;
	bool operand_size, address_size, lock, rep;
	uint8_t rex;    /* 0: none that counts */
	uint8_t reg;    /* ModRM.reg without REX.R: also the /digit */
	uint16_t opcode;
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
		val |= (uint64_t)d->insn[d->pos + i] << (8 * i);
	d->pos += n;
	return val;
}

static uint64_t take_signed(struct decoder *d, size_t n)
{
	uint64_t sign = BIT64(8 * n - 1);

	return (take(d, n) ^ sign) - sign;
}

/* SDM v2, "REX Prefixes": "must immediately precede the opcode byte or the escape opcode byte (0FH)". One that does
 * not is ignored, so each prefix forgets the REX before it. */
static bool take_prefix(struct decoder *d, uint8_t byte)
{
	bool rex = d->mode == CS_64 && REX(byte);

	switch (byte) {
	case PREFIX_OPERAND_SIZE:
		d->operand_size = true;
		break;
	case PREFIX_ADDRESS_SIZE:
		d->address_size = true;
		break;
	case PREFIX_LOCK:
		d->lock = true;
		break;
	case PREFIX_REPNE:
	case PREFIX_REP:
		d->rep = true;
		break;
	case PREFIX_ES:
	case PREFIX_CS:
	case PREFIX_SS:
	case PREFIX_DS:
	case PREFIX_FS:
	case PREFIX_GS:
		break;
	default:
		if (!rex)
			return false;
	}
	d->rex = rex ? byte : 0;
	return true;
}

static void take_opcode(struct decoder *d)
{
	d->opcode = take(d, 1);
	if (d->opcode == OP_ESCAPE)
		d->opcode = TWO_BYTE(take(d, 1));
}

static struct decoder decoder_at_opcode(const uint8_t *insn, size_t avail, enum cs_mode mode)
{
	struct decoder d = { .insn = insn, .avail = min_u64(avail, INSN_MAX), .mode = mode };

	while (d.pos < d.avail && take_prefix(&d, insn[d.pos]))
		d.pos++;
	take_opcode(&d);
	return d;
}

static uint8_t operand_size(const struct decoder *d)
{
	if (d->rex & REX_W)
		return 8;
	return (d->mode == CS_16) != d->operand_size ? 2 : 4;
}

static uint8_t address_size(const struct decoder *d)
{
	if (d->mode == CS_64)
		return d->address_size ? 4 : 8;
	return (d->mode == CS_16) != d->address_size ? 2 : 4;
}

static size_t displacement16(uint8_t mod, uint8_t rm)
{
	if (mod == MOD_NO_DISP)
		return rm == RM16_DISP16 ? 2 : 0;
	return mod == MOD_DISP8 ? 1 : 2;
}

/* rm, or the SIB's base where there is one: both leave out the register in the same way. */
static size_t displacement32(uint8_t mod, uint8_t base)
{
	if (mod == MOD_NO_DISP)
		return base == RM32_DISP32 ? 4 : 0;
	return mod == MOD_DISP8 ? 1 : 4;
}

/* The address itself is known from the exit: only its length matters. A register operand is no memory access. */
static int take_modrm(struct decoder *d)
{
	uint8_t modrm = take(d, 1), mod = MODRM_MOD(modrm), rm = MODRM_RM(modrm);

	if (mod == MOD_REGISTER)
		return E_INVAL;
	d->reg = MODRM_REG(modrm);
	if (address_size(d) == 2) {
		take(d, displacement16(mod, rm));
		return 0;
	}
	if (rm == RM32_SIB)
		rm = SIB_BASE(take(d, 1));
	take(d, displacement32(mod, rm));
	return 0;
}

/* A memory operand and a register, which has op->reg_size. */
static int take_e_g(struct decoder *d, struct mmio_op *op)
{
	if (take_modrm(d))
		return E_INVAL;
	op->reg = d->reg | (d->rex & REX_R ? REX_EXTENDS : 0);
	if (op->reg_size == 1 && !d->rex && op->reg >= BYTE_REG_HIGH) {
		op->high_byte = true;
		op->reg -= BYTE_REG_HIGH;
	}
	return 0;
}

static void take_imm(struct decoder *d, struct mmio_op *op, size_t n)
{
	op->has_imm = true;
	op->imm = take_signed(d, n);
}

static size_t imm_z(const struct mmio_op *op)
{
	return op->size < 4 ? op->size : 4;
}

static int alu_to_memory(struct mmio_op *op, enum mmio_alu alu)
{
	op->kind = alu == ALU_CMP || alu == ALU_TEST ? MMIO_ALU : MMIO_RMW;
	op->alu = alu;
	op->mem_first = true;
	return 0;
}

static int decode_alu(struct decoder *d, struct mmio_op *op)
{
	if (take_e_g(d, op))
		return E_INVAL;
	if (!(d->opcode & OPCODE_D))
		return alu_to_memory(op, ALU_OF_OPCODE(d->opcode));
	op->kind = MMIO_ALU;
	op->alu = ALU_OF_OPCODE(d->opcode);
	return 0;
}

static int decode_test(struct decoder *d, struct mmio_op *op)
{
	if (take_e_g(d, op))
		return E_INVAL;
	return alu_to_memory(op, ALU_TEST);
}

static int decode_grp1(struct decoder *d, struct mmio_op *op, size_t imm)
{
	if (take_modrm(d))
		return E_INVAL;
	take_imm(d, op, imm);
	return alu_to_memory(op, d->reg);
}

static int decode_grp3(struct decoder *d, struct mmio_op *op)
{
	if (take_modrm(d))
		return E_INVAL;
	switch (d->reg) {
	case GRP3_TEST:
		take_imm(d, op, imm_z(op));
		return alu_to_memory(op, ALU_TEST);
	case GRP3_NOT:
		return alu_to_memory(op, ALU_NOT);
	case GRP3_NEG:
		return alu_to_memory(op, ALU_NEG);
	default:
		return E_INVAL;
	}
}

static int decode_inc_dec(struct decoder *d, struct mmio_op *op)
{
	if (take_modrm(d))
		return E_INVAL;
	switch (d->reg) {
	case GRP45_INC:
		return alu_to_memory(op, ALU_INC);
	case GRP45_DEC:
		return alu_to_memory(op, ALU_DEC);
	default:
		return E_INVAL;
	}
}

static int decode_mov_imm(struct decoder *d, struct mmio_op *op)
{
	if (take_modrm(d) || d->reg != GRP11_MOV)
		return E_INVAL;
	op->kind = MMIO_STORE;
	take_imm(d, op, imm_z(op));
	return 0;
}

static int decode_e_g(struct decoder *d, struct mmio_op *op, enum mmio_kind kind)
{
	op->kind = kind;
	return take_e_g(d, op);
}

/* RAX, and memory that ModRM does not name. */
static int decode_rax(struct decoder *d, struct mmio_op *op, enum mmio_kind kind, size_t moffs)
{
	op->kind = kind;
	op->reg = RAX;
	take(d, moffs);
	return 0;
}

static int decode_extend(struct decoder *d, struct mmio_op *op, enum mmio_ext ext, uint8_t size)
{
	op->kind = MMIO_LOAD;
	op->ext = ext;
	op->size = size;
	op->reg_size = operand_size(d);
	return take_e_g(d, op);
}

/* Outside 64-bit mode this opcode is ARPL. SDM v2, "MOVSXD": "MOVSXD r16, r/m16: Move word to word with
 * sign-extension." */
static int decode_movsxd(struct decoder *d, struct mmio_op *op)
{
	if (d->mode != CS_64)
		return E_INVAL;
	return decode_extend(d, op, EXT_SIGN, imm_z(op));
}

static int decode_opcode(struct decoder *d, struct mmio_op *op)
{
	switch (d->opcode) {
	case OP_GRP1_EB_IB:
	case OP_GRP1_EV_IB:
		return decode_grp1(d, op, 1);
	case OP_GRP1_EV_IZ:
		return decode_grp1(d, op, imm_z(op));
	case OP_TEST_EB_GB:
	case OP_TEST_EV_GV:
		return decode_test(d, op);
	case OP_XCHG_EB_GB:
	case OP_XCHG_EV_GV:
		return decode_e_g(d, op, MMIO_XCHG);
	case OP_MOV_EB_GB:
	case OP_MOV_EV_GV:
		return decode_e_g(d, op, MMIO_STORE);
	case OP_MOV_GB_EB:
	case OP_MOV_GV_EV:
		return decode_e_g(d, op, MMIO_LOAD);
	case OP_MOV_AL_OB:
	case OP_MOV_RAX_OV:
		return decode_rax(d, op, MMIO_LOAD, op->addr_size);
	case OP_MOV_OB_AL:
	case OP_MOV_OV_RAX:
		return decode_rax(d, op, MMIO_STORE, op->addr_size);
	case OP_STOS_B:
	case OP_STOS_V:
		return decode_rax(d, op, MMIO_STOS, 0);
	case OP_LODS_B:
	case OP_LODS_V:
		return decode_rax(d, op, MMIO_LODS, 0);
	case OP_GRP11_EB_IB:
	case OP_GRP11_EV_IZ:
		return decode_mov_imm(d, op);
	case OP_GRP3_EB:
	case OP_GRP3_EV:
		return decode_grp3(d, op);
	case OP_GRP4_EB:
	case OP_GRP5_EV:
		return decode_inc_dec(d, op);
	case OP_MOVSXD_GV_EZ:
		return decode_movsxd(d, op);
	case OP_MOVZX_GV_EB:
		return decode_extend(d, op, EXT_ZERO, 1);
	case OP_MOVZX_GV_EW:
		return decode_extend(d, op, EXT_ZERO, 2);
	case OP_MOVSX_GV_EB:
		return decode_extend(d, op, EXT_SIGN, 1);
	case OP_MOVSX_GV_EW:
		return decode_extend(d, op, EXT_SIGN, 2);
	default:
		return IS_ALU_MODRM(d->opcode) ? decode_alu(d, op) : E_INVAL;
	}
}

/* SDM v2, "LOCK": "An undefined opcode exception (#UD) will also be generated if the LOCK prefix is used with any
 * instruction not in the above list": what reads and writes memory is in it. REP means nothing outside strings. */
static bool prefixes_fit(const struct decoder *d, const struct mmio_op *op)
{
	if (d->lock && op->kind != MMIO_RMW && op->kind != MMIO_XCHG)
		return false;
	return !d->rep || op->kind == MMIO_STOS || op->kind == MMIO_LODS;
}

int mmio_decode(const uint8_t *insn, size_t avail, enum cs_mode mode, struct mmio_op *out)
{
	struct decoder d = decoder_at_opcode(insn, avail, mode);
	struct mmio_op op = { .addr_size = address_size(&d), .rep = d.rep };

	op.size = d.opcode & OPCODE_W ? operand_size(&d) : 1;
	op.reg_size = op.size;
	if (decode_opcode(&d, &op) || d.truncated || !prefixes_fit(&d, &op))
		return E_INVAL;
	op.len = d.pos;
	*out = op;
	return 0;
}

/* The mode does not matter: where REX is no prefix the CPU did not get past it to this opcode. */
uint8_t insn_simple_len(const uint8_t *insn, size_t avail, uint16_t opcode)
{
	struct decoder d = decoder_at_opcode(insn, avail, CS_64);

	return d.truncated || d.lock || d.opcode != opcode ? 0 : d.pos;
}

/* SDM v2, "MOV—Move to/from Control Registers": "The 2 bits in the mod field are ignored."
 * APM v3, "MOV CRn": "CR8 can be read and written in all modes using a LOCK prefix instead of a REX prefix to specify
 * the additional opcode bit." */
uint8_t insn_mov_to_cr(const uint8_t *insn, size_t avail, enum cs_mode mode, uint8_t *cr, uint8_t *gpr)
{
	struct decoder d = decoder_at_opcode(insn, avail, mode);
	uint8_t modrm = take(&d, 1);

	if (d.truncated || d.opcode != OP_MOV_CR_R)
		return 0;
	*cr = MODRM_REG(modrm) | (d.rex & REX_R || d.lock ? REX_EXTENDS : 0);
	*gpr = MODRM_RM(modrm) | (d.rex & REX_B ? REX_EXTENDS : 0);
	return d.pos;
}
