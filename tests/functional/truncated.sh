# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: files cut short, anywhere, read as qemu-img reads them or are refused as it refuses them, and are not touched
# needs: vm 6.1 6.12 7.2

truncate -s 3M "$T/raw"
fill "$T/raw" 0 3M
qemu-img create -q -f qcow2 "$T/whole" 3M
qemu-io -f qcow2 -c "write -q -s $T/raw 0 3M" "$T/whole"
qemu-img convert -c -f raw -O qcow2 "$T/raw" "$T/packed"
served=0 refused=0
for image in whole packed; do
	bytes=$(stat -c %s "$T/$image")
	for cut in 0 4 71 104 512 65536 131073 262144 $((bytes / 2)) $((bytes / 2 + 77)) $((bytes - 65536)) $((bytes - 1)); do
		((cut < bytes)) || continue
		cp "$T/$image" "$T/cut"
		truncate -s "$cut" "$T/cut"
		sum=$(sha256sum <"$T/cut")
		log_mark "cut $cut"
		if qemu-img convert -f qcow2 -O raw "$T/cut" "$T/expected" 2>"$T/said"; then
			attach disk qcow2 "$T/cut"
			same_as disk "$T/expected"
			detach disk
			served=$((served + 1))
		elif dmsetup create --readonly disk --table "0 6144 qcow2 ro 1 qcow2 $T/cut" 2>/dev/null; then
			# it opens but has no answer for everything; an error is right, data would be a guess
			if "$BIN/verify" /dev/mapper/disk "$T/raw" 2>"$T/verify"; then
				fail "cut at $cut: qemu-img: $(cat "$T/said"), but all of it reads"
			fi
			grep -q 'Input/output error' "$T/verify" || fail "cut at $cut: $(cat "$T/verify")"
			detach disk
			refused=$((refused + 1))
		else
			refused=$((refused + 1))
		fi
		want "$image cut at $cut" "$sum" "$(sha256sum <"$T/cut")"
	done
done
echo "$served served, $refused refused or failed as by qemu-img"
((served > 0 && refused > 0)) || fail "no variety"
