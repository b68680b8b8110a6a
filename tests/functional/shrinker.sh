# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the kernel can take the map and the metadata caches back, and reading goes on
# needs: vm 6.1 6.12 7.2

cp "$FIXTURES/data" "$T/raw"
qemu-img convert -f raw -O qcow2 -o cluster_size=512 "$T/raw" "$T/image"
attach disk qcow2 "$T/image"
same_as disk "$T/raw"
map=$(status_of disk map_bytes) meta=$(status_of disk meta_bytes)
echo "before: map $map, metadata $meta"
((map > 0 && meta > 0)) || fail "nothing to take back"
# one pass of the shrinkers takes a part
for _ in $(seq 10); do
	echo 2 >/proc/sys/vm/drop_caches
done
now_map=$(status_of disk map_bytes) now_meta=$(status_of disk meta_bytes)
echo "after: map $now_map, metadata $now_meta"
((now_map < map)) || fail "the map did not shrink"
((now_meta < meta)) || fail "the metadata cache did not shrink"
same_as disk "$T/raw"

# while it is being read
same_as disk "$T/raw" -r 300 -s 3 &
pid=$!
while kill -0 $pid 2>/dev/null; do
	echo 2 >/proc/sys/vm/drop_caches
done
wait $pid
detach disk
