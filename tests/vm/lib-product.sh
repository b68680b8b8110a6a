# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What is tested: the module, as dkms installs it from the packaged source, and the tool, each in a layer on top of the
# root. A layer is known by the content it was made from, so an unchanged tree needs no work; the newest few are kept.

LAYERS_KEPT=8

# product_ready: the layers exist and LAYERS begins with them.
product_ready() {
	local tree=$RUN_DIR/tree
	take_tree "$tree"
	layer_ready "module-$KREL" "$tree" module_build Makefile Kbuild dkms.conf module
	layer_ready "tool-$SUITE" "$tree" tool_build Makefile Kbuild dkms.conf module userspace
}

# take_tree DIR: a copy, so that what is built is what was hashed although others may be editing. Tracked files and new
# ones, but nothing that is ignored, such as build products.
take_tree() {
	local tree=$1 parts=() part
	for part in Makefile Kbuild dkms.conf module userspace; do
		[ ! -e "$REPO/$part" ] || parts+=("$part")
	done
	((${#parts[@]})) || die "$REPO holds no module and no tool (--bare does without)"
	mkdir "$tree"
	cd "$REPO"
	{
		if [ -e .git ]; then
			git -c safe.directory='*' ls-files -z -co --exclude-standard -- "${parts[@]}"
		else
			find "${parts[@]}" -type f -print0
		fi
	} | while IFS= read -rd '' part; do
		# A tracked file may have been deleted.
		[ ! -e "$part" ] || cp -a --parents -- "$part" "$tree"
	done
	cd "$OLDPWD"
}

# tree_content PART...: names, modes and checksums of the PARTs that are there.
tree_content() {
	local part
	for part in "$@"; do
		[ ! -e "$part" ] || find "$part" -type f -printf '%m ' -exec sha256sum {} \;
	done | sort
}

# layer_ready KIND TREE BUILDER PART...: the layer that BUILDER makes from the PARTs of TREE exists; in LAYERS.
layer_ready() {
	local kind=$1 tree=$2 builder=$3 id layer
	shift 3
	id=$(cd "$tree" && { echo "$kind $ROOT"; cat "$VM_DIR/lib-product.sh"; tree_content "$@"; } | hash_of)
	layer=layers/$kind-$id
	mkdir -p "$CACHE/layers"
	hold "$kind-$id"
	[ -e "$CACHE/$layer/.complete" ] ||
		locked "layer-$kind" layer_make "$kind" "$CACHE/$layer" "$tree" "$builder" || die "no $kind, no VM"
	touch "$CACHE/$layer"
	LAYERS="$layer $LAYERS"
}

layer_make() {
	local kind=$1 layer=$2 tree=$3 builder=$4
	[ ! -e "$layer/.complete" ] || return 0
	step "building $kind" "$CACHE/log/$kind.log" in_private_mounts bash -c '
		set -euo pipefail
		. "$1/lib-common.sh"; . "$1/lib-product.sh"; shift; layer_build "$@"' \
		- "$VM_DIR" "$ROOT" "$KREL" "$layer" "$tree" "$builder" || { rm -rf "$layer.tmp"; return 1; }
	prune "$CACHE/layers/$kind" "$LAYERS_KEPT"
}

# Runs with mounts of its own. What BUILDER changes in the root is gathered in a tmpfs, and kept when it succeeded.
layer_build() {
	local root=$1 krel=$2 layer=$3 tree=$4 builder=$5 at=$4.layer
	rm -rf "$layer" "$layer.tmp"
	mkdir -p "$layer.tmp"
	mkdir -p "$at"
	mount -t tmpfs -o mode=755 layer "$at"
	mkdir "$at/upper" "$at/work" "$at/root"
	modprobe -q overlay || true
	mount -t overlay -o "lowerdir=$root,upperdir=$at/upper,workdir=$at/work" layer "$at/root"
	mount -t proc proc "$at/root/proc"
	mount -t sysfs -o ro sysfs "$at/root/sys"
	mount -t tmpfs tmp "$at/root/tmp"
	cp -a "$tree" "$at/root/tmp/src"
	"$builder" "$at/root" "$krel"
	rm -rf "$at/upper/tmp" "$at/upper/root" "$at/upper/var/log"
	cp -a "$at/upper/." "$layer.tmp/"
	touch "$layer.tmp/.complete"
	mv "$layer.tmp" "$layer"
}

in_root() {
	local root=$1
	shift
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 chroot "$root" "$@"
}

# module_build ROOT KREL: as a user installs it, natively instead of in the guest.
module_build() {
	local root=$1 krel=$2 version
	in_root "$root" make -C /tmp/src dkms-source DESTDIR=/
	version=$(basename "$root"/usr/src/dm-qcow2-*)
	version=${version#dm-qcow2-}
	[ "$version" != '*' ] || { echo "make dkms-source left no /usr/src/dm-qcow2-VERSION"; return 1; }
	if ! in_root "$root" dkms install "dm-qcow2/$version" -k "$krel"; then
		echo "dkms install dm-qcow2/$version -k $krel failed; its log:"
		cat "$root/var/lib/dkms/dm-qcow2/$version/build/make.log" || true
		return 1
	fi
	in_root "$root" modinfo -k "$krel" dm-qcow2
}

tool_build() {
	local root=$1
	in_root "$root" make -C /tmp/src tool
	in_root "$root" make -C /tmp/src install-tool DESTDIR=/ PREFIX=/usr
	in_root "$root" qcowctl --help
}
