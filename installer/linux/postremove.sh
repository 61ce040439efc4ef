#!/bin/sh
# After removing: "remove", "purge", "upgrade"… from dpkg, "0" or "1" from rpm. Only a purge takes the configuration, the ledger
# and the logs: the ledger is what keeps pictures from being paid for twice.
set -e

if [ "$1" = purge ]; then
	rm -rf /etc/hotfolder /etc/default/hotfolder /etc/systemd/system/hotfolder.service.d \
		/etc/systemd/system/multi-user.target.wants/hotfolder.service /var/lib/hotfolder /var/log/hotfolder
	! getent passwd hotfolder >/dev/null || userdel hotfolder
	! getent group hotfolder >/dev/null || groupdel hotfolder
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload
