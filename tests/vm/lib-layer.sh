# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Layers: directories that lie on top of a root, each made by one builder in a root that stays as it was, and named
# after the content it was made from. The newest few of a kind are kept.

# layer_ready KIND ID LOWER INPUT BUILDER [ARG...]: the layer exists; sets LAYER. LOWER: the directories below it, from
# the top down. INPUT: what the builder finds at /tmp and may write to.
layer_ready() {
	local kind=$1 id=$2
	shift 2
	LAYER=layers/$kind-$id
	mkdir -p "$CACHE/layers"
	hold "$kind-$id"
	if [ ! -e "$CACHE/$LAYER/.complete" ]; then
		locked "layer-$kind" layer_make "$kind" "$@" || die "no $kind, no VM"
	fi
	touch "$CACHE/$LAYER"
}

layer_make() {
	local kind=$1 lower=$2 input=$3 work=$RUN_DIR/layer
	shift 3
	[ ! -e "$CACHE/$LAYER/.complete" ] || return 0
	modprobe -q overlay || true
	rm -rf "$work" "$CACHE/$LAYER"
	mkdir "$work"
	cp -a "$input" "$work/input"
	step "building $kind" "$CACHE/log/$kind.log" \
		in_private_mounts "$VM_DIR/layer-build" "$work" "${lower// /:}" "$@" || return 1
	touch "$work/out/.complete"
	mv "$work/out" "$CACHE/$LAYER"
	rm -rf "$work"
	prune "$CACHE/layers/$kind" 8
}
