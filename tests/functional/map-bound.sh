# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the map stays below map_limit and the metadata below cache_limit however much is read, and the data stay right
# needs: vm 6.12 (6.1 7.2)

# clusters of 512 bytes, every other one elsewhere: as many map words as can be
qemu-img convert -f raw -O qcow2 -o cluster_size=512 "$FIXTURES/data" "$T/base"
qemu-img create -q -f qcow2 -o cluster_size=512 -b base -F qcow2 "$T/top"
args=()
for n in $(seq 0 2 400); do
	args+=(-c "write -q -P $((n % 250)) $((n * 20000 / 512 * 512)) 512")
done
qemu-io -f qcow2 "${args[@]}" "$T/top"
expected qcow2 "$T/top" "$T/expected"

attach disk qcow2 "$T/top" qcow2 "$T/base" -- map_limit:64 cache_limit:64
for n in 1 2; do
	same_as disk "$T/expected" -s "$n" -r 100 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		bytes=$(status_of disk map_bytes)
		((bytes <= 65536)) || fail "map_bytes $bytes"
		sleep 0.1
	done
	wait $pid
done
echo "$(dmsetup status disk)"
(($(status_of disk map_evictions) > 0)) || fail "nothing was evicted"
bytes=$(status_of disk meta_bytes)
# two layers
((bytes <= 2 * 65536)) || fail "meta_bytes $bytes"
detach disk
