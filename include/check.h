/* SPDX-License-Identifier: BSD-2-Clause
 * CHECK: what must hold in our own code, whatever the guest, the devices and the other half do. A condition that does not hold
 * is our fault and ends the guest with a verdict that names the line; it never ends the hypervisor.
 * Knows nothing of who reads the record. */
#pragma once

#include "types.h"

/* The first condition that did not hold; line 0: all of them held. The owner's loop looks at it before it goes on. */
struct check {
	const char *file, *text;
	uint32_t line;
};

/* Keeps the first. False. */
bool check_failed(struct check *c, const char *file, uint32_t line, const char *text) __attribute__((cold, noinline));

/* An answer that may also be ignored, where there is nothing to refuse. */
static inline bool check_holds(bool holds) { return holds; }

/* A condition, and what is printed if it does not hold. Answers whether it holds, so that the caller can refuse. `owner` has a
 * member `check`; never NULL. */
#define CHECK(owner, condition) CHECK_SAYS(owner, condition, #condition)
#define CHECK_SAYS(owner, condition, text) \
	check_holds(__builtin_expect(!!(condition), 1) || check_failed(&(owner)->check, __FILE__, __LINE__, text))
