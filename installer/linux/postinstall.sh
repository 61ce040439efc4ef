#!/bin/sh
# After installing: "configure [OLD]" from dpkg, "1" (first) or "2" (upgrade) from rpm.
set -e

getent passwd hotfolder >/dev/null || useradd --system --user-group --no-create-home --home-dir /var/lib/hotfolder \
	--shell /usr/sbin/nologin --comment "Hotfolder for AutoRetouch" hotfolder

command -v systemctl >/dev/null || exit 0
if [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "$2" ]; }; then
	systemctl --quiet enable hotfolder.service
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart hotfolder.service
	# Nothing, if it runs or there is no configuration yet; whoever does not want it has disabled it.
	! systemctl --quiet is-enabled hotfolder.service || systemctl start hotfolder.service
fi
