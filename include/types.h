/* SPDX-License-Identifier: BSD-2-Clause
 * The freestanding base: integers, guest and host physical addresses, time.
 * Knows nothing of any device or CPU. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two address spaces, two types: mixing them up does not compile. */
typedef struct { uint64_t v; } gpa_t;
typedef struct { uint64_t v; } hpa_t;

#define GPA(x) ((gpa_t){ .v = (uint64_t)(x) })
#define HPA(x) ((hpa_t){ .v = (uint64_t)(x) })

/* Points in time and durations are nanoseconds since the vCPU's clock began. */
#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull
#define TIME_NEVER    UINT64_MAX

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
