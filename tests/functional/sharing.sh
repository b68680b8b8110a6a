# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: twenty devices on one base open it once, lock it once and share its metadata cache
# needs: vm 6.12 (6.1 7.2)

cp "$FIXTURES/data" "$T/raw"
qemu-img convert -f raw -O qcow2 -o cluster_size=512 "$T/raw" "$T/base"
qemu-img create -q -f qcow2 -b base -F qcow2 -o cluster_size=4k "$T/top"
for n in $(seq 2 20); do
	cp "$T/top" "$T/top$n"
done
mv "$T/top" "$T/top1"

for n in $(seq 20); do
	attach "disk$n" qcow2 "$T/top$n" qcow2 "$T/base"
done
want "locks on the base" 3 "$(grep -c ":$(stat -c %i "$T/base") " /proc/locks)"
want "references of the module" 20 "$(cat /sys/module/dm_qcow2/refcnt)"

misses() { status_of "$1" meta_misses; }
same_as disk1 "$T/raw"
first=$(misses disk1)
# The base's tables are in memory now; what the others miss is their own overlay's.
other=$(misses disk2)
same_as disk2 "$T/raw"
more=$(($(misses disk2) - other))
echo "metadata reads: first device $first, second $more"
((first > 0)) || fail "the first device read no metadata"
((more < first / 2)) || fail "the second device read the base's metadata again"

# All see one cache of the base: it counts for each of them.
bytes=$(status_of disk20 meta_bytes)
((bytes > 0)) || fail "a device that has not read does not see the shared cache: $(dmsetup status disk20)"

# The base stays while one is left.
for n in $(seq 19); do
	detach "disk$n"
done
want "locks on the base" 3 "$(grep -c ":$(stat -c %i "$T/base") " /proc/locks)"
same_as disk20 "$T/raw"
detach disk20
want "locks on the base" 0 "$(grep -c ":$(stat -c %i "$T/base") " /proc/locks)"

# The same file by another name is the same image.
ln "$T/base" "$T/hard"
ln -s base "$T/soft"
attach a qcow2 "$T/base"
attach b qcow2 "$T/hard"
attach c qcow2 "$T/soft"
want "locks on the base" 3 "$(grep -c ":$(stat -c %i "$T/base") " /proc/locks)"
detach a
same_as c "$T/raw"
detach b
detach c
