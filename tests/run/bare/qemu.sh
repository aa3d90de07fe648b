# SPDX-License-Identifier: BSD-2-Clause
# L0=bare-qemu: the guest on QEMU's TCG, loaded by QEMU itself. Sourced by bare.sh, which has set guest and dir.
# Knows nothing of the suite.
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # variables are shared with bare.sh; QEMU wants commas

QEMU=${QEMU:-qemu-system-x86_64}
command -v "$QEMU" >/dev/null || bench "QEMU=$QEMU: no such program"

[[ $("$QEMU" --version 2>&1) =~ emulator\ version\ ([0-9.]+) ]] || bench "QEMU=$QEMU: does not tell its version"
version=${BASH_REMATCH[1]}

prepare() { # WORDS
	emulator=("$QEMU" -machine q35 -accel tcg -cpu max -smp 1 -m 64 -nodefaults -display none -no-reboot -serial stdio
		-device isa-debug-exit,iobase=0xf4 -kernel "$guest" -append "$1")
}
