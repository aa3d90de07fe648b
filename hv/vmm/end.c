/* SPDX-License-Identifier: BSD-2-Clause
 * How a run ends: the reason, and the state that proves it, as one line.
 * Knows nothing of what led there but what the vCPU's last return says. */
#include "vmm/end.h"

#include "vmm/fmt.h"
#include "x86.h"

#define VECTOR_SIZE sizeof("none")
#define IF0 "if0: "

void end_run(struct vmm *v, enum run_end why, const char *text)
{
	struct vmm_end *end = &v->end;
	size_t prefix = 0;

	v->ended = true;
	end->end = why;
	if (v->in_scenario)
		prefix = fmt(end->message, sizeof(end->message), "scenario %u %s: ", v->scenario.index, v->scenario.name);
	end->detail = (uint8_t)prefix;
	fmt(end->message + prefix, sizeof(end->message) - prefix, "%s", text);
}

void end_with_state(struct vmm *v, enum run_end why, const char *text)
{
	struct vcpu_dump d;
	char buf[VMM_MESSAGE_SIZE];

	v->cfg.api->dump(v->cfg.h, &d);
	fmt(buf, sizeof(buf), "%s, rip=%#llx halted=%u IF=%u", text, (unsigned long long)d.rip, d.halted || v->halted,
	    (d.rflags & RFLAGS_IF) != 0);
	end_run(v, why, buf);
}

/* Where it ends is not known: these are the bytes at RIP, as many as an instruction can have. */
static size_t fmt_bytes(char *text, size_t size, const struct vcpu_run *run)
{
	size_t n = 0;

	for (unsigned i = 0; i < run->internal.insn_size; i++)
		n += fmt(text + n, size - n, "%s%02x", i ? " " : "", run->internal.insn_bytes[i]);
	return n;
}

static void fmt_emulation(char *text, size_t size, const struct vcpu_run *run)
{
	size_t n = fmt(text, size, "an instruction that is not emulated (");

	n += fmt_bytes(text + n, size - n, run);
	fmt(text + n, size - n, ") accesses gpa=%#llx", (unsigned long long)run->internal.data[0]);
}

void end_check(struct vmm *v, const struct check *c)
{
	char text[VMM_MESSAGE_SIZE];

	fmt(text, sizeof(text), "the hypervisor's own fault, %s:%u: CHECK(%.64s)", c->file, c->line, c->text);
	end_with_state(v, RUN_END_CRASH, text);
}

void end_crash(struct vmm *v)
{
	const struct vcpu_run *run = v->cfg.run;
	unsigned long long a = run->internal.data[0], b = run->internal.data[1];
	char text[VMM_MESSAGE_SIZE];

	switch (run->internal.suberror) {
	case VCPU_ERROR_EMULATION:
		fmt_emulation(text, sizeof(text), run);
		break;
	case VCPU_ERROR_FETCH:
		fmt(text, sizeof(text), "instruction fetch from gpa=%#llx, which is not RAM", a);
		break;
	case VCPU_ERROR_DELIVERY:
		fmt(text, sizeof(text), "event delivery needs gpa=%#llx, which is not RAM", a);
		break;
	case VCPU_ERROR_EXIT:
		fmt(text, sizeof(text), "exit without a handler, code=%#llx info=%#llx", a, b);
		break;
	case VCPU_ERROR_CHECK:
		end_check(v, run->internal.check);
		return;
	default:
		fmt(text, sizeof(text), "internal error %u, data=%#llx,%#llx", run->internal.suberror, a, b);
	}
	end_with_state(v, RUN_END_CRASH, text);
}

/* -1: there is none. */
static void fmt_vector(char text[VECTOR_SIZE], int vector)
{
	if (vector < 0)
		fmt(text, VECTOR_SIZE, "none");
	else
		fmt(text, VECTOR_SIZE, "%#x", (unsigned)vector);
}

void end_livelock(struct vmm *v)
{
	const struct vcpu_run *run = v->cfg.run;
	struct vcpu_dump d;
	char vector[VECTOR_SIZE], rvi[VECTOR_SIZE], text[VMM_MESSAGE_SIZE];

	v->cfg.api->dump(v->cfg.h, &d);
	fmt_vector(vector, run->livelock.lapic_vector);
	fmt_vector(rvi, run->livelock.rvi);
	/* No instruction: neither RIP nor a general register was different at any of the exits. */
	fmt(text, sizeof(text), "window_exits=%llu rip=%#llx lapic_vector=%s rvi=%s stash=%d guest_instructions=0",
	    (unsigned long long)run->livelock.window_exits, (unsigned long long)run->livelock.rip, vector, rvi, d.stash);
	end_run(v, RUN_END_LIVELOCK, text);
}

/* SDM v3, "Checks on Guest RIP, RFLAGS, and SSP": "The IF flag (RFLAGS[bit 9]) must be 1" with an external interrupt to
 * inject. SVM delivers it silently, VMX ends here: it is the same failure. */
void end_fail_entry(struct vmm *v)
{
	unsigned long long reason = v->cfg.run->fail_entry.hardware_entry_failure_reason;
	char text[VMM_MESSAGE_SIZE];

	if (v->cfg.mode == IRQCHIP_USER && v->handed != VMM_NO_VECTOR && !v->cfg.run->if_flag) {
		fmt(text, sizeof(text), IF0 "vector %#x handed over with IF=0, and the CPU refused the entry (reason=%#llx)",
		    (unsigned)v->handed, reason);
		end_run(v, RUN_END_FAIL_ENTRY, text);
		v->end.if0 = true;
		v->end.detail += sizeof(IF0) - 1; /* who asks for the detail knows the verdict */
	} else {
		fmt(text, sizeof(text), "the CPU refused the entry, reason=%#llx", reason);
		end_with_state(v, RUN_END_FAIL_ENTRY, text);
	}
}

void end_shutdown(struct vmm *v)
{
	struct vcpu_dump d;
	char text[VMM_MESSAGE_SIZE];

	v->cfg.api->dump(v->cfg.h, &d);
	fmt(text, sizeof(text), "triple fault at rip=%#llx", (unsigned long long)d.rip);
	end_run(v, RUN_END_SHUTDOWN, text);
}

void end_reset(struct vmm *v, uint16_t port)
{
	char text[VMM_MESSAGE_SIZE];

	fmt(text, sizeof(text), "reset by port %#x", port);
	end_with_state(v, RUN_END_RESET, text);
}

void end_exit(struct vmm *v, uint8_t status)
{
	char text[VMM_MESSAGE_SIZE];

	v->end.exit_status = status;
	fmt(text, sizeof(text), "exit status %u", status);
	end_run(v, RUN_END_EXIT, text);
}
