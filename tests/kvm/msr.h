/* SPDX-License-Identifier: BSD-2-Clause
 * One MSR of a vCPU.
 * Knows nothing of what it means. */
#pragma once

#include <stdint.h>

/* 0 or -1. */
int msr_get(int vcpu, uint32_t index, uint64_t *val);
int msr_set(int vcpu, uint32_t index, uint64_t val);
