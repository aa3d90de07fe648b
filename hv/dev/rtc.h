/* SPDX-License-Identifier: BSD-2-Clause
 * MC146818 RTC and CMOS RAM: index/data ports, time of day, periodic, alarm and update interrupts.
 * Knows nothing of calendars outside its own registers and nothing of who set its clock. */
#pragma once

#include "bits.h"
#include "types.h"

#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define RTC_NMI_OFF BIT(7) /* of RTC_INDEX: a PC's NMI gate */
#define RTC_IRQ 8

enum rtc_reg {
	RTC_SECONDS,
	RTC_SECONDS_ALARM,
	RTC_MINUTES,
	RTC_MINUTES_ALARM,
	RTC_HOURS,
	RTC_HOURS_ALARM,
	RTC_DAY_OF_WEEK, /* 1 is Sunday */
	RTC_DATE,
	RTC_MONTH,
	RTC_YEAR,
	RTC_A,
	RTC_B,
	RTC_C,
	RTC_D,
	RTC_RAM /* the first byte of general purpose RAM */
};

#define RTC_HOURS_PM BIT(7)
#define RTC_ALARM_ANY 0xc0 /* an alarm byte with both bits set matches always */
#define RTC_A_RS 0x0f
#define RTC_A_DV(dv) FIELD(6, 4, dv)
#define RTC_A_UIP BIT(7)
#define RTC_DV_32768HZ 2 /* the highest value that lets the divider run */
#define RTC_DV_RESET 6
#define RTC_B_24H BIT(1)
#define RTC_B_DM BIT(2) /* 1 = binary, 0 = BCD */
#define RTC_B_UIE BIT(4)
#define RTC_B_AIE BIT(5)
#define RTC_B_PIE BIT(6)
#define RTC_B_SET BIT(7)
#define RTC_C_UF BIT(4)
#define RTC_C_AF BIT(5)
#define RTC_C_PF BIT(6)
#define RTC_C_IRQF BIT(7)
#define RTC_D_VRT BIT(7)

struct rtc {
	uint8_t index;
	bool nmi_off;          /* RTC_NMI_OFF as last written: whose NMI that is is the machine's to know */
	uint8_t ram[128];
	bool raw;              /* the time registers in `ram` are the guest's own, not counted on since */
	uint8_t weekday_shift; /* the guest's day of the week, less the calendar's */
	uint64_t base_time;    /* ns at which base_seconds was true: the last second of the divider; may wrap below 0 */
	uint64_t base_seconds; /* seconds since 1970 */
	uint64_t now;
	uint64_t periodic_next; /* ns of the next periodic tick, TIME_NEVER if off */
	uint64_t update_next;   /* ns of the next second, TIME_NEVER while the divider is held in reset */
};

/* unix_seconds: time of day at `now`. */
void rtc_reset(struct rtc *r, uint64_t now, uint64_t unix_seconds);
/* Moves to `now`; after it rtc_intr() is right. */
void rtc_advance(struct rtc *r, uint64_t now);
bool rtc_intr(const struct rtc *r); /* register C, IRQF */
/* Next time an enabled interrupt can be raised; TIME_NEVER while one is: the line is high until register C is read. */
uint64_t rtc_deadline(const struct rtc *r);
/* Ports as above; others read all ones and ignore writes. The caller advances first. */
uint8_t rtc_read(struct rtc *r, uint16_t port);
void rtc_write(struct rtc *r, uint16_t port, uint8_t val);
