#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes a bootable disk image: GPT with one EFI system partition that holds intack.efi, its configuration and files.
# usage: mkimage.sh IMAGE INTACK.EFI INTACK.CFG [FILE=PATH-ON-VOLUME]...
# BOOT=no leaves \EFI\BOOT\BOOTX64.EFI out, so that the firmware starts its shell instead.
set -euo pipefail

# The same input makes the same bytes.
disk_id=1A7ACC00-0000-4000-8000-000000000001
part_id=1A7ACC00-0000-4000-8000-000000000002
volume_id=1A7ACC00
export MTOOLS_SKIP_CHECK=1

image=$1 efi=$2 cfg=$3
shift 3
sectors_per_mib=2048
size=48
for f in "$@"; do
	bytes=$(stat -L -c %s "${f%%=*}")
	size=$((size + bytes / 1048576 + 1))
done

tmp=$image.tmp
rm -f "$tmp"
truncate -s "${size}M" "$tmp"
sectors=$(((size - 2) * sectors_per_mib))
sfdisk -q "$tmp" <<EOF
label: gpt
label-id: $disk_id
start=$sectors_per_mib, size=$sectors, type=uefi, uuid=$part_id, name=INTACK
EOF

volume=$tmp@@1M
mformat -i "$volume" -T "$sectors" -h 64 -s 32 -H "$sectors_per_mib" -F -c 1 -N "$volume_id" -v INTACK ::
mmd -i "$volume" ::/EFI ::/EFI/BOOT ::/intack
[ "${BOOT:-yes}" = no ] || mcopy -m -i "$volume" "$efi" ::/EFI/BOOT/BOOTX64.EFI
mcopy -m -i "$volume" "$efi" ::/intack.efi
mcopy -m -i "$volume" "$cfg" ::/intack/intack.cfg
for f in "$@"; do
	mcopy -m -i "$volume" "${f%%=*}" "::/${f#*=}"
done
mv "$tmp" "$image"
