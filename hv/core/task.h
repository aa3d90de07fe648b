/* SPDX-License-Identifier: BSD-2-Clause
 * A task switch that the CPU has begun and left to us.
 * Knows nothing of which CPU does. */
#pragma once

#include "core/hvm.h"

/* Does it: memory, registers, and the fault that is due, if any; the event of a task gate is delivered with it. True: the user half
 * must be told that it cannot be done. */
bool vcpu_switch_task(struct vcpu *v, const struct hvm_task *how);
