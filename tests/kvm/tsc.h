/* SPDX-License-Identifier: BSD-2-Clause
 * The TSC against time, on this machine and in a guest.
 * Knows nothing of timers. */
#pragma once

#include "core/lapic.h"

/* The machine's own TSC against alarm_now(), measured; takes a tenth of a second. What the kernel believes of the TSC is no
 * substitute: KVM_GET_TSC_KHZ may be from before the kernel refined it, and a clock that is wrong by a hundred millionths is
 * wrong by milliseconds after a minute. */
void tsc_measure(struct tsc_clock *host);
uint64_t tsc_khz(const struct tsc_clock *c);
/* Sets the guest's, before it runs for the first time: the same rate, from now on. 0 or -1. */
int tsc_of_guest(int vcpu, const struct tsc_clock *host, struct tsc_clock *guest);
/* Right behind an exit: if the guest has written its TSC, the clock follows. 0 or -1. */
int tsc_follow_guest(int vcpu, struct tsc_clock *guest);
