/* SPDX-License-Identifier: BSD-2-Clause
 * How a run ends: the reason, and the state that proves it, as one line.
 * Knows nothing of what led there but what the vCPU's last return says. */
#pragma once

#include "vmm/vmm.h"

/* `text` behind the name of the scenario, if one is open. */
void end_run(struct vmm *v, enum run_end why, const char *text);
/* ... and the vCPU's state behind `text`. */
void end_with_state(struct vmm *v, enum run_end why, const char *text);
void end_exit(struct vmm *v, uint8_t status);
/* A condition of our own does not hold, of either half. */
void end_check(struct vmm *v, const struct check *c);
void end_reset(struct vmm *v, uint16_t port);
/* As the vCPU's last return says: VCPU_EXIT_INTERNAL_ERROR, _LIVELOCK, _FAIL_ENTRY and _SHUTDOWN. */
void end_crash(struct vmm *v);
void end_livelock(struct vmm *v);
void end_fail_entry(struct vmm *v);
void end_shutdown(struct vmm *v);
