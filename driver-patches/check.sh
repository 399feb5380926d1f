#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: check.sh [DRIVER/KERNEL...]
#
# Proves the series named, or all: see build.sh and dkms-check.sh. TAP; root.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=${SLUICE_BUILD:-$here/../build}/driver
# shellcheck disable=SC2046 # a list of words
[ $# != 0 ] || set -- $(cd "$here" && for series in */*/; do echo "${series%/}"; done)
status=0
for series; do
	echo "# $series"
	"$here/build.sh" --check "$series" "$out" || status=1
	"$here/dkms-check.sh" "$series" "$out" || status=1
done
exit $status
