#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# modules.sh FOLDER KERNEL ROOT: KVM's modules of the kernel in the folder KERNEL with vid.patch, as FOLDER/today, and with
# each rule-NAME.patch besides, as FOLDER/NAME: an initramfs that replaces the kernel's own. They are compiled in a root
# that is not kept; ROOT is the lab's.
# Knows nothing of what the patches do.
here=$(dirname "$0")
# shellcheck source=tests/lab/apt.sh
. "$here/apt.sh"

out=$1 root=$(realpath "$3")
read -r image version _ <"$2/.took"
release=$(cat "$2/release")
source=linux-source-$(cut -d . -f 1,2 <<<"$version")
read -r suite compiler gcc_version < <(awk '$1 == "modules" { print $2, $3, $4; exit }' "$here/pins")
lab_lists
took=$(lab_take "$suite" "$compiler" "$gcc_version") || lab_error "$compiler: not in $suite of $LAB_MIRROR"
echo "$took"
read -r compiler gcc_version _ <<<"$took"
include="$compiler=$gcc_version make patch xz-utils ${image/image/headers}=$version $source=$version"
for package in $include; do
	lab_has "$suite" "${package%%=*}" | grep -q . || lab_error "${package%%=*}: not in $suite of $LAB_MIRROR"
done

# --- in the root ---------------------------------------------------------------------------------------------------------
work=$out/work
mkdir -p "$work/lab" "$work/out"
cp "$here"/vid.patch "$here"/rule-*.patch "$work/lab/"
# Outside the kernel's tree: what the Makefile looks for in it is in the copy. The tracepoints' headers are looked for two
# folders up from an include path.
cat >"$work/lab/build.sh" <<EOF
set -eu
cd /lab
tar -xJf /usr/src/$source.tar.xz $source/arch/x86/kvm $source/virt/kvm
cd $source
patch -p1 <../vid.patch
sed -i -e 's,\$(srctree),\$(KBUILD_EXTMOD)/../../..,' arch/x86/kvm/Makefile
echo 'ccflags-y += -I \$(KBUILD_EXTMOD)/../../../virt/kvm' >>arch/x86/kvm/Makefile
build() { # NAME
	make -j$(nproc) -C /usr/src/linux-headers-$release M=\$PWD/arch/x86/kvm CC=$compiler modules
	mkdir -p ../out/\$1/modules
	for module in kvm kvm-amd kvm-intel; do
		strip --strip-debug -o ../out/\$1/modules/\$module.ko arch/x86/kvm/\$module.ko
	done
}
build today
for patch in ../rule-*.patch; do
	name=\${patch#*rule-}
	patch -p1 <\$patch
	build \${name%.patch}
	patch -R -p1 <\$patch
done
EOF
lab_compile "$suite" "${include// /,}" "$work" "$work/out" || lab_error "the modules cannot be made"

# --- what the initramfs is to find in place of its own ---------------------------------------------------------------------
for dir in "$work"/out/*/; do
	(cd "$dir" && find modules | lab_run "$root" cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$out/$(basename "$dir")" ||
		lab_error "$dir: the initramfs cannot be made"
done
for name in today "$here"/rule-*.patch; do
	name=$(basename "${name#*rule-}" .patch)
	[ -s "$out/$name" ] || lab_error "$name: no modules came of it"
done
rm -rf "$work"
