# What installer/test-linux runs as root in the container; the last line of its output is PROVED, or it says what was wrong.
set -Eeuo pipefail
cd /proof
. ./common.sh
export DEBIAN_FRONTEND=noninteractive
trap 'echo "FAILED in line $LINENO: $BASH_COMMAND"; journalctl --no-pager -u hotfolder | tail -20; tail -20 /var/lib/hotfolder/hotfolder.log' ERR

main_pid() { systemctl show -P MainPID hotfolder; }
restarts() { systemctl show -P NRestarts hotfolder; }
is_new_pid() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ]; }

process() { # NAME: a picture dropped comes out on the other side
	cp coffee.jpg "/srv/studio/in/$1"
	until_true test -s "/srv/studio/out/${1%.jpg}.png"
}

say "install: enabled, but not started without a configuration"
dpkg -i hotfolder.deb >/dev/null
systemctl is-enabled --quiet hotfolder
fails systemctl is-active --quiet hotfolder
hotfolder version
[ "$(getent passwd hotfolder | cut -d: -f7)" = /usr/sbin/nologin ]

say "configure and log in"
hotfolder sandbox --processing 200ms >sandbox &
until_true grep -q '^hotfolder run' sandbox # its last line
sed -n '/^account:/,/^    workflow:/p' sandbox |
	sed 's|: in$|: /srv/studio/in|; s|: out$|: /srv/studio/out|; /^data_dir/d' >/etc/hotfolder/hotfolder.yaml
install -d -o hotfolder -g hotfolder /srv/studio /srv/studio/in /srv/studio/out
install -d -o hotfolder -g hotfolder -m 700 /var/lib/hotfolder
sed -n 's/^refresh token *//p' sandbox |
	setpriv --reuid hotfolder --regid hotfolder --init-groups hotfolder login --refresh-token-stdin

say "start: the service processes a picture"
systemctl start hotfolder
systemctl is-active --quiet hotfolder
process first.jpg
hotfolder service status | grep -qx running
systemctl show -p User -p Type -p NotifyAccess hotfolder
grep -E '^(Uid|CapBnd|NoNewPrivs|Seccomp):' "/proc/$(main_pid)/status"
fails hotfolder service install # the package's own service stays
stat -c '%a %U %n' /var/lib/hotfolder /var/lib/hotfolder/* /var/log/hotfolder /srv/studio/out/*

say "killed: systemd starts it again, and it goes on"
pid=$(main_pid)
kill -9 "$pid"
until_true is_new_pid "$pid"
[ "$(restarts)" = 1 ]
process second.jpg

say "wrong configuration: not restarted for ever"
echo 'nonsense: 1' >>/etc/hotfolder/hotfolder.yaml
systemctl restart hotfolder || true
until_true systemctl is-failed --quiet hotfolder
sed -i '$d' /etc/hotfolder/hotfolder.yaml
systemctl start hotfolder

say "upgrade: restarted, with configuration and ledger"
pid=$(main_pid)
dpkg -i newer.deb >/dev/null
is_new_pid "$pid"
process third.jpg
[ "$(find /srv/studio/out -type f | wc -l)" = 3 ]
hotfolder --config /etc/hotfolder/hotfolder.yaml jobs --state delivered --json >jobs
[ "$(wc -l <jobs)" = 3 ]

say "remove: stopped, but configuration and ledger stay"
dpkg -r hotfolder >/dev/null
fails pgrep -u hotfolder
[ -e /etc/hotfolder/hotfolder.yaml ]
[ -e /var/lib/hotfolder/ledger.db ]

say "install again: it runs on by itself"
dpkg -i newer.deb >/dev/null
process fourth.jpg
[ "$(find /srv/studio/out -type f | wc -l)" = 4 ]

say "purge: nothing of it is left but the pictures"
dpkg -P hotfolder >/dev/null
fails getent passwd hotfolder
fails getent group hotfolder
left=$(find / -xdev -path /proof -prune -o -path /proc -prune -o -path /run/systemd/transient -prune -o -name '*hotfolder*' -print)
[ -z "$left" ] || { echo "left: $left"; false; }
kill %1
echo PROVED
