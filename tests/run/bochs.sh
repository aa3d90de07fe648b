# SPDX-License-Identifier: BSD-2-Clause
# What the platforms on Bochs share. Sourced by l0/bochs-*.sh with BOCHS_CPU set, into run.sh, which has set dir, image,
# mem and seconds. Knows nothing of what a CPU model can do.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with run.sh

BOCHS=${BOCHS:-bochs}
OVMF=${OVMF:-/usr/share/ovmf/OVMF.fd}
vga_rom=/usr/share/seabios/vgabios-stdvga.bin
# Instructions a second: this is what all of its clocks count. Fewer, and time passes sooner for whoever waits for it.
ips=20000000
firmware=384 most=2048 # MiB
megs=$((mem > 128 ? mem + firmware : 512))

command -v "$BOCHS" >/dev/null || bench "BOCHS=$BOCHS: no such program"
[ -r "$OVMF" ] || bench "OVMF=$OVMF: no such file"
models=$("$BOCHS" --help cpu 2>&1 </dev/null)
[[ $'\n'$models$'\n' == *$'\n'"$BOCHS_CPU"$'\n'* ]] || bench "BOCHS_CPU=$BOCHS_CPU: $BOCHS --help cpu does not list it"
((megs <= most)) || bench "MEM=$mem: Bochs has room for no more than $((most - firmware))"

# COM1 is file descriptor 3. Its standard output is a screen, for which no terminal is needed.
cat >"$dir/bochsrc" <<EOF
display_library: term
config_interface: textconfig
cpu: model=$BOCHS_CPU, count=1, ips=$ips, reset_on_triple_fault=0
megs: $megs
romimage: file="$OVMF", address=0x0
vgaromimage: file=$vga_rom
ata0-master: type=disk, path="$image", mode=flat
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

# It ends with the same exit status whatever happened: see whether Intack has ended it, and what its last line said.
emulator_said() {
	if grep -q 'Shutdown port: shutdown requested' "$dir/bochs.log"; then
		echo "$last_status"
	fi
}
