# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The debug kernel: Debian's linux-source-6.12 with debug.config, built once in the bookworm root, kept as a layer with
# the kernel, its modules and what dkms needs to build for it.

# debug_ready: the layer exists; sets LAYER.
debug_ready() {
	local id input=$RUN_DIR/debug
	# Not the root's own id: more packages there do not make another kernel.
	id=$({ echo "$SUITE"; cat "$VM_DIR"/{debug.config,lib-debug.sh}; } | hash_of)
	mkdir "$input"
	cp "$VM_DIR/debug.config" "$input/"
	[ -e "$CACHE/layers/kernel-debug-$id" ] || say "a debug kernel is built once: ten minutes with two CPUs to itself"
	layer_ready kernel-debug "$id" "$ROOT" "$input" debug_build "$CACHE/kernel-debug"
}

# debug_build DIR: runs in layer-build. DIR keeps what is compiled if the build is cut short, so that it goes on there.
debug_build() {
	KEPT=(boot usr/lib/modules 'usr/src/linux-headers-*')
	mkdir -p "$1"
	mount --bind "$1" "$ROOT/mnt"
	cp -L /etc/resolv.conf "$ROOT/etc/"
	in_root apt-get update
	in_root apt-get install -y --no-install-recommends linux-source-6.12 flex bison libelf-dev libssl-dev
	# shellcheck disable=SC2016
	in_root bash -euxc '
		version=$(dpkg-query -W linux-source-6.12)
		if [ "$(cat /mnt/version)" != "$version" ]; then
			rm -rf /mnt/linux
			mkdir /mnt/linux
			tar xf /usr/src/linux-source-6.12.tar.xz -C /mnt/linux --strip-components=1
			echo "$version" >/mnt/version
		fi
		cd /mnt/linux
		make -s tinyconfig
		scripts/kconfig/merge_config.sh -m .config /tmp/debug.config
		make -s olddefconfig
		# What kconfig dropped is not what was asked for.
		grep -E "^CONFIG|is not set" /tmp/debug.config | while read -r want; do
			name=${want#\# } name=${name%%[= ]*}
			case $want in
			*=n | *"is not set") ! grep -q "^$name=" .config ;;
			*) grep -qxF -- "$want" .config ;;
			esac || { echo "not as asked: $want"; false; }
		done
		make -j"$(nproc)" bzImage modules
		release=$(make -s kernelrelease)
		make -s INSTALL_MOD_STRIP=1 modules_install
		rm -f "/lib/modules/$release/build"
		srctree=. SRCARCH=x86 CC=gcc HOSTCC=gcc MAKE=make scripts/package/install-extmod-build \
			"/usr/src/linux-headers-$release"
		ln -s "/usr/src/linux-headers-$release" "/lib/modules/$release/build"
		cp arch/x86/boot/bzImage "/boot/vmlinuz-$release"
		cp .config "/boot/config-$release"
		rm -rf /mnt/linux /mnt/version'
}
