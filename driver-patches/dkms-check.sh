#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: dkms-check.sh DRIVER/KERNEL OUT
#
# That README's way to install a driver works, in a Debian of that kernel's
# release, and that its way back does. Nothing is loaded. TAP; root.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
base=$out/base-${1#*/}
driver=${1%/*}
/usr/bin/python3 "$here/tree.py" "${1#*/}" "$base" || exit 1
work=$(mktemp -d "$out/dkms.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -a "$here/$driver" "$base/stock.ko.xz" "$work"
# shellcheck disable=SC2016 # for the inner shell
"$here/inside" "$(readlink "$base/debian")" "$work" sh -u -c '
	kernel=$1 driver=$2 n=0 failed=0
	path() { ls "/lib/modules/$kernel/updates/dkms/$driver.ko"* 2>/dev/null; }
	result() {
		n=$((n + 1))
		[ "$2" = 0 ] || { failed=1; sed "s/^/# /" /tmp/log | tail -n 20; printf "not "; }
		echo "ok $n - dkms on $kernel: $1"
	}
	# The Debian here has headers alone: the module that dkms is to install over.
	mkdir -p "/lib/modules/$kernel/kernel/drivers/net"
	cp /mnt/stock.ko.xz "/lib/modules/$kernel/kernel/drivers/net/$driver.ko.xz"
	echo >"/lib/modules/$kernel/modules.order"
	dkms add "/mnt/$driver" >/tmp/log 2>&1
	result "added" $?
	dkms install "$driver-xdp/1" -k "$kernel" >/tmp/log 2>&1
	result "built and installed" $?
	cat /var/lib/dkms/*/*/build/make.log >/tmp/log 2>&1
	path >>/tmp/log
	result "the module is below updates/, which depmod prefers" $?
	modinfo -F vermagic "$(path)" 2>&1 | tee /tmp/log | grep -q "^$kernel "
	result "it is for that kernel" $?
	rm -f "/usr/src/linux-source-"*
	dkms remove "$driver-xdp/1" --all >/tmp/log 2>&1
	result "removed" $?
	! path >/tmp/log
	result "and the module is gone" $?
	dkms add "/mnt/$driver" >/tmp/log 2>&1
	! dkms build "$driver-xdp/1" -k "$kernel" >/tmp/log 2>&1 &&
		cat /var/lib/dkms/*/*/build/make.log /tmp/log 2>/dev/null | grep -q "install the package linux-source-"
	result "without the source it fails, and says what to install" $?
	echo "1..$n"
	exit $failed
' sh "$(cat "$base/release")" "$driver"
