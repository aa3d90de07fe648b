# SPDX-License-Identifier: BSD-2-Clause
# L0=bare-bochs: the guest on Bochs, which has no loader for it: GRUB is one, all of it and the guest in its core image.
# Sourced by bare.sh, which has set guest and dir. Knows nothing of the suite.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with bare.sh

BOCHS=${BOCHS:-bochs}
BOCHS_CPU=${BOCHS_CPU:-corei7_haswell_4770}
BOCHS_BIOS=${BOCHS_BIOS:-/usr/share/bochs/BIOS-bochs-latest}
GRUB=${GRUB:-/usr/lib/grub/i386-pc}
GRUB_MKIMAGE=${GRUB_MKIMAGE:-grub-mkimage}
vga_rom=/usr/share/seabios/vgabios-stdvga.bin
# Instructions a second: this is what all of its clocks count.
ips=20000000
image_mib=2

for program in BOCHS GRUB_MKIMAGE; do
	command -v "${!program}" >/dev/null || bench "$program=${!program}: no such program"
done
for file in BOCHS_BIOS GRUB/boot.img GRUB/multiboot.mod; do
	path=${file%%/*}
	path=${!path}${file#"${file%%/*}"}
	[ -r "$path" ] || bench "$path: no such file"
done
models=$("$BOCHS" --help cpu 2>&1 </dev/null)
[[ $'\n'$models$'\n' == *$'\n'"$BOCHS_CPU"$'\n'* ]] || bench "BOCHS_CPU=$BOCHS_CPU: $BOCHS --help cpu does not list it"
[[ $models =~ Bochs\ x86\ Emulator\ ([0-9.]+) ]] || bench "BOCHS=$BOCHS: does not tell its version"
version=${BASH_REMATCH[1]}

# boot.img loads what is behind it on the disk; the core image holds the guest as a memory disk, so no file system is read.
make_image() { # WORDS
	tar -C "$(dirname "$guest")" -cf "$dir/memdisk.tar" guest.elf &&
		printf '%s\n' "multiboot (memdisk)/guest.elf '${1// /\' \'}'" boot >"$dir/grub.cfg" &&
		"$GRUB_MKIMAGE" -O i386-pc -d "$GRUB" -p / -c "$dir/grub.cfg" -m "$dir/memdisk.tar" -o "$dir/core.img" \
			biosdisk memdisk tar multiboot &&
		cat "$GRUB/boot.img" "$dir/core.img" >"$dir/disk.img" && truncate -s "${image_mib}M" "$dir/disk.img"
}

# COM1 is file descriptor 3. Its standard output is a screen, for which no terminal is needed.
prepare() { # WORDS
	rm -f "$dir/disk.img.lock"
	make_image "$1" 2>"$dir/grub.log" || bench "the disk image cannot be made: see $dir/grub.log"
	cat >"$dir/bochsrc" <<-EOF
		display_library: term
		config_interface: textconfig
		cpu: model=$BOCHS_CPU, count=1, ips=$ips, reset_on_triple_fault=0
		megs: 64
		romimage: file="$BOCHS_BIOS"
		vgaromimage: file=$vga_rom
		ata0-master: type=disk, path="$dir/disk.img", mode=flat
		boot: disk
		com1: enabled=1, mode=file, dev=/dev/fd/3
		sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
		log: "$dir/bochs.log"
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
	EOF
	# Debian's has the debugger, which waits for a word before it starts.
	echo continue >"$dir/debugger"
	# shellcheck disable=SC2016 # the words are the inner shell's
	emulator=(env TERM=vt100 sh -c 'screen=$1 && shift && exec "$@" 3>&1 >"$screen"' bochs "$dir/screen.log"
		"$BOCHS" -q -f "$dir/bochsrc" -rc "$dir/debugger")
}
