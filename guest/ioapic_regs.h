/* SPDX-License-Identifier: BSD-2-Clause
 * The I/O APIC's registers, by its data sheet.
 * Knows nothing of scenarios. */
#pragma once

#include "rt.h"

#define RTE_VECTOR(v) FIELD(7, 0, v)
#define RTE_MODE(dm) FIELD(10, 8, dm)
#define RTE_LOGICAL BIT64(11)
#define RTE_POLARITY_LOW BIT64(13)
#define RTE_REMOTE_IRR BIT64(14)
#define RTE_LEVEL BIT64(15)
#define RTE_MASKED BIT64(16)
#define RTE_DEST(d) FIELD(63, 56, d)
#define RTE_WRITABLE (MASK(63, 56) | MASK(16, 15) | MASK(13, 13) | MASK(11, 0))

#define REG_ID 0x00
#define REG_VERSION 0x01
#define ID(n) ((uint32_t)FIELD(27, 24, n))
#define ID_FIELD ((uint32_t)MASK(27, 24))
#define VERSION(v) GET_FIELD(7, 0, v)
#define VERSION_MAX_ENTRY(v) GET_FIELD(23, 16, v)
#define EOI_REGISTER (IOAPIC_DEFAULT_PHYS + 0x40)
