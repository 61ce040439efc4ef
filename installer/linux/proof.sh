# What installer/test-linux runs as root in the container; the last line of its output is PROVED, or it says what was wrong.
set -Eeuo pipefail
cd /proof
. ./common.sh
export DEBIAN_FRONTEND=noninteractive
trap 'echo "FAILED in line $LINENO: $BASH_COMMAND"; journalctl --no-pager -u hotfolder | tail -20; tail -20 /var/log/hotfolder/hotfolder.log; systemctl status hotfolder' ERR

main_pid() { systemctl show -P MainPID hotfolder; }
restarts() { systemctl show -P NRestarts hotfolder; }
is_new_pid() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ]; }

process() { # NAME: a picture dropped comes out on the other side
	cp coffee.jpg "/srv/photos/in/$1"
	until_true test -s "/srv/photos/out/${1%.jpg}.png"
}

delivered() { find /srv/photos/out -type f | wc -l; }
has_delivered() { [ "$(delivered)" = "$1" ]; }

# readme runs a line of README's "Install on Linux" as it stands there, but for what comes after it here: the package's file, and
# arguments instead of a person who answers.
readme() { # LINE [ARGUMENT…]
	grep -qF "    sudo $1 " README.md || grep -qxF "    sudo $1" README.md || { echo "not in README: sudo $1"; return 1; }
	$1 "${@:2}"
}

say "install: enabled, but not started without a configuration"
cp hotfolder.deb hotfolder_1.2.3_amd64.deb
readme "apt install ./hotfolder_1.2.3_amd64.deb" -y >apt.log 2>&1 || { cat apt.log; false; }
systemctl is-enabled --quiet hotfolder
fails systemctl is-active --quiet hotfolder
hotfolder version
[ "$(getent passwd hotfolder | cut -d: -f7)" = /usr/sbin/nologin ]
for each in man/man1/hotfolder-run.1.gz bash-completion/completions/hotfolder zsh/vendor-completions/_hotfolder fish/vendor_completions.d/hotfolder.fish; do
	test -s "/usr/share/$each"
done

say "configure, log in and start as README says"
hotfolder sandbox --processing 1s >sandbox &
until_true grep -q '^hotfolder run' sandbox # its last line
api=$(grep -om1 'http://[0-9.:]*' sandbox)
mkdir -p /srv/photos
readme "hotfolder init --system" --yes --input /srv/photos/in --output /srv/photos/out --data-dir /var/lib/hotfolder --api "$api" \
	--organization "$(of_sandbox organization)" --workflow "$(of_sandbox '    workflow:')"
of_sandbox 'refresh token' | readme "hotfolder login" --refresh-token-stdin
readme "chown -R hotfolder: /srv/photos"
readme "hotfolder check"
readme "hotfolder service start"
systemctl is-active --quiet hotfolder
process first.jpg
hotfolder service status
tells 'state  *running since 20.*' hotfolder service status
tells 'account  *hotfolder' hotfolder service status
tells 'log  */var/log/hotfolder/hotfolder.log' hotfolder service status
systemctl show -P StatusText hotfolder
grep -q 'hotfolder started' /var/log/hotfolder/hotfolder.log
systemctl show -p User -p Type -p NotifyAccess hotfolder
grep -E '^(Uid|CapBnd|NoNewPrivs|Seccomp):' "/proc/$(main_pid)/status"
fails hotfolder service install # the package's own service stays
for change in start stop restart; do
	fails setpriv --reuid nobody --regid nogroup --clear-groups hotfolder service $change 2>refused
	grep -q 'run it with sudo$' refused
