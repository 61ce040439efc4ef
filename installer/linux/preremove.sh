#!/bin/sh
# Before removing: "remove" or "upgrade" from dpkg, "0" (removal) or "1" (upgrade) from rpm. An upgrade restarts it afterwards.
set -e

case $1 in
remove | 0)
	[ ! -d /run/systemd/system ] || systemctl stop hotfolder.service
	;;
esac
if [ "$1" = 0 ] && command -v systemctl >/dev/null; then
	systemctl --quiet disable hotfolder.service # dpkg keeps that, like all configuration, until the purge
fi
