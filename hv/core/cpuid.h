/* SPDX-License-Identifier: BSD-2-Clause
 * CPUID's leaves and the fields of them that are no feature.
 * Knows nothing of who shows them. */
#pragma once

#include "bits.h"

#define CPUID_VENDOR 0x0u
#define CPUID_FEATURES 0x1u
#define CPUID_CACHES 0x2u
#define CPUID_CACHE_PARAMETERS 0x4u
#define CPUID_POWER 0x6u
#define CPUID_EXT_FEATURES 0x7u
#define CPUID_TOPOLOGY 0xbu
#define CPUID_XSAVE 0xdu
#define CPUID_HV_VENDOR 0x40000000u
#define CPUID_AMD_MAX 0x80000000u
#define CPUID_AMD_FEATURES 0x80000001u
#define CPUID_AMD_NAME 0x80000002u
#define CPUID_AMD_NAME_LEAVES 3
#define CPUID_AMD_L1 0x80000005u
#define CPUID_AMD_L2 0x80000006u
#define CPUID_AMD_POWER 0x80000007u
#define CPUID_AMD_SIZES 0x80000008u

#define CLFLUSH_SIZE MASK(15, 8)
#define ONE_CPU BIT(16) /* leaf 1 EBX: logical processors */
#define CPUID_1_APIC BIT(9)
#define CPUID_1_OSXSAVE BIT(27)
#define CACHES_IN_LEAF_4 0xff01u
#define CACHE_LEVELS 5
#define TOPOLOGY_SMT 1u
#define TOPOLOGY_CORE 2u
#define TOPOLOGY_TYPE(t) ((uint32_t)FIELD(15, 8, t))
#define TOPOLOGY_LEVEL MASK(7, 0)
#define XSAVE_AVX 2u
#define XSAVE_LEGACY_SIZE 576u /* "Legacy Region of an XSAVE Area" and "XSAVE Header" */
#define AMD_MIRRORED ((uint32_t)(MASK(9, 0) | MASK(17, 12) | MASK(24, 23)))
#define AMD_1_NX BIT(20)
#define LINEAR_BITS 48
#define PHYS_BITS_MAX 52u
#define PHYS_BITS_DEFAULT 36u
