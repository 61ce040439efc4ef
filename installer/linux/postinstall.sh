#!/bin/sh
# After installing: "configure [OLD]" from dpkg, "1" (first) or "2" (upgrade) from rpm.
set -e

getent passwd hotfolder >/dev/null || useradd --system --user-group --no-create-home --home-dir /var/lib/hotfolder \
	--shell /usr/sbin/nologin --comment "Hotfolder for AutoRetouch" hotfolder

# As systemd would at the first start; whoever logs in before that gives the login to its owner.
[ -e /var/lib/hotfolder ] || { mkdir -m 700 /var/lib/hotfolder && chown hotfolder: /var/lib/hotfolder; }

command -v systemctl >/dev/null || exit 0
if [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "$2" ]; }; then
	systemctl --quiet enable hotfolder.service
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# Not at all, if there is no configuration yet; whoever does not want it has disabled it.
	if systemctl --quiet is-active hotfolder.service || systemctl --quiet is-enabled hotfolder.service; then
		systemctl restart hotfolder.service || echo "hotfolder is installed, but its service does not start: see 'systemctl status hotfolder'" >&2
	fi
fi
