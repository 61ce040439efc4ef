# What the scripts here and .ci/run share; to be sourced by bash.

cache=${XDG_CACHE_HOME:-${HOME-}/.cache}/hotfolder-ci

say() { echo "$(date +%T) $*"; }

fails() { # bash takes no "! command" for a failure
	if "$@"; then
		echo "should have failed: $*"
		return 1
	fi
}

# tells checks that a command succeeds and that a line of what it prints is LINE, a pattern. In a pipe to grep -q it could not print the rest.
tells() { # LINE COMMAND…
	local told
	told=$("${@:2}") && grep -qx "$1" <<<"$told"
}

# until_true waits for a command to succeed: a minute, since the machine may be busy.
until_true() {
	for _ in $(seq 600); do
		if "$@"; then return; fi
		sleep 0.1
	done
	echo "not within a minute: $*"
	return 1
}

# of_sandbox is a value from what `hotfolder sandbox` printed into the file sandbox.
of_sandbox() { # NAME
	tr -d '\r' <"${work-.}/sandbox" | sed -n "s/^$1  *//p" | head -1
}

# flood drops pictures that all differ, by a comment in them, until there is a file STOP; it prints how many.
flood() { # PICTURE INTO STOP
	local n
	for ((n = 0; ; n++)); do
		[ ! -e "$3" ] || break
		{ printf '\xff\xd8\xff\xfe\x00\x06%04d' "$n" && tail -c +3 "$1"; } >"$2/flood$n.jpg"
		sleep 0.05
	done
	echo "$n"
}

# retry tries a command that needs the network four times.
retry() {
	for pause in 5 20 60; do
		if "$@"; then return; fi
		echo "failed, tried again in $pause s: $*" >&2
		sleep "$pause"
	done
	"$@"
}

tool() { # MODULE@VERSION: installs a Go program once and prints where it is
	local dir=$cache/${1//[^A-Za-z0-9.]/_}
	[ -x "$dir/$(basename "${1%@*}")" ] || GOFLAGS= GOOS= GOARCH= GOBIN=$dir retry go install "$1" >&2
	echo "$dir/$(basename "${1%@*}")"
}

# apart has the script that calls it begin anew in a mount namespace of its own: what it mounts ends with it.
apart() {
	[ -n "${MOUNTS_APART-}" ] || MOUNTS_APART=1 exec unshare --mount "$(realpath "$0")" "$@"
}

# debian makes, once, the folder of a Debian with some packages in it, and prints where it is.
debian() { # SUITE PACKAGE,PACKAGE…
	local root=$cache/$1
	if [ ! -e "$root/etc/debian_version" ]; then
		mkdir -p "$cache"
		retry debootstrapped "$root" "$@" >&2
	fi
	echo "$root"
}

debootstrapped() { # ROOT SUITE PACKAGES
	rm -rf --one-file-system "$1" "$1.new"
	mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Retries "3"' --include="$3" "$2" "$1.new" && mv "$1.new" "$1"
}

# machine lays a writable layer, in the folder $work, over a Debian: $machine is then a fresh machine, for scripts that are apart.
machine() { # SUITE PACKAGE,PACKAGE…
	local lower
	lower=$(debian "$@")
	machine=$(mktemp -d)
	mkdir "$work/layer" "$work/scratch"
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/layer,workdir=$work/scratch" "$machine"
}

# no_machine takes it down. What may be mounted in it is not deleted, whatever happens.
no_machine() {
	[ -z "${machine-}" ] || { umount --recursive --lazy "$machine" && rmdir "$machine"; }
}

missing() { # COMMAND:DEBIAN-PACKAGE…: prints the packages of the commands that are not there
	for each in "$@"; do
		command -v "${each%:*}" >/dev/null || echo "${each#*:}"
	done
}
