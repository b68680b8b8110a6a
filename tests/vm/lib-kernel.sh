# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Which root a kernel lives in, and the initramfs that carries it there.

# kernel_ready KERNEL: sets SUITE, ROOT, LAYERS, KERNEL_DIR (what holds boot and lib/modules), KREL (the release) and
# VMLINUZ.
kernel_ready() {
	local version=$1
	case $version in
	6.1 | 6.12) SUITE=bookworm ;;
	7.2) SUITE=trixie ;;
	debug) SUITE=bookworm version=6.12 ;;
	*) die "--kernel $1: there are 6.1, 6.12, 7.2 and debug" ;;
	esac
	root_ready "$SUITE" || die "no $SUITE root, no VM"
	ROOT=$(root_path "$SUITE")
	LAYERS=${ROOT#"$CACHE"/}
	KERNEL_DIR=$ROOT
	if [ "$1" = debug ]; then
		debug_ready
		KERNEL_DIR=$CACHE/$LAYER
		LAYERS="$LAYER $LAYERS"
	fi
	VMLINUZ=$(printf '%s\n' "$KERNEL_DIR/boot/vmlinuz-$version".* | sort -V | tail -n 1)
	[ -e "$VMLINUZ" ] || die "no kernel $1 in $KERNEL_DIR/boot"
	KREL=${VMLINUZ##*/vmlinuz-}
}

# initrd_ready: sets INITRD, the initramfs of the kernel; what one run adds is appended to a copy of it.
initrd_ready() {
	local id
	id=$({ echo "$KERNEL_DIR $KREL"; cat "$VM_DIR"/{guest.c,init.sh,lib-kernel.sh}; } | hash_of)
	INITRD=$CACHE/initrd/$KREL-$id.cpio
	[ -e "$INITRD" ] || locked "initrd-$KREL" initrd_make || die "no initramfs for $KREL"
}

initrd_make() {
	[ ! -e "$INITRD" ] || return 0
	mkdir -p "$CACHE/initrd"
	step "making the initramfs for $KREL" "$CACHE/log/initrd-$KREL.log" initrd_build || return 1
	prune "$CACHE/initrd/$KREL" 4
}

initrd_build() (
	set -euo pipefail
	tmp=$(mktemp -d "$CACHE/initrd/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	mkdir -p "$tmp/root/bin" "$tmp/root/vm"
	cd "$tmp/root"
	cp "$ROOT/bin/busybox" bin/
	cp "$VM_DIR/init.sh" init
	chmod 755 init
	gcc -static -O2 -Wall -o vm/guest "$VM_DIR/guest.c"
	for module in virtio_pci virtiofs overlay virtio_console virtio_blk; do
		modprobe -d "$KERNEL_DIR/usr" -S "$KREL" --show-depends "$module"
	done >"$tmp/modules"
	: >vm/modules
	while read -r kind file _; do
		[ "$kind" = insmod ] || continue
		name=$(basename "$file")
		name=${name%%.ko*}.ko
		[ ! -e "vm/$name" ] || continue
		case $file in
		*.xz) xz -dc "$file" >"vm/$name" ;;
		*.zst) zstd -qdc "$file" >"vm/$name" ;;
		*) cp "$file" "vm/$name" ;;
		esac
		echo "$name" >>vm/modules
	done <"$tmp/modules"
	find . | cpio --quiet -o -H newc -R 0:0 >"$tmp/initrd"
	mv "$tmp/initrd" "$INITRD"
)
