#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# qemu.sh FOLDER ROOT: the QEMU of the root ROOT once more, from its source with tests/lab/qemu.patch, and with little more
# than what boot.sh uses, as FOLDER/qemu-system-x86_64. It is compiled in a root that is not kept, and runs on the
# libraries and the firmware of ROOT.
# Knows nothing of what the patch does.
here=$(dirname "$0")
# shellcheck source=tests/lab/apt.sh
. "$here/apt.sh"

out=$1
read -r _ version _ < <(grep '^qemu-system-x86 ' "$2/.took")
suite=$(awk '$1 == "root" { print $2; exit }' "$here/pins")
lab_lists
work=$out/work
mkdir -p "$work/lab"
(LAB=$(realpath "$LAB") && cd "$work/lab" && lab_apt apt-get -q source --download-only "qemu=$version") >&2 ||
	lab_error "the source of qemu $version cannot be had from $LAB_MIRROR"
echo "qemu $version"
cp "$here/qemu.patch" "$work/lab/"

# The board, its serial lines and the devices of boot.sh. Less optimization is a minute less here, and none more there: most
# of what runs is code that QEMU itself makes.
cat >"$work/lab/build.sh" <<EOF
set -eu
cd /lab
dpkg-source --no-check -x qemu_*.dsc source
patch -d source -p1 <qemu.patch
printf 'CONFIG_%s=y\n' Q35 SERIAL_ISA ISA_DEBUG VIRTIO_PCI VIRTIO_9P >source/configs/devices/x86_64-softmmu/lab.mak
mkdir source/b
cd source/b
../configure --target-list=x86_64-softmmu --without-default-features --without-default-devices \
	--with-devices-x86_64=lab --with-pkgversion='Debian $version, tests/lab/qemu.patch' --enable-system --enable-tcg \
	--enable-virtfs --enable-attr --enable-cap-ng --disable-download --disable-docs --disable-tools \
	--disable-install-blobs --disable-relocatable --disable-debug-info --enable-trace-backends=nop -Doptimization=1
ninja -j $(nproc) qemu-system-x86_64
mkdir -p /lab/out
strip -o /lab/out/qemu-system-x86_64 qemu-system-x86_64
EOF
packages=gcc,libc6-dev,make,ninja-build,meson,python3-venv,pkg-config,dpkg-dev,patch,xz-utils,flex,bison,libglib2.0-dev
packages+=,libattr1-dev,libcap-ng-dev,zlib1g-dev,libfdt-dev
lab_compile "$suite" "$packages" "$work" "$out" || lab_error "QEMU cannot be made"
[ -x "$out/qemu-system-x86_64" ] || lab_error "no QEMU came of it"
rm -rf "$work"
