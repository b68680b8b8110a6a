# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What is tested: the module, as dkms installs it from the packaged source, and the tool; a layer each, made from the
# content of the checkout, so that an unchanged tree needs no work and what is not committed is tested.

MODULE_PARTS=(Makefile Kbuild COPYING dkms.conf module userspace/install-source)
TOOL_PARTS=("${MODULE_PARTS[@]}" userspace)

# product_ready: both layers exist and are the top of LAYERS.
product_ready() {
	local tree=$RUN_DIR/tree lower="$CACHE/${LAYERS// / $CACHE/}" tool_id module_id
	take_tree "$tree" || die "cannot read $REPO"
	module_id=$({ echo "$lower $KREL"; tree_content "$tree" "${MODULE_PARTS[@]}"; } | hash_of)
	tool_id=$({ echo "$ROOT"; tree_content "$tree" "${TOOL_PARTS[@]}"; } | hash_of)
	layer_ready "module-$KREL" "$module_id" "$lower" "$tree" module_build "$KREL"
	LAYERS="$LAYER $LAYERS"
	layer_ready "tool-$SUITE" "$tool_id" "$ROOT" "$tree" tool_build
	LAYERS="$LAYER $LAYERS"
}

# take_tree DIR: a copy, so that what is built is what was hashed although others may be editing. Tracked files and new
# ones, but nothing that is ignored, such as build products.
take_tree() {
	local tree=$1
	mkdir "$tree"
	cd "$REPO" || return 1
	{
		if [ -e .git ]; then
			git -c safe.directory='*' ls-files -z -co --exclude-standard -- "${TOOL_PARTS[@]}"
		else
			find . -path './.*' -prune -o -type f -printf '%P\0' | grep -zE "^($(IFS='|'; echo "${TOOL_PARTS[*]}"))"
		fi
	} | while IFS= read -rd '' part; do
		# A tracked file may have been deleted.
		[ ! -e "$part" ] || cp -a --parents -- "$part" "$tree"
	done
	cd "$OLDPWD" || return 1
}

# tree_content TREE PART...: names, modes and checksums of the PARTs that are there, and how they are built.
tree_content() {
	local part
	cat "$VM_DIR"/{lib-product.sh,layer-build}
	cd "$1" || return 1
	shift
	for part in "$@"; do
		[ ! -e "$part" ] || find "$part" -type f -printf '%m ' -exec sha256sum {} \;
	done | sort
	cd "$OLDPWD" || return 1
}

# The builders run in layer-build.

# module_build KREL: as a user installs it, but natively, not in the guest.
module_build() {
	local krel=$1 version
	in_root make -C /tmp dkms-source DESTDIR=/
	version=$(basename "$ROOT"/usr/src/dm-qcow2-*)
	version=${version#dm-qcow2-}
	[ "$version" != '*' ] || { echo "make dkms-source left no /usr/src/dm-qcow2-VERSION"; return 1; }
	if ! in_root dkms install "dm-qcow2/$version" -k "$krel"; then
		echo "dkms install dm-qcow2/$version -k $krel failed; its log:"
		cat "$ROOT/var/lib/dkms/dm-qcow2/$version/build/make.log" || true
		return 1
	fi
	in_root modinfo -k "$krel" dm-qcow2
}

tool_build() {
	in_root make -C /tmp tool
	in_root make -C /tmp install-tool DESTDIR=/ PREFIX=/usr
	in_root sh -c 'command -v qcowctl'
}
