#!/bin/sh
# Installs hotfolder from this folder into /usr/local (or $PREFIX), or with --uninstall removes it again. Configuration, ledger
# and service are left alone: 'hotfolder service install' and 'hotfolder service uninstall' see to the service.
set -eu
cd "$(dirname "$0")"
prefix=${PREFIX:-/usr/local}

# each FILE TARGET-FOLDER
each() {
	"$1" hotfolder "$prefix/bin"
	for page in man/*.1; do "$1" "$page" "$prefix/share/man/man1"; done
	"$1" completions/hotfolder.bash "$prefix/share/bash-completion/completions" hotfolder
	"$1" completions/_hotfolder "$prefix/share/zsh/site-functions"
	"$1" completions/hotfolder.fish "$prefix/share/fish/vendor_completions.d"
	"$1" config.example.yaml "$prefix/share/doc/hotfolder"
}

put() { # FILE FOLDER [NAME]
	[ -e "$1" ] || return 0
	mkdir -p "$2"
	cp "$1" "$2/.hotfolder-new"
	mv -f "$2/.hotfolder-new" "$2/${3:-${1##*/}}" # a running program's file cannot be written over
}

take() { # FILE FOLDER [NAME]
	rm -f "$2/${3:-${1##*/}}"
}

if [ "${1-}" = --uninstall ]; then
	each take
	echo "removed from $prefix"
	exit
fi
each put
echo "installed into $prefix; next: hotfolder demo"
