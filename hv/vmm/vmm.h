/* SPDX-License-Identifier: BSD-2-Clause
 * The user half: offers interrupts to the vCPU, runs it, serves its exits, and knows when the guest has ended.
 * Knows nothing of how the vCPU is built, of files, and of who prints the lines. */
#pragma once

#include "core/lapic.h"
#include "status.h"
#include "vmm/machine.h"

#define VMM_LINE_MAX 255
#define VMM_MESSAGE_SIZE 160
#define VMM_NO_VECTOR (-1)
/* A vCPU halted for good inside the kernel half is noticed at least this often. */
#define VMM_HANG_POLL NSEC_PER_SEC
/* A write of the guest's TSC, which moves a deadline that is armed, is noticed at least this often. User mode. */
#define VMM_TSC_POLL (10 * NSEC_PER_MSEC)

struct vmm_config {
	const struct vcpu_api *api;
	void *h;               /* the api's own */
	struct vcpu_run *run;  /* shared with the kernel half */
	enum irqchip_mode mode;
	uint64_t deadline;     /* end of the whole run on the api's clock, TIME_NEVER: none */
	uint64_t unix_seconds; /* time of day now */
	uint8_t *ram;          /* guest memory from address 0 */
	uint64_t ram_size;
	bool testdev;          /* QEMU's pc-testdev is there, too */
	struct trace *trace;   /* NULL: off */
};

enum vmm_event {
	VMM_LINE, /* the guest has printed a line: vmm.line */
	VMM_ENDED /* vmm.end says how; every further step says so again */
};

struct vmm_end {
	enum run_end end;
	uint8_t exit_status;            /* RUN_END_EXIT */
	bool if0;                       /* RUN_END_FAIL_ENTRY: because of an external interrupt with IF=0 */
	uint8_t detail;                 /* where in `message` the text behind the scenario's name begins */
	char message[VMM_MESSAGE_SIZE]; /* one line, printable */
};

struct vmm {
	struct vmm_config cfg;
	struct machine machine;
	struct lapic lapic;    /* user mode */
	struct tsc_clock tsc;  /* user mode: the guest's, for the local APIC's TSC-deadline timer */
	bool intr;             /* split mode: the 8259's output as LINT0 had it last */
	uint64_t now;
	bool ready;            /* the last return said so, and nothing was handed over since */
	bool halted;           /* user mode: HLT waits here */
	int kept;              /* acknowledged at the 8259 but refused by the vCPU; VMM_NO_VECTOR */
	int handed;            /* the last vector given to the vCPU, until "ready" says that it has left the mailbox */
	uint64_t intas, windows, refused, spurious;

	struct check check;    /* of the user half's own */
	bool in_scenario;
	struct lab_scenario scenario; /* the last one begun; its texts are printable and terminated */
	uint64_t scenario_deadline;

	char line[VMM_LINE_MAX + 1]; /* VMM_LINE: without CR and LF; valid until the next step */
	bool line_taken;             /* the owner has it */
	bool line_split;             /* it was full before its LF came */
	bool line_cut;               /* the guest ended before its LF came: whatever it says, it does not say it all */
	uint32_t line_len;
	bool ended;
	struct vmm_end end;
};

/* The vCPU and its run structure are reset already. */
void vmm_init(struct vmm *v, const struct vmm_config *cfg);
/* Runs the guest until it has printed a line (longer ones come in pieces of VMM_LINE_MAX) or has ended. What it printed
 * before its end comes first, a line without its LF included. */
enum vmm_event vmm_step(struct vmm *v);
