/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzes the instruction decoder against Zydis: what it takes must be an instruction of the same length there.
 * Knows nothing of the decoder's inside. Input: one byte of mode, then the instruction. */
#include <stdio.h>
#include <stdlib.h>

#include <Zydis/Zydis.h>

#include "core/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const ZydisMachineMode machine[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
						    ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth stack[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64 };
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction theirs;
	ZydisDecoder decoder;
	struct insn ours;
	enum cs_mode mode;

	if (size < 2)
		return 0;
	mode = (enum cs_mode)(data[0] % 3);
	if (insn_decode(data + 1, size - 1, mode, &ours) || ours.op >= INSN_EXITS)
		return 0;
	ZydisDecoderInit(&decoder, machine[mode], stack[mode]);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, data + 1, size - 1, &theirs, operands)) || theirs.length != ours.len) {
		fprintf(stderr, "mode %u: op %u of %u bytes is not what Zydis has\n", mode, ours.op, ours.len);
		abort();
	}
	return 0;
}
