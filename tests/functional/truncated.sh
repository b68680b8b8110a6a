# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: files cut short, anywhere, read as qemu-img reads them or are refused as it refuses them, and are not touched
# needs: vm 6.12 (6.1 7.2)

cp "$FIXTURES/small" "$T/raw"
qemu-img convert -f raw -O qcow2 "$T/raw" "$T/whole"
cp "$FIXTURES/small.qcow2" "$T/packed"
served=0 refused=0
for image in whole packed; do
	bytes=$(stat -c %s "$T/$image")
	for cut in 0 71 512 131073 262144 $((bytes / 2 + 77)) $((bytes - 1)); do
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
		elif dmsetup create --readonly disk --table "0 4096 qcow2 ro 1 qcow2 $T/cut" 2>/dev/null; then
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
