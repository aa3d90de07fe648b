/* SPDX-License-Identifier: BSD-2-Clause
 * The machine's own CPU. A breakpoint instruction enters the signal handler, whose return loads the machine's state into the CPU;
 * the trap or fault behind the one instruction enters it again, and its return is back where the breakpoint was.
 * Knows nothing of the emulator. */
#define _GNU_SOURCE
#include "native.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <asm/ldt.h>
#include <asm/prctl.h>
#endif

#include "x86.h"

const uint8_t arena_kinds[ARENA_PAGES] = {
	PAGE_ABSENT, PAGE_RW, PAGE_RW, PAGE_RO, PAGE_RW, PAGE_ABSENT, PAGE_RO, PAGE_RW, PAGE_RW, PAGE_ABSENT,
	PAGE_CODE, PAGE_ABSENT, PAGE_CODE, PAGE_CODE, PAGE_RW, PAGE_ABSENT,
};

#if defined(__x86_64__)

#define ALT_STACK_SIZE (16 * PAGE_SIZE) /* a frame has all of XSAVE's state */
#define MODIFY_LDT_WRITE 0x11
/* sigcontext's flags: SS is in the frame, and is to be loaded as it is. */
#define UC_SS (BIT(1) | BIT(2))

static struct {
	const struct machine *m; /* NULL: the harness runs */
	struct outcome *out;
	gregset_t host;
	uint64_t host_fs, gs_base; /* gs_base: of 64-bit mode, as it is */
	bool fs_changed;
	uint8_t *arena;
} cpu;

static const uint8_t greg_of[GPRS] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/* AC would strike the handler itself, and libc's thread pointer is away: first the one, then the other. */
void native_on_signal(int sig, siginfo_t *info, void *context);
void native_entry(int sig, siginfo_t *info, void *context);
__asm__(".text\n"
	"native_entry:\n"
	"	pushfq\n"
	"	andl $0xfffbffff, (%rsp)\n"
	"	popfq\n"
	"	jmp native_on_signal\n");

static long raw_syscall(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

static void set_base(int which, uint64_t base)
{
	raw_syscall(SYS_arch_prctl, which, (long)base, 0);
}

static uint64_t cs_and_ss(uint64_t cs, uint64_t ss)
{
	return FIELD(15, 0, cs) | FIELD(63, 48, ss);
}

static void load_segments(const struct machine *m)
{
	__asm__ volatile("mov %0, %%es; mov %1, %%ds" : : "r"(m->selector[SREG_ES]), "r"(m->selector[SREG_DS]));
	cpu.fs_changed = m->mode != CS_64 || m->uses_fs;
	if (m->mode != CS_64) {
		__asm__ volatile("mov %0, %%fs; mov %1, %%gs" : : "r"(m->selector[SREG_FS]), "r"(m->selector[SREG_GS]));
		return;
	}
	if (m->uses_fs)
		set_base(ARCH_SET_FS, m->fs_base);
	if (m->gs_base != cpu.gs_base)
		set_base(ARCH_SET_GS, m->gs_base);
	cpu.gs_base = m->gs_base;
}

static void load_machine(ucontext_t *uc)
{
	const struct machine *m = cpu.m;
	greg_t *g = uc->uc_mcontext.gregs;

	memcpy(cpu.host, g, sizeof(cpu.host));
	for (unsigned i = 0; i < GPRS; i++)
		g[greg_of[i]] = (greg_t)m->gpr[i];
	g[REG_RIP] = (greg_t)m->rip;
	g[REG_EFL] = (greg_t)m->rflags;
	g[REG_CSGSFS] = (greg_t)cs_and_ss(m->selector[SREG_CS], m->selector[SREG_SS]);
	uc->uc_flags |= UC_SS;
	load_segments(m);
}

static void store_outcome(ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	struct outcome *o = cpu.out;
	uint8_t trap = (uint8_t)g[REG_TRAPNO];

	for (unsigned i = 0; i < GPRS; i++)
		o->gpr[i] = (uint64_t)g[greg_of[i]];
	o->rflags = (uint64_t)g[REG_EFL];
	o->rip = (uint64_t)g[REG_RIP] - (trap == VEC_BP);
	o->stepped = trap == VEC_DB;
	o->vector = trap == VEC_DB || trap == VEC_BP ? NO_FAULT : trap;
	o->error = trap == VEC_DB || trap == VEC_BP ? 0 : (uint32_t)g[REG_ERR];
	o->cr2 = trap == VEC_PF ? (uint64_t)g[REG_CR2] : 0;
	memcpy(uc->uc_mcontext.gregs, cpu.host, sizeof(cpu.host));
	uc->uc_flags |= UC_SS;
	cpu.m = NULL;
}

void native_on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	static bool inside;

	(void)info;
	if (!cpu.m) { /* the harness' own fault */
		signal(sig, SIG_DFL);
		return;
	}
	if (!inside) {
		inside = true;
		load_machine(uc);
		return;
	}
	inside = false;
	if (cpu.fs_changed)
		set_base(ARCH_SET_FS, cpu.host_fs);
	store_outcome(uc);
}

