# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The machine: accelerator, file servers, QEMU's command line. Everything of one run lives in RUN_DIR.

VIRTIOFSD=/usr/lib/qemu/virtiofsd

# Emulation does a fast `rep movs` byte by byte, and has to walk a fifth level of page tables.
TCG_CPU=max,-erms,-fsrm,-la57
# Registers that emulation would carry along at each switch of tasks. Where instructions are counted it does not matter.
TCG_LEAN=-avx,-avx2,-mpx,-pku,-pks

# choose_accel: sets ACCEL to kvm or tcg.
choose_accel() {
	case ${DM_QCOW2_ACCEL:-} in
	kvm | tcg) ACCEL=$DM_QCOW2_ACCEL ;;
	'') if kvm_works; then ACCEL=kvm; else ACCEL=tcg; fi ;;
	*) die "DM_QCOW2_ACCEL=$DM_QCOW2_ACCEL: it may be kvm or tcg" ;;
	esac
	((!ICOUNT)) || ACCEL=tcg
}

# That /dev/kvm is there says little: in many small VMs it cannot run a stock kernel. So boot one, once for each boot
# of this host.
kvm_works() {
	local known
	[ -w /dev/kvm ] || return 1
	known=$CACHE/kvm/$({ cat /proc/sys/kernel/random/boot_id; uname -r; echo "$KREL"; } | hash_of)
	[ -e "$known" ] || locked kvm kvm_probe "$known" || die "cannot probe /dev/kvm"
	[ "$(cat "$known")" = yes ]
}

kvm_probe() {
	local known=$1 answer=no log=$RUN_DIR/kvm-console errors=$RUN_DIR/kvm-qemu pid end=$((SECONDS + 20))
	[ ! -e "$known" ] || return 0
	mkdir -p "$CACHE/kvm"
	say "trying whether /dev/kvm runs $KREL ..."
	initrd_of_run 'PROBE=1' true
	setpriv --pdeathsig KILL qemu-system-x86_64 -machine q35,accel=kvm -cpu host -smp 2 -m 512 -nodefaults \
		-display none -no-reboot -serial "file:$log" -kernel "$VMLINUZ" -initrd "$RUN_DIR/initrd" \
		-append 'console=ttyS0 quiet panic=-1' >"$errors" 2>&1 </dev/null &
	pid=$!
	# Where KVM makes it abort, that is the answer, and nothing for bash to report.
	disown "$pid"
	# After an internal error of KVM the guest stands still.
	while kill -0 "$pid" 2>/dev/null && ((SECONDS < end)) && ! grep -qs 'KVM internal error' "$errors"; do
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
	! grep -qs 'vm-probe: works' "$log" || answer=yes
	echo "$answer" >"$known.tmp"
	mv "$known.tmp" "$known"
	say "/dev/kvm: $answer"
}

# initrd_of_run CONFIG WORD...: RUN_DIR/initrd, with the command and what init.sh is to do.
initrd_of_run() {
	local config=$1 own=$RUN_DIR/own
	shift
	rm -rf "$own"
	mkdir -p "$own/vm"
	echo "$config" >"$own/vm/config"
	printf '%s\0' "$@" >"$own/vm/args"
	cp "$INITRD" "$RUN_DIR/initrd"
	(cd "$own" && find . | cpio --quiet -o -H newc) >>"$RUN_DIR/initrd"
}

# serve TAG DIR ro|rw CACHING: a file server for DIR, seen through a mount of its own.
serve() {
	local tag=$1 dir=$2 mode=$3 caching=$4 at=$RUN_DIR/$1.mount socket=$RUN_DIR/$1.sock tries
	mkdir "$at"
	# shellcheck disable=SC2016
	in_private_mounts setpriv --pdeathsig KILL bash -c 'set -e; mount --bind "$1" "$2"
		[ "$3" = rw ] || mount -o remount,bind,ro "$2"
		exec "$4" -f --socket-path="$5" -o source="$2" -o cache="$6" -o log_level=err' \
		- "$dir" "$at" "$mode" "$VIRTIOFSD" "$socket" "$caching" >"$RUN_DIR/$tag.log" 2>&1 </dev/null &
	HELPERS+=("$!")
	for ((tries = 0; ; tries++)); do
		[ ! -S "$socket" ] || break
		if ((tries == 500)) || ! kill -0 "$!" 2>/dev/null; then
			cat "$RUN_DIR/$tag.log" >&2
			die "virtiofsd does not serve $dir"
		fi
		sleep 0.02
	done
	QEMU+=(-chardev "socket,id=$tag,path=$socket" -device "vhost-user-fs-pci,chardev=$tag,tag=$tag")
}

