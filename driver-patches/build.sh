#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: build.sh [--check] DRIVER/KERNEL OUT
#
# Applies a series, e1000e/6.12 or e1000e/7.x, and builds the module out of
# tree, for the kernel that the guest lab has, in a Debian of that kernel's
# release (tree.py, inside): OUT/e1000e.ko. Root.
#
# With --check each patch alone must apply, pass checkpatch --strict and build
# with W=1 without a word, and sparse may say nothing that it did not say of the
# driver without patches; TAP.
set -eu

check=
if [ "${1-}" = --check ]; then
	check=1
	shift
fi
if [ $# != 2 ] || [ ! -d "$(dirname "$0")/$1" ]; then
	echo "usage: build.sh [--check] DRIVER/KERNEL OUT; there are:" >&2
	(cd "$(dirname "$0")" && ls -d ./*/*/) >&2
	exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
series=$here/$1
driver=${1%/*}
mkdir -p "$2"
out=$(cd "$2" && pwd)
base=$out/base-${1#*/}
/usr/bin/python3 "$here/tree.py" "${1#*/}" "$base"
debian=$(readlink "$base/debian")
headers=/lib/modules/$(cat "$base/release")/build
# Per call: a check does not disturb a build.
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -a "$base/linux" "$work/linux"
cd "$work/linux"
folder=drivers/net/ethernet/intel/$driver

repository() {
	git -c user.name=build -c user.email=build@build.invalid "$@"
}

# BTF of a module needs the whole vmlinux, and pahole.
compile() {
	"$here/inside" "$debian" "$work/linux" make -s -C "$headers" "M=/mnt/$folder" \
		CONFIG_E1000E=m CONFIG_E1000E_HWTS=y CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules
}

result() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		printf '%s\n' "$2" | head -n 40 | sed 's/^/# /'
	fi
}

# What a command says; that it failed, if it says nothing.
said() {
	"$@" 2>&1 || echo "exit status $?"
}

# Counts of what sparse says of each file; lines move.
sparse_says() {
	compile C=2 2>&1 | sed -n "s|.*/$folder/\([^:]*\):[0-9:]* \(.*\)|\1 \2|p" | sort | uniq -c
}

printf '%s\n' '*.o' '*.ko' '*.mod' '*.mod.c' '.*.cmd' Module.symvers modules.order >.gitignore
git init -q
repository add -A
repository commit -q -m "$driver of Debian's $(cat "$base/release")"

n=0
failed=0
if [ "$check" ]; then
	sparse_says >"$work/before"
fi
for patch in "$series"/*.patch; do
	name=$(basename "$patch" .patch)
	if [ -z "$check" ]; then
		repository am -q --keep-cr "$patch"
		continue
	fi
	result "$name applies" "$(said repository am -q --keep-cr "$patch")"
	# New files are below a folder that MAINTAINERS names.
	result "$name: checkpatch --strict" "$(said perl scripts/checkpatch.pl --no-tree --strict \
		--terse --no-summary --ignore FILE_PATH_CHANGES "$patch")"
	result "$name builds with W=1" "$(said compile W=1)"
done
if [ "$check" ]; then
	result "sparse has no more to say" "$(sparse_says | diff "$work/before" - | grep '^>' || :)"
	echo "1..$n"
	exit $failed
fi
compile
strip -g -o "$out/$driver.ko" "$folder/$driver.ko"
echo "$out/$driver.ko: for $(modinfo -F vermagic "$out/$driver.ko")"
