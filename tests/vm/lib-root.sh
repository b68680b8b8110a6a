# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Host packages, and the Debian roots that the guests run on: one directory a release, made by mmdebstrap, never
# changed after.

MIRROR=${DM_QCOW2_MIRROR:-http://deb.debian.org/debian}
SECURITY=${DM_QCOW2_SECURITY_MIRROR:-http://deb.debian.org/debian-security}

# command:package pairs the host needs.
HOST_NEEDS=(
	qemu-system-x86_64:qemu-system-x86 /usr/lib/qemu/virtiofsd:qemu-system-common mmdebstrap:mmdebstrap
	cpio:cpio xz:xz-utils zstd:zstd modprobe:kmod gcc:gcc make:make /usr/lib/x86_64-linux-gnu/libc.a:libc6-dev
	/usr/share/keyrings/debian-archive-trixie-stable.gpg:debian-archive-keyring
)

ROOT_PACKAGES=(
	# what installs the module and builds the tool
	dkms gcc make pkg-config libc6-dev libdevmapper-dev libjson-c-dev liburcu-dev zlib1g-dev libzstd-dev
	# what the tests call
	kmod dmsetup lvm2 udev util-linux mount fdisk gdisk parted kpartx e2fsprogs xfsprogs btrfs-progs cryptsetup-bin fio
	qemu-utils strace procps psmisc lsof jq bc file python3-minimal zstd xxd iproute2 attr
	# the first steps of the guest
	busybox-static
)

have() { command -v "$1" >/dev/null || [ -e "$1" ]; }

host_packages() {
	local need missing=()
	for need in "${HOST_NEEDS[@]}"; do
		have "${need%%:*}" || missing+=("${need##*:}")
	done
	((${#missing[@]})) || return 0
	[ "$(id -u)" = 0 ] || die "run as root: ${missing[*]} must be installed"
	locked apt step "installing ${missing[*]}" "$CACHE/log/apt.log" install_host "${missing[@]}" ||
		die "cannot install ${missing[*]}"
}

install_host() {
	local opts=(-y --no-install-recommends -o DPkg::Lock::Timeout=600)
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	apt-get "${opts[@]}" install "$@"
}

# The apt sources of a root: bookworm has 6.1 and, in its security suite, 6.12; trixie-backports has 7.2.
root_sources() {
	local suite=$1 ring=/usr/share/keyrings/debian-archive-keyring.gpg
	echo "deb [signed-by=$ring] $MIRROR $suite main"
	echo "deb [signed-by=$ring] $MIRROR $suite-updates main"
	echo "deb [signed-by=$ring] $SECURITY $suite-security main"
	[ "$suite" != trixie ] || echo "deb [signed-by=$ring] $MIRROR $suite-backports main"
}

# The kernels of bookworm have packages with lasting names.
root_kernels() {
	[ "$1" != bookworm ] || echo linux-image-cloud-amd64 linux-headers-cloud-amd64 \
		linux-image-6.12-cloud-amd64 linux-headers-6.12-cloud-amd64
}

# 7.2 has none: what names it today will name its successor tomorrow. So the newest 7.2 is looked up, by its own name.
# shellcheck disable=SC2016
root_hook() {
	[ "$1" = trixie ] || { echo true; return; }
	echo 'set -eu
		image=$(chroot "$1" apt-cache pkgnames linux-image-7.2. |
			grep -Ex "linux-image-7\.2\.[0-9]+\+deb13-cloud-amd64" | sort -V | tail -n 1)
		[ -n "$image" ] || { echo "no 7.2 kernel in trixie-backports"; exit 1; }
		chroot "$1" apt-get install -y -t trixie-backports "$image" "linux-headers-${image#linux-image-}"'
}

root_path() {
	local suite=$1 id
	id=$({ root_kernels "$suite"; root_hook "$suite"; root_sources "$suite"; echo "${ROOT_PACKAGES[*]}"; } | hash_of)
	echo "$CACHE/roots/$suite-$id"
}

# root_ready SUITE: the root of SUITE exists.
root_ready() {
	local suite=$1 path
	path=$(root_path "$suite")
	mkdir -p "$CACHE/lock" "$CACHE/roots"
	hold "${path##*/}"
	[ -e "$path/.complete" ] || locked "root-$suite" root_make "$suite" "$path"
}

root_make() {
	local suite=$1 path=$2
	[ ! -e "$path/.complete" ] || return 0
	host_packages
	rm -rf "$path"
	step "making the $suite root with mmdebstrap" "$CACHE/log/root-$suite.log" \
		root_mmdebstrap "$suite" "$path" || { rm -rf "$path"; return 1; }
	touch "$path/.complete"
	prune "$CACHE/roots/$suite" 1
}

root_mmdebstrap() {
	local suite=$1 path=$2 include
	include="${ROOT_PACKAGES[*]} $(root_kernels "$suite")"
	# INITRD=No: nobody boots from the initramfs that a kernel package would make.
	root_sources "$suite" | INITRD=No mmdebstrap --mode=root --variant=apt --format=directory --include="$include" \
		--aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="$(root_hook "$suite")" \
		--customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname; echo vm >"$1"/etc/hostname' \
		"$suite" "$path" -
}
