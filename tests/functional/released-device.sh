# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: when a commit or a stream has ended, the block devices of the layers that left the chain are given back at once, while the disk stays open: device-mapper lists them no more, and they can be removed; a job that is cancelled gives none back
# needs: vm 6.12 (6.1 7.2) timeout 120

# deps: the block devices that the table of "disk" holds, in order of the alphabet
deps() {
	local line
	line=$(dmsetup deps -o devname disk)
	line=${line#*: }
	tr -d '()' <<<"$line" | xargs -n 1 | sort | xargs
}

# begin: the chain low, middle, high, each on a device of its own, with data in each, open
begin() {
	local name below=()
	for name in low middle high; do
		pool $name $((16 << 20))
		qcowctl create "${below[@]}" /dev/mapper/$name 8M
		qemu-io -f qcow2 -c "write -q -P ${#name} $((${#name} * 256))k 512k" /dev/mapper/$name
		below=(-b "/dev/mapper/$name" -F qcow2)
	done
	qemu-img convert -f qcow2 -O raw /dev/mapper/high "$T/model"
	qcowctl attach --allow /dev/mapper -n disk /dev/mapper/high
	exec 5</dev/mapper/disk
	want "devices at first" 'high low middle' "$(deps)"
}

# end LEFT GONE...: only the devices LEFT are held, and those that are gone from the chain can go.
end() {
	local left=$1 name
	shift
	want "devices held" "$left" "$(deps)"
	for name; do
		run dmsetup remove --retry "$name" || fail "$name is still in use"
	done
	# what is left serves, can be suspended, and its line loads again
	same_as disk "$T/model" >/dev/null
	dmsetup table disk | dmsetup load disk
	dmsetup suspend disk
	dmsetup resume disk
	want "devices held by a new table" "$left" "$(deps)"
	same_as disk "$T/model" >/dev/null
	exec 5<&-
	detach disk
	for name in $left; do
		detach "$name"
	done
	pool_reset
}

echo "-- commit of a layer in the middle"
begin
run qcowctl commit --top 1 --base 0 disk
end 'high low' middle

echo "-- commit of the top"
begin
run qcowctl commit --base 1 disk
end 'low middle' high

echo "-- commit of all, after one that was cancelled"
begin
run qcowctl commit -b --rate 16K --base 0 disk
run qcowctl job --cancel disk
want "devices held after a job that was cancelled" 'high low middle' "$(deps)"
run qcowctl commit --base 0 disk
end low high middle

echo "-- stream into the top"
begin
run qcowctl stream disk
end high middle low

echo "-- stream into a layer in the middle"
begin
run qcowctl stream --into 1 disk
end 'high middle' low