# add_disks: /dev/vda is a placeholder, so that --disk begins with /dev/vdb on any machine.
add_disks() {
	local n=0 size file
	QEMU+=(-blockdev driver=null-co,node-name=vda,size=1048576,read-zeroes=on,read-only=on
		-device virtio-blk-pci,drive=vda,serial=placeholder)
	for size in "${DISKS[@]}"; do
		n=$((n + 1))
		file=$RUN_DIR/disk$n
		truncate -s "$size" "$file" || die "--disk $size: not a size"
		QEMU+=(-blockdev "driver=file,filename=$file,node-name=file$n,discard=unmap,cache.no-flush=on"
			-blockdev "driver=raw,file=file$n,node-name=disk$n,discard=unmap,cache.no-flush=on"
			-device "virtio-blk-pci,drive=disk$n,serial=disk$n")
	done
}

# qemu_command LAYERS: fills QEMU.
qemu_command() {
	local append=(console=ttyS0 panic=-1) port
	QEMU=(setpriv --pdeathsig KILL qemu-system-x86_64)
	if ((ICOUNT)); then
		append+=(nokaslr mitigations=off random.trust_cpu=off quiet)
		QEMU+=(-machine q35,accel=tcg,memory-backend=mem -cpu "$TCG_CPU,-rdrand,-rdseed"
			-icount 'shift=0,sleep=off,align=off' -rtc 'base=2026-01-01,clock=vm' -seed 1)
	else
		# loglevel=5: what is at least a warning goes to the console, the rest only to the log that guest.c sends.
		append+=(loglevel=5 mitigations=off log_buf_len=4M rcupdate.rcu_cpu_stall_timeout=60
			workqueue.watchdog_thresh=60)
		if [ "$ACCEL" = kvm ]; then
			QEMU+=(-machine q35,accel=kvm,memory-backend=mem -cpu host)
		else
			# QEMU may keep a translation of code that another CPU is just patching: it invalidates first and
			# stores then. The kernel patches itself most of all while it starts, so it starts on one CPU,
			# and init.sh brings up the others; otherwise one start in fifty dies of a stale breakpoint.
			append+=(tsc=reliable maxcpus=1)
			# virtiofsd writes to the guest's memory without QEMU's knowledge, which then goes on with the
			# translation of a program that lay in the same page before: without this one start of a
			# program in twelve dies, once the page cache has been dropped. A page that is cleared first is
			# known to have changed. Debian's kernels clear them anyway, the debug kernel does not.
			append+=(init_on_alloc=1)
			QEMU+=(-machine q35,memory-backend=mem -accel 'tcg,thread=multi' -cpu "$TCG_CPU,$TCG_LEAN")
		fi
	fi
	append+=("${APPEND[@]}")
	QEMU+=(-smp "$SMP" -m "$MEM" -object "memory-backend-memfd,id=mem,size=$MEM,share=on"
		-nodefaults -display none -no-reboot
		-kernel "$VMLINUZ" -initrd "$RUN_DIR/initrd" -append "${append[*]}"
		-serial "file:$RUN_DIR/console" -device 'virtio-serial-pci,max_ports=8')
	for port in 1:stdout 2:stderr 3:log; do
		QEMU+=(-chardev "file,id=${port#*:},path=$RUN_DIR/${port#*:}"
			-device "virtserialport,nr=${port%:*},chardev=${port#*:}")
	done
	mkfifo "$RUN_DIR/verdict.in" "$RUN_DIR/verdict.out"
	QEMU+=(-chardev "pipe,id=verdict,path=$RUN_DIR/verdict" -device 'virtserialport,nr=4,chardev=verdict')
	serve cache "$CACHE" ro always
	[ -z "$SHARE" ] || serve share "$SHARE" rw auto
	add_disks
	QEMU+=("${QEMU_ARGS[@]}")
}