/* SDM v3, "Handling Self- and Cross-Modifying Code": code that was written at another linear address than it runs at needs a
 * serializing instruction in between. IRET is one, and the kernel need not return by it. */
static void serialize(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n" /* the red zone */
			 "mov %%rsp, %%rcx\n"
			 "mov %%ss, %%eax\n"
			 "push %%rax\n"
			 "push %%rcx\n"
			 "pushfq\n"
			 "mov %%cs, %%eax\n"
			 "push %%rax\n"
			 "lea 1f(%%rip), %%rax\n"
			 "push %%rax\n"
			 "iretq\n"
			 "1: lea 128(%%rsp), %%rsp" : : : "rax", "rcx", "memory");
}

void native_run(const struct machine *m, struct outcome *out)
{
	cpu.m = m;
	cpu.out = out;
	serialize();
	__asm__ volatile("int3" : : : "memory");
}

uint8_t *native_arena(void) { return cpu.arena; }

void native_set_segment(enum ldt n, const struct hvm_segment *s)
{
	bool pages = s->ar & AR_G, code = s->ar & AR_TYPE_CODE;
	struct user_desc d = {
		.entry_number = n,
		.base_addr = (unsigned)s->base,
		.limit = pages ? s->limit >> PAGE_SHIFT : s->limit,
		.seg_32bit = !!(s->ar & AR_DB),
		.contents = code ? 2 : !!(s->ar & AR_TYPE_EXPAND_DOWN),
		.read_exec_only = !(s->ar & AR_TYPE_WRITABLE),
		.limit_in_pages = pages,
		.useable = 1,
	};

	syscall(SYS_modify_ldt, MODIFY_LDT_WRITE, &d, sizeof(d));
}

static bool map_arena(void)
{
	static const int prot[] = { [PAGE_ABSENT] = PROT_NONE, [PAGE_RW] = PROT_READ | PROT_WRITE, [PAGE_RO] = PROT_READ,
				    [PAGE_CODE] = PROT_READ | PROT_EXEC };
	const size_t size = ARENA_PAGES * PAGE_SIZE;
	int fd = memfd_create("arena", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		return false;
	cpu.arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cpu.arena == MAP_FAILED)
		return false;
	memset(cpu.arena, 0, size); /* so that there is a page to populate the mappings with */
	for (unsigned i = 0; i < ARENA_PAGES; i++) {
		void *at = (void *)(uintptr_t)ARENA_AT(i); /* NOLINT(performance-no-int-to-ptr) */

		if (mmap(at, PAGE_SIZE, prot[arena_kinds[i]], MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, fd,
			 (off_t)(i * PAGE_SIZE)) != at)
			return false;
	}
	close(fd);
	return true;
}

static bool catch_signals(void)
{
	static const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	static uint8_t stack[ALT_STACK_SIZE] __attribute__((aligned(64)));
	const stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sa.sa_sigaction = native_entry;
	if (sigaltstack(&alt, NULL))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &sa, NULL))
			return false;
	return true;
}

/* LAR sets ZF where a selector may be loaded. */
static bool may_load(unsigned selector)
{
	unsigned ar;
	bool ok;

	__asm__("lar %2, %0" : "=r"(ar), "=@ccz"(ok) : "r"(selector));
	return ok && GET_FIELD(14, 13, ar) == CPL_USER;
}

const char *native_start(void)
{
	const struct hvm_segment code = { .limit = UINT16_MAX, .ar = AR_S | AR_P | AR_TYPE_CODE | AR_TYPE_READABLE | AR_DB };

	if (!map_arena())
		return "no memory at the address wanted, or none that is executable";
	if (!catch_signals())
		return "no signal stack";
	if (raw_syscall(SYS_arch_prctl, ARCH_GET_FS, (long)&cpu.host_fs, 0))
		return "arch_prctl is not allowed";
	native_set_segment(LDT_CODE32, &code);
	return NULL;
}

const char *native_has_mode(enum cs_mode mode)
{
	if (mode != CS_64 && !may_load(LDT_SELECTOR(LDT_CODE32)))
		return "the kernel gives no segments of one's own (modify_ldt), or the machine below it none that is not 64-bit";
	return NULL;
}

#else

const char *native_start(void) { return "the CPU is no x86-64"; }
const char *native_has_mode(enum cs_mode mode) { (void)mode; return "the CPU is no x86-64"; }
uint8_t *native_arena(void) { return NULL; }
void native_set_segment(enum ldt n, const struct hvm_segment *s) { (void)n; (void)s; }
void native_run(const struct machine *m, struct outcome *out) { (void)m; (void)out; }

#endif
