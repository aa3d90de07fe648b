#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernel.sh FOLDER PART ROOT: one Debian kernel as FOLDER/vmlinuz, and FOLDER/initrd with what it takes to mount a root by
# virtio-9p and to run KVM.
# Knows nothing of QEMU.
here=$(dirname "$0")
# shellcheck source=tests/lab/apt.sh
. "$here/apt.sh"

out=$1 root=$(realpath "$3")
read -r suite package version < <(awk -v part="$2" '$1 == part { print $2, $3, $4 }' "$here/pins")
lab_lists

# The name of the package changes with the version; the package linux-image-amd64 of a suite names its newest.
newest() {
	local meta
	meta=$(lab_has "$suite" linux-image-amd64 | head -n1)
	lab_apt apt-cache show "linux-image-amd64=$meta" |
		sed -n '/^Depends:/s/.*\(linux-image-[0-9][^ ]*\) (= \([^)]*\)).*/\1 \2/p' | head -n1
}
took=$(lab_take "$suite" "$package" "$version") ||
	took="$(newest) instead of $package $version"
echo "$took"
read -r package version _ <<<"$took"
[[ $package == linux-image-* && -n $version ]] || lab_error "no kernel in $suite of $LAB_MIRROR"

# Debian's newer kernels come in several packages, with linux-image to hold them together.
wanted=()
for name in "$package" "${package/image/base}" "${package/image/binary}" "${package/image/modules}"; do
	! lab_has "$suite" "$name" | grep -qxF "$version" || wanted+=("$name=$version")
done
dir=$out/unpack
mkdir -p "$dir/debs"
(LAB=$(realpath "$LAB") && cd "$dir/debs" && lab_apt apt-get -q download "${wanted[@]}") >&2 ||
	lab_error "cannot download ${wanted[*]}"
for deb in "$dir"/debs/*.deb; do
	dpkg-deb -x "$deb" "$dir" || lab_error "cannot unpack $deb"
done
release=${package#linux-image-}
if [ ! -d "$dir/usr/lib/modules" ]; then
	mkdir -p "$dir/usr/lib" && mv "$dir/lib/modules" "$dir/usr/lib/modules"
fi
rm -rf "${dir:?}/lib" && ln -s usr/lib "$dir/lib"
modules=$dir/usr/lib/modules/$release
for vmlinuz in "$dir/boot/vmlinuz-$release" "$modules/vmlinuz"; do
	[ ! -f "$vmlinuz" ] || cp "$vmlinuz" "$out/vmlinuz"
done
[[ -f $out/vmlinuz && -d $modules ]] || lab_error "$package $version: no kernel in it"
echo "$release" >"$out/release"

# --- the initramfs -------------------------------------------------------------------------------------------------------
# Modules in the order in which they go in, a list for each purpose; /init of the lab reads them.
tree=$out/tree
mkdir -p "$tree"/{bin,modules,proc,sys,dev,root}
cp "$root/usr/bin/busybox" "$tree/bin/"
cp "$here/init" "$tree/init"
chmod 755 "$tree/init"
lab_run "$root" depmod -b "$dir" "$release" || lab_error "depmod failed"
add() { # LIST MODULE...
	local list=$tree/modules/$1 module path name
	shift
	for module; do
		lab_run "$root" modprobe -d "$dir" -S "$release" --show-depends "$module" || lab_error "$package: no module $module"
	done >"$out/paths" || exit
	while read -r path; do
		name=$(basename "${path%%.ko*}")
		case $path in
		*.xz) lab_run "$root" xz -dc "$path" ;;
		*) cat "$path" ;;
		esac >"$tree/modules/$name.ko" || lab_error "$path: cannot be unpacked"
		grep -qxs "$name" "$list" || echo "$name" >>"$list"
	done < <(awk '$1 == "insmod" { print $2 }' "$out/paths")
}
add base virtio_pci 9pnet_virtio 9p msr
add amd kvm-amd
add intel kvm-intel
(cd "$tree" && find . | lab_run "$root" cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$out/initrd" ||
	lab_error "the initramfs cannot be made"
rm -rf "$dir" "$tree" "$out/paths"