done
tells 'state  *running since 20.*' hotfolder service status
stat -c '%a %U %n' /var/lib/hotfolder /var/lib/hotfolder/* /var/log/hotfolder /srv/photos/out/*

say "killed: systemd starts it again, and it goes on"
pid=$(main_pid)
kill -9 "$pid"
until_true is_new_pid "$pid"
[ "$(restarts)" = 1 ]
process second.jpg

say "crashed as Go does, with code 2: started again, too"
pid=$(main_pid)
kill -QUIT "$pid"
until_true is_new_pid "$pid"
[ "$(restarts)" = 2 ]

say "stuck: the watchdog has it started again"
mkdir -p /etc/systemd/system/hotfolder.service.d
printf '[Service]\nWatchdogSec=10s\n' >/etc/systemd/system/hotfolder.service.d/proof.conf
systemctl daemon-reload
systemctl restart hotfolder
pid=$(main_pid)
kill -STOP "$pid"
until_true is_new_pid "$pid"
journalctl --no-pager -u hotfolder | grep -i 'watchdog timeout'
rm /etc/systemd/system/hotfolder.service.d/proof.conf
systemctl daemon-reload
systemctl restart hotfolder

say "wrong configuration: not restarted for ever"
echo 'nonsense: 1' >>/etc/hotfolder/hotfolder.yaml
fails hotfolder service restart 2>refused
grep "journalctl -u hotfolder" refused
until_true systemctl is-failed --quiet hotfolder
fails hotfolder service status
sed -i '$d' /etc/hotfolder/hotfolder.yaml
systemctl start hotfolder

say "upgrade in the middle of work: nothing is lost, nothing paid twice"
flood coffee.jpg /srv/photos/in stop >dropped &
flood=$!
until_true test -s /srv/photos/out/flood0.png
pid=$(main_pid)
dpkg -i newer.deb >/dev/null
is_new_pid "$pid"
until_true test -s /srv/photos/out/flood1.png
touch stop
wait "$flood"
until_true has_delivered $((2 + $(cat dropped)))
echo "$(cat dropped) pictures"
audit="hotfolder --config /etc/hotfolder/hotfolder.yaml audit --results"
$audit

say "remove: stopped, but configuration and ledger stay"
dpkg -r hotfolder >/dev/null
fails pgrep -u hotfolder
[ -e /etc/hotfolder/hotfolder.yaml ]
[ -e /var/lib/hotfolder/ledger.db ]

say "install again: it runs on by itself"
dpkg -i newer.deb >/dev/null
process third.jpg
$audit >/dev/null
has_delivered $((3 + $(cat dropped)))

cp /usr/bin/hotfolder /proof
say "purge: nothing of it is left but the pictures"
dpkg -P hotfolder >/dev/null
fails getent passwd hotfolder
fails getent group hotfolder
left=$(find / -xdev -path /proof -prune -o -path /proc -prune -o -path /run/systemd/transient -prune -o -name '*hotfolder*' -print)
[ -z "$left" ] || { echo "left: $left"; false; }

say "without a package: a service that runs as another user, to whom it gives the data folder"
useradd --system studio
mkdir -p /etc/hotfolder
cat >/etc/hotfolder/hotfolder.yaml <<-CONFIG
	account: {organization: "$(of_sandbox organization)"}
	api: {url: "$api", auth_url: "$api"}
	data_dir: /var/lib/hotfolder
	dashboard: {listen: ""}
	folders: [{name: studio, input: /srv/photos/in, output: /srv/photos/out, workflow: "$(of_sandbox '    workflow:')"}]
CONFIG
of_sandbox 'refresh token' | /proof/hotfolder login --refresh-token-stdin
rm -r /srv/photos/*/*
chown -R studio: /srv/photos
fails /proof/hotfolder service install --account nobody-of-that-name
/proof/hotfolder service install --account studio
/proof/hotfolder service install # keeps it
/proof/hotfolder service start
tells 'account  *studio' /proof/hotfolder service status
[ "$(stat -c %U "/proc/$(main_pid)")" = studio ]
process fourth.jpg
of_sandbox 'refresh token' | /proof/hotfolder login --refresh-token-stdin
[ "$(stat -c %U /var/lib/hotfolder/credentials.json /var/lib/hotfolder/ledger.db | uniq)" = studio ]
/proof/hotfolder service uninstall
fails systemctl cat hotfolder
kill %1
echo PROVED
