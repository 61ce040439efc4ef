#!/bin/sh
# Before removing: "remove" or "upgrade" from dpkg, "0" (removal) or "1" (upgrade) from rpm. An upgrade restarts it afterwards.
set -e

case $1 in
remove | 0)
	[ ! -d /run/systemd/system ] || systemctl stop hotfolder.service
	! command -v systemctl >/dev/null || systemctl --quiet disable hotfolder.service
	;;
esac
