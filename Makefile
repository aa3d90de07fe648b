# SPDX-License-Identifier: BSD-2-Clause
# Intack: one Makefile, the same sources in each flavour, nothing written outside $(O).
O ?= build
ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
LD ?= ld
OBJCOPY ?= objcopy
READELF ?= readelf
EFI_INCLUDE ?= /usr/include/efi
# With the architecture's libraries in testing, with all others before. Looked for when it is used: set-up comes first.
EFI_LIB ?= $(patsubst %/elf_x86_64_efi.lds,%,$(firstword $(shell ls /usr/lib/x86_64-linux-gnu/elf_x86_64_efi.lds \
	/usr/lib/elf_x86_64_efi.lds 2>/dev/null)))
Q := $(if $(V),,@)
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# --- sources ---------------------------------------------------------------------------------------------------------
PURE_SRC := $(wildcard hv/dev/*.c hv/core/*.c hv/vmm/*.c)
X86_SRC := $(wildcard hv/x86/*.c hv/x86/*.S)
BOOT_SRC := $(wildcard boot/*.c boot/*.S)
BOOT_PURE_SRC := boot/config.c boot/config_text.c
PRESET_SRC := tests/efi/preset.c hv/vmm/fmt.c $(addprefix hv/x86/,com1.c emulator.c lapic_hw.c mem.c)
GUEST_SRC := $(wildcard guest/*.c guest/*.S)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
NATIVE_SRC := $(wildcard tests/native/*.c) $(wildcard hv/core/*.c)
KVM_SRC := $(wildcard tests/kvm/*.c) boot/config.c boot/suite.c boot/series.c boot/guest_image.S
TEST_GUESTS := $(patsubst guest/%.S,$(O)/%.elf,$(wildcard guest/hostile/*.S)) $(O)/foreign.elf $(O)/bench.elf $(O)/random.elf

# --- flavours: efi (the hypervisor), host (the tests), guest -----------------------------------------------------------
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wpointer-arith \
	-Wcast-align -Wwrite-strings
CFLAGS_ALL := -std=c11 -g $(WARNINGS) -Iinclude -Ihv -I. $(CFLAGS)
# Interrupts strike the hypervisor on its own stack, and the FPU holds the guest's state while it works.
# The compiler may know memcpy: a copy of a word is then a move. But it must not see strlen in a loop: there is none to call.
NO_IDIOMS := $(shell $(CC) -Werror -fno-tree-loop-distribute-patterns -E -x c /dev/null >/dev/null 2>&1 && \
	echo -fno-tree-loop-distribute-patterns)
FREESTANDING := -O2 -m64 -ffreestanding -fbuiltin $(NO_IDIOMS) -fno-stack-protector -fno-asynchronous-unwind-tables -mno-red-zone \
	-mgeneral-regs-only
FLAGS_efi := $(FREESTANDING) -fpic -fvisibility=hidden -fshort-wchar -DGNU_EFI_USE_MS_ABI \
	-isystem $(EFI_INCLUDE) -isystem $(EFI_INCLUDE)/x86_64 -DGUEST_ELF='"$(O)/guest/guest.elf"'
FLAGS_host := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Itests
# Signal handlers with a thread pointer that is not libc's: nothing in them may ask for a canary.
# And nothing of the program may be in low memory, where random addresses lead.
FLAGS_native := -O2 -fPIE -fsanitize=undefined -fno-sanitize-recover=all -fno-stack-protector
FLAGS_kvm := -O2 -DGUEST_ELF='"$(O)/guest/guest.elf"'
FLAGS_guest := $(FREESTANDING) -fno-pic -fno-pie -mcmodel=small
FLAGS_foreign := $(filter-out -m64,$(FREESTANDING)) -m32 -fno-pic -static -nostdlib -Wl,-Ttext=0x200000,--build-id=none

# objs FLAVOUR,SOURCES
objs = $(patsubst %,$(O)/$(1)/%.o,$(basename $(2)))

define flavour
$(O)/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	@echo "  CC      $$@"
	$(Q)$(CC) $(CFLAGS_ALL) $(FLAGS_$(1)) -MMD -MP -c $$< -o $$@
$(O)/$(1)/%.o: %.S Makefile
	@mkdir -p $$(@D)
	@echo "  CC      $$@"
	$(Q)$(CC) $(CFLAGS_ALL) $(FLAGS_$(1)) -MMD -MP -c $$< -o $$@
endef
$(foreach f,efi host guest kvm native,$(eval $(call flavour,$(f))))

OBJS := $(call objs,efi,$(PURE_SRC) $(X86_SRC) $(BOOT_SRC) $(firstword $(PRESET_SRC))) \
	$(call objs,guest,$(GUEST_SRC) $(wildcard guest/hostile/*.S)) $(call objs,host,$(PURE_SRC) $(BOOT_PURE_SRC) $(UNIT_SRC))

all: $(O)/intack.efi $(O)/preset.efi $(TEST_GUESTS) $(O)/intack-kvm
.PHONY: all image lab lab-short run run-suite compare trace bench setup setup-test clean distclean test unit native native-lab check-pure \
	check-headers budget clang-tidy cppcheck shellcheck fuzz mutants newcomer runner-test bad-input hostile

# --- the guest ---------------------------------------------------------------------------------------------------------
# Linked for 64 bits, then wrapped as the 32-bit ELF that multiboot loaders take.
ifneq ($(GUEST_SRC),)
$(O)/guest/guest64.elf: $(call objs,guest,$(GUEST_SRC)) guest/guest.ld
	@echo "  LD      $@"
	$(Q)$(LD) -m elf_x86_64 -static -nostdlib -z max-page-size=4096 -z noexecstack --build-id=none -T guest/guest.ld \
		-o $@ $(filter %.o,$^)
$(O)/guest/guest.elf: $(O)/guest/guest64.elf
	$(Q)$(OBJCOPY) -O elf32-i386 --strip-debug $< $@
else
$(O)/guest/guest.elf:
	@mkdir -p $(@D)
	: > $@
endif
$(O)/efi/boot/guest_image.o: $(O)/guest/guest.elf

# Guests for the tests: those that misbehave, one that shares nothing with ours, and the benchmark's.
$(O)/hostile/%.elf: $(O)/guest/guest/hostile/%.o guest/guest.ld
	@mkdir -p $(@D)
	$(Q)$(LD) -m elf_x86_64 -static -nostdlib -z noexecstack --build-id=none -T guest/guest.ld -o $@.64 $<
	$(Q)$(OBJCOPY) -O elf32-i386 --strip-debug $@.64 $@
$(O)/foreign.elf $(O)/bench.elf: $(O)/%.elf: tests/guests/%.c include/guest_abi.h
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) -std=c11 $(WARNINGS) $(FLAGS_foreign) -Iinclude -o $@ $<

# The header's file first: it must be within the image's first 8 KiB.
RANDOM_SRC := $(sort $(wildcard guest/hostile/random/*.[cS]))
RANDOM_SRC := $(filter %/entry.S,$(RANDOM_SRC)) $(filter-out %/entry.S,$(RANDOM_SRC))
$(O)/random.elf: $(RANDOM_SRC) guest/hostile/random/random.h
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) -std=c11 $(WARNINGS) $(FLAGS_foreign) -o $@ $(RANDOM_SRC)

# --- the application -----------------------------------------------------------------------------------------------------
# Only these sections reach the image, and the start-up code relocates R_X86_64_RELATIVE alone: look at both.
# Two generations of gnu-efi: up to 3.0 the constants are in .data, and the start-up code calls efi_main; then they have a
# section, and it calls _entry, which is libefi's own way to efi_main. We take nothing else of libefi, so it is the same here.
EFI_SECTIONS := .text .rodata .data .dynamic .rela .reloc
$(O)/intack.so: $(call objs,efi,$(PURE_SRC) $(X86_SRC) $(BOOT_SRC))
$(O)/preset.so: $(call objs,efi,$(PRESET_SRC))
$(O)/intack.so $(O)/preset.so:
	@echo "  LD      $@"
	$(Q)$(LD) -m elf_x86_64 -shared -Bsymbolic -nostdlib -z defs -z noexecstack --build-id=none --no-warn-rwx-segments \
		--defsym=_entry=efi_main -T $(EFI_LIB)/elf_x86_64_efi.lds -o $@ $(EFI_LIB)/crt0-efi-x86_64.o $^ $(EFI_LIB)/libgnuefi.a
	@! $(READELF) -rW $@ | grep R_X86_64_ | grep -v R_X86_64_RELATIVE
	@! $(READELF) -SW $@ | sed 's/^ *\[ *[0-9]*\] *//' | awk '$$7 ~ /A/ { print $$1 }' | \
		grep -vxE '$(subst .,\.,$(subst $() $(),|,$(EFI_SECTIONS)))|\.(gnu\.)?hash|\.dyn(sym|str)|\.eh_frame'

$(O)/intack.efi $(O)/preset.efi: $(O)/%.efi: $(O)/%.so
	$(Q)$(OBJCOPY) $(addprefix -j ,$(EFI_SECTIONS)) --output-target=efi-app-x86_64 --subsystem=10 $< $@

# --- the KVM runner: a static Linux program, so that it runs in any root, and in none ---------------------------------------
$(O)/kvm/boot/guest_image.o: $(O)/guest/guest.elf
$(O)/intack-kvm: $(call objs,kvm,$(PURE_SRC) $(KVM_SRC))
	@echo "  LD      $@"
	$(Q)$(CC) -static -o $@ $^

# --- the reference lab: Linux with KVM, and a QEMU to run it, from Debian's packages ---------------------------------------
# LAB: where it is. LAB_PARTS: the parts of it that are wanted, if not all (tests/lab/lab.sh).
LAB ?= $(O)/lab
export LAB
lab: | setup
	@LAB_PARTS='$(LAB_PARTS)' exec tests/lab/lab.sh
# As much of it as a run takes: L0=kvm-amd-KERNEL, or LAB_KERNEL, and MODULES; Bochs is in the root.
LAB_VIA_QEMU = qemu kernel-$(or $(patsubst kvm-amd-%,%,$(filter kvm-amd-%,$(L0))),$(LAB_KERNEL),6.12)
lab-short: LAB_PARTS := $(if $(filter kvm-intel,$(L0)),kernel-6.1,$(LAB_VIA_QEMU)) $(if $(MODULES),modules)
lab-short: lab

# --- images and runs -----------------------------------------------------------------------------------------------------
image: $(O)/intack.img
$(O)/intack.img: $(O)/intack.efi tests/run/mkimage.sh tests/run/intack.cfg
	tests/run/mkimage.sh $@ $< tests/run/intack.cfg

setup:
	@tests/run/setup.sh run $(if $(filter bochs-% bare-bochs,$(L0) $(BENCH_L0)),bochs) $(filter bare-bochs,$(L0)) \
		$(if $(LAB_FIRST)$(filter lab lab-short newcomer,$(MAKECMDGOALS)),lab)
setup-test:
	@tests/run/setup.sh test

# A platform in the lab makes what it takes of the lab, as other set-up.
LAB_FIRST := $(and $(filter run,$(MAKECMDGOALS)),$(filter nested-kvm kvm-amd-% kvm-intel,$(L0)),$(if $(filter skip,$(SETUP)),,lab-short))
RUN_VARS := L0 RULE IRQCHIP VID ONLY GUEST CMDLINE MODULE SEED TIMEOUT TRACE TESTDEV MEM QEMU OVMF_CODE OVMF_VARS BOCHS BOCHS_CPU OVMF
export $(RUN_VARS)

# A recipe that fails makes Make itself exit with 2, whatever the recipe's status was; people and CI rely on 1 and 3 too.
# So the recipe keeps its status in a file, and a function loaded into Make ends it with that.
ifneq ($(filter run,$(MAKECMDGOALS)),)
-load $(O)/host/exit_status.so
$(OBJS): | setup
endif
$(O)/host/exit_status.so: tests/run/exit_status.c | setup
	@mkdir -p $(@D)
	@$(CC) -shared -fPIC -O1 -o $@ $<

run-suite: $(if $(filter kvm-%,$(L0)),$(O)/intack-kvm,$(O)/intack.efi) | setup $(LAB_FIRST)
	@mkdir -p $(O)/run
	@O='$(O)' tests/run/run.sh; echo $$? > $(O)/run/status
run: run-suite
	$(exit-status $(O)/run/status)@exit "$$(cat $(O)/run/status)"

# The same guest on every platform that this machine can run: build/compare/index.html.
compare: $(O)/intack.efi $(O)/intack-kvm | setup-test
	@O='$(O)' tests/run/compare.sh
# One scenario on two platforms, event by event: ONLY=, PLATFORMS= (docs/trace.md).
trace: $(O)/intack.efi $(O)/intack-kvm | setup-test
	@O='$(O)' tests/run/trace_diff.sh
# What an exit costs: VMREADs and VMWRITEs, counted.
bench: BENCH_L0 := $(or $(L0),bochs-vmx)
bench: | setup
	@O='$(O)' tests/run/bench.sh

# --- tests ---------------------------------------------------------------------------------------------------------------
UNIT := $(patsubst %.c,$(O)/host/%,$(UNIT_SRC))
UNIT_OBJS := $(call objs,host,$(PURE_SRC) $(BOOT_PURE_SRC) $(wildcard hv/x86/*_caps.c hv/x86/*_check.c) $(wildcard tests/fake/*.c))
$(UNIT): %: %.o $(UNIT_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(FLAGS_host) $(filter %.o,$^) -lcmocka -o $@
# What needs a report, or a kernel, is linked where the test plays that part.
$(O)/host/tests/unit/test_lapic_hw: $(call objs,host,hv/x86/lapic_hw.c)
$(O)/host/tests/unit/test_suite $(O)/host/tests/unit/test_series: $(call objs,host,boot/suite.c boot/series.c)
$(O)/host/tests/unit/test_kvm_exit: $(call objs,host,tests/kvm/kvcpu_exit.c)
$(O)/host/tests/unit/test_kvm_routes: $(call objs,host,tests/kvm/routes.c)
$(O)/host/tests/unit/test_kvm_alarm: $(call objs,host,tests/kvm/alarm.c)
# Each test program is independent: two at a time, what they print one behind the other; the worst decides.
unit: $(UNIT)
	@printf '%s\n' $^ | xargs -P 2 -I{} sh -c '{} >{}.log 2>&1'; r=$$?; cat $(addsuffix .log,$^); exit $$r

# The emulator against the machine's own CPU. NATIVE: seconds and, if given, the seed.
NATIVE ?= 6
$(O)/native/oracle: $(call objs,native,$(NATIVE_SRC))
	@echo "  LD      $@"
	$(Q)$(CC) -pie -fsanitize=undefined -o $@ $^
# The same in the lab.
$(O)/native/oracle-static: $(call objs,native,$(NATIVE_SRC))
	@echo "  LD      $@"
	$(Q)$(CC) -static-pie -fsanitize=undefined -o $@ $^
native: $(O)/native/oracle
	@$< $(NATIVE)
native-lab: $(O)/native/oracle-static
	@O='$(O)' tests/run/native_lab.sh

# What the pure parts need from outside: nothing but four functions of memory.
check-pure: $(call objs,efi,$(PURE_SRC))
	@$(LD) -r -o $(O)/pure.o $^
	@! nm -u $(O)/pure.o | grep -vwE 'memcpy|memset|memcmp|memmove|_GLOBAL_OFFSET_TABLE_'
	@! grep -nE '#include [<"](x86/|boot/|efi)' $(PURE_SRC) $(wildcard hv/dev/*.h hv/core/*.h hv/vmm/*.h)
	@! $(READELF) -SW $(O)/pure.o | grep -E ' \.(data|data\.rel|data\.rel\.local|bss) .* 0*[1-9a-f][0-9a-f]* 00 '
# Every header compiles alone; the contracts hold nothing but freestanding C11.
HEADERS := $(wildcard include/*.h hv/*/*.h boot/*.h guest/*.h tests/fake/*.h tests/kvm/*.h tests/native/*.h)
check-headers:
	@for h in $(HEADERS); do $(CC) $(CFLAGS_ALL) $(FLAGS_efi) -fsyntax-only -include $$h -x c /dev/null || exit 1; done
	@for h in include/*.h; do $(CC) -std=c11 -ffreestanding -Iinclude -fsyntax-only -include $$h -x c /dev/null || exit 1; done
budget:
	@tests/lint/budget.sh $(wildcard hv/*/*.[chS] boot/*.[chS] guest/*.[chS] guest/*/*.[chS] guest/hostile/random/*.[chS] include/*.h tests/*/*.[ch])

TIDY_SRC := $(PURE_SRC) $(filter %.c,$(X86_SRC) $(BOOT_SRC) $(GUEST_SRC) $(KVM_SRC)) $(wildcard tests/native/*.c)
clang-tidy:
	@printf '%s\n' $(TIDY_SRC) | xargs -P 2 -n 8 tests/lint/clang-tidy.sh $(filter-out $(NO_IDIOMS),$(CFLAGS_ALL) $(FLAGS_efi)) --
cppcheck:
	@cppcheck --quiet --std=c11 --platform=unix64 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tests/lint/cppcheck --error-exitcode=1 -j 2 -Iinclude -Ihv -I. hv boot guest tests/kvm tests/native
shellcheck:
	@shellcheck -x -P tests/run $(wildcard tests/*/*.sh tests/run/*/*.sh tests/run/compare/columns/*.sh) .ci/run

# The decoder against Zydis, the emulator against the CPU. FUZZ: seconds.
FUZZ ?= 20
$(O)/fuzz/fuzz_decode: tests/fuzz/fuzz_decode.c hv/core/decode.c hv/core/decode.h
	@mkdir -p $(@D)
	$(Q)clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude -Ihv $(filter %.c,$^) \
		-lZydis -o $@
fuzz: $(O)/fuzz/fuzz_decode $(O)/native/oracle
	@cd $(<D) && ./$(<F) -max_len=20 -max_total_time=$(FUZZ)
	@$(O)/native/oracle $(FUZZ) random

test: | setup-test
	@tests/run/test.sh

# The README's two commands in a bare root of Debian: SUITE, COMMANDS, BARE (tests/run/newcomer.sh).
newcomer: | setup
	@O='$(O)' exec tests/run/newcomer.sh

# What `make test` runs of these, alone.
runner-test bad-input: all
	@O='$(O)' tests/run/$(subst -,_,$@).sh
# The hostile guests; N= of random ones behind them, made of SEED; ONLY= one of those alone.
export N GUESTS
hostile: all
	@O='$(O)' tests/run/random.sh --check
	@r=0; $(if $(ONLY),,O='$(O)' tests/run/hostile.sh || r=$$?;) $(if $(N)$(ONLY),O='$(O)' tests/run/random.sh || r=$$?;) exit $$r
# Breaks the rule on purpose and names the tests that notice. Some minutes.
mutants:
	@O='$(O)' tests/run/mutants.sh

# The lab is ten minutes of work and some hundred megabytes of downloads.
clean:
	@[ ! -d $(O) ] || find $(O) -mindepth 1 -maxdepth 1 ! -name lab -exec rm -rf {} +
distclean:
	rm -rf $(O)

-include $(OBJS:.o=.d) $(UNIT_OBJS:.o=.d) $(wildcard $(O)/host/boot/*.d $(O)/host/tests/kvm/*.d $(O)/host/hv/x86/*.d) $(patsubst %.o,%.d,$(call objs,kvm,$(PURE_SRC) $(KVM_SRC)) $(call objs,native,$(NATIVE_SRC)))
