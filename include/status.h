/* SPDX-License-Identifier: BSD-2-Clause
 * What a function can answer besides success, and how a run can end.
 * Knows nothing of who prints it. */
#pragma once

/* Functions that can fail return 0 or one of these, negative. The names follow errno. */
enum status {
	E_INVAL = -1,  /* an argument is out of range */
	E_EXIST = -2,  /* the place is taken */
	E_NXIO = -3,   /* not in this mode */
	E_NODEV = -4,  /* the machine lacks it */
	E_NOMEM = -5,  /* too little memory */
	E_NOEXEC = -6, /* not a guest image that can be loaded */
	E_NOENT = -7,  /* no such file or page */
	E_IO = -8,     /* the volume failed */
	E_FAULT = -9,  /* the guest's own address is not mapped */
};

/* How a guest ended. EXIT is the guest's own word; all others are ours. */
enum run_end {
	RUN_END_EXIT,      /* wrote its status to the exit port */
	RUN_END_SHUTDOWN,  /* triple fault */
	RUN_END_RESET,     /* reset the machine by one of its ports */
	RUN_END_LIVELOCK,  /* window exits without progress */
	RUN_END_HUNG,      /* halted with nothing left that could wake it */
	RUN_END_DEADLINE,  /* a scenario or the whole run took too long */
	RUN_END_CRASH,     /* something that we do not emulate */
	RUN_END_FAIL_ENTRY /* the CPU refused the guest's state */
};
