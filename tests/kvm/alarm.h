/* SPDX-License-Identifier: BSD-2-Clause
 * The deadline of a run: a signal that stays blocked but in KVM_RUN, so that it can end nothing else and cannot come
 * too early.
 * Knows nothing of what runs. */
#pragma once

#include "types.h"

struct alarm {
	void *timer;    /* timer_t */
	uint64_t armed; /* for this time, TIME_NEVER: not at all */
};

/* CLOCK_MONOTONIC, ns */
uint64_t alarm_now(void);
/* vcpu: whose KVM_RUN is to end. 0 or -1 with errno. */
int alarm_init(struct alarm *a, int vcpu);
void alarm_fini(struct alarm *a);
/* At the latest: one that is armed for an earlier time stays. */
void alarm_arm(struct alarm *a, uint64_t deadline);
/* KVM_RUN was interrupted: takes the signal back if it has come. */
void alarm_take(struct alarm *a);
