#!/bin/sh
# install.sh [install] [OPTION...]           puts picketd on this machine, or brings a newer one
# install.sh uninstall [--purge] [OPTION...] takes it away; --purge also configuration, store, user
#
#   --root DIR     into an image of a board below DIR, instead of this machine; nothing is started
#   --prefix DIR   the program goes to DIR/bin (/usr)
#   --init NAME    systemd, procd, openrc, inittab or none, instead of the one that is found
#
# Needs a POSIX shell and what BusyBox has. An existing /etc/picket/site.conf stays as it is.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
config=/etc/picket/site.conf
state=/var/lib/picket
good=/var/lib/picket-good
unit=/etc/systemd/system/picketd.service
wants=/etc/systemd/system/multi-user.target.wants/picketd.service
script=/etc/init.d/picketd

fail() { printf 'install: %s\n' "$1" >&2; exit 1; }
say() { printf 'install: %s\n' "$1"; }
is_live() { [ -z "$root" ]; }

# Class, byte order and machine of an ELF file, as they are.
elf_kind() { # FILE
    dd if="$1" bs=1 skip=4 count=2 2> /dev/null
    dd if="$1" bs=1 skip=18 count=1 2> /dev/null
}

# A program that runs here is the right one; of an image only its own programs can be compared.
check_machine() {
    archive=$(sed -n 's/^  "name": "\(.*\)",$/\1/p' "$here/picketd.spdx.json")
    if is_live; then
        "$here/picketd" --version > /dev/null 2>&1 ||
            fail "$archive does not run on this machine ($(uname -m)): take another archive"
        return
    fi
    for program in bin/busybox bin/sh usr/bin/env; do
        [ -f "$root/$program" ] || continue
        [ "$(elf_kind "$root/$program")" = "$(elf_kind "$here/picketd")" ] ||
            fail "$archive is for another machine than $root/$program: take another archive"
        return
    done
}

put() { # FILE PATH MODE [SED]; whole or not at all, also over a program that runs
    mkdir -p "$root$(dirname "$2")"
    if [ $# -gt 3 ]; then sed "$4" "$1" > "$root$2.new"; else cp "$1" "$root$2.new"; fi
    chmod "$3" "$root$2.new"
    mv -f "$root$2.new" "$root$2"
}

append() { # LINE PATH
    [ ! -s "$root$2" ] || [ -z "$(tail -c 1 "$root$2")" ] || printf '\n' >> "$root$2"
    printf '%s\n' "$1" >> "$root$2"
}

# Directly, since boards differ in useradd and adduser, and an image's cannot be run.
make_user() {
    for file in passwd group; do
        [ -f "$root/etc/$file" ] || fail "no $root/etc/$file to put the user picket into"
    done
    if ! grep -q '^picket:' "$root/etc/passwd" || ! grep -q '^picket:' "$root/etc/group"; then
        id=$(awk -F: '{ used[$3] = 1 }
            END { for (i = 999; i > 100 && (i in used); i--); print i }' \
            "$root/etc/passwd" "$root/etc/group")
    fi
    if ! grep -q '^picket:' "$root/etc/group"; then
        append "picket:x:$id:" /etc/group
        [ ! -f "$root/etc/gshadow" ] || append 'picket:!::' /etc/gshadow
    fi
    group=$(awk -F: '$1 == "picket" { print $3; exit }' "$root/etc/group")
    if ! grep -q '^picket:' "$root/etc/passwd"; then
        password='*'
        if [ -f "$root/etc/shadow" ]; then
            password=x
            append 'picket:!:1:0:99999:7:::' /etc/shadow
        fi
        append "picket:$password:$id:$group:Picket agent:$state:/bin/false" /etc/passwd
    fi
    owner=$(awk -F: '$1 == "picket" { print $3 ":" $4; exit }' "$root/etc/passwd")
}

remove_lines() { # PATTERN PATH; keeps owner and mode of the file
    [ -f "$root$2" ] && grep -q "$1" "$root$2" || return 0
    lines=$(grep -v "$1" "$root$2" || true)
    printf '%s\n' "$lines" > "$root$2"
}

find_init() {
    if [ -d "$root/run/systemd/system" ] ||
        { ! is_live && [ -x "$root/lib/systemd/systemd" ]; }; then
        echo systemd
    elif [ -x "$root/sbin/procd" ]; then
        echo procd
    elif [ -x "$root/sbin/openrc-run" ]; then
        echo openrc
    elif [ -f "$root/etc/inittab" ]; then
        echo inittab
    else
        echo none
    fi
}

# For BusyBox's init as for SysV's: both start again what ended, and hand such a line to a shell.
inittab_line() {
    log=
    for program in usr/bin/logger bin/logger; do
        [ ! -e "$root/$program" ] && [ ! -h "$root/$program" ] || log=' 2>&1 | logger -t picketd'
    done
    head=:
    ! grep -q ':initdefault:' "$root/etc/inittab" || head=pk:2345
    printf '%s:respawn:%s/bin/picketd run -c %s%s\n' "$head" "$prefix" "$config" "$log"
}

start_at_boot() {
    path="s,/usr/bin/picketd,$prefix/bin/picketd,g"
    case $init in
        systemd)
            put "$here/init/picketd.service" $unit 644 "$path"
            mkdir -p "$root${wants%/*}"
            ln -sf $unit "$root$wants"
            ;;
        procd)
            put "$here/init/picketd.procd" $script 755 "$path"
            mkdir -p "$root/etc/rc.d"
            ln -sf ../init.d/picketd "$root/etc/rc.d/S95picketd"
            ln -sf ../init.d/picketd "$root/etc/rc.d/K10picketd"
            ;;
        openrc)
            put "$here/init/picketd.openrc" $script 755 "$path"
            mkdir -p "$root/etc/runlevels/default"
            ln -sf $script "$root/etc/runlevels/default/picketd"
            ;;
        inittab)
            remove_lines '/picketd run -c ' /etc/inittab
            append "$(inittab_line)" /etc/inittab
            ;;
        none) say "no init system is known here: have $prefix/bin/picketd run -c $config started" ;;
        *) fail "no init system is called '$init'" ;;
    esac
}

restart_now() {
    is_live || return 0
    case $init in
        systemd) systemctl daemon-reload && systemctl restart picketd ;;
        procd) $script restart ;;
        openrc) rc-service picketd restart ;;
        inittab) end_running && kill -HUP 1 ;; # reads inittab again, and starts what is not there
    esac
}

end_running() {
    # The words are process ids.
    # shellcheck disable=SC2046
    kill $(pidof picketd) 2> /dev/null || true
}

stop_now() {
    is_live || return 0
    case $init in
        systemd) systemctl stop picketd || true ;;
        procd | openrc) $script stop || true ;;
        inittab) kill -HUP 1 && end_running ;;
    esac
}

install_all() {
    check_machine
    make_user
    put "$here/picketd" "$prefix/bin/picketd" 755
    put "$here/picketd.spdx.json" "$prefix/share/doc/picketd/picketd.spdx.json" 644
    put "$here/THIRD-PARTY-NOTICES.txt" "$prefix/share/doc/picketd/THIRD-PARTY-NOTICES.txt" 644
    if [ -e "$root$config" ]; then
        say "$root$config is kept as it is"
    else
        put "$here/site.conf" $config 644
    fi
    mkdir -p "$root$state"
    chown "$owner" "$root$state"
    chmod 750 "$root$state"
    # Of the last known good configuration: who runs the parent alone may write there. Under systemd
    # that is the user, which the unit sees to.
    mkdir -p "$root$good"
    chmod 700 "$root$good"
    start_at_boot
    restart_now
    say "picketd is at $root$prefix/bin/picketd, started by $init; now edit $config"
}

uninstall_all() {
    [ "$init" != inittab ] || remove_lines '/picketd run -c ' /etc/inittab
    stop_now
    rm -f "$root$wants" "$root$unit" "$root$script" "$root/etc/rc.d/S95picketd" \
        "$root/etc/rc.d/K10picketd" "$root/etc/runlevels/default/picketd"
    if is_live && [ "$init" = systemd ]; then systemctl daemon-reload; fi
    rm -f "$root$prefix/bin/picketd"
    rm -rf "$root$prefix/share/doc/picketd"
    if [ "$purge" = yes ]; then
        rm -rf "$root/etc/picket" "$root$state" "$root$good"
        for file in passwd group shadow gshadow; do remove_lines '^picket:' /etc/$file; done
        say 'picketd is gone, and all it had'
    else
        say "picketd is gone; $config and $state are kept (--purge takes them too)"
    fi
}

verb=install root='' prefix=/usr init='' purge=no
case ${1-} in install | uninstall) verb=$1; shift ;; esac
while [ $# -gt 0 ]; do
    case $1 in
        --root | --prefix | --init)
            [ $# -gt 1 ] || fail "$1 needs a value"
            case $1 in --root) root=$2 ;; --prefix) prefix=$2 ;; --init) init=$2 ;; esac
            shift
            ;;
        --purge) purge=yes ;;
        -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument '$1'; --help tells" ;;
    esac
    shift
done
root=${root%/}
[ -z "$root" ] || [ -d "$root" ] || fail "no folder $root"
case $prefix in /*) ;; *) fail "--prefix is an absolute path" ;; esac
[ -w "$root/" ] || fail "cannot write to $root/: call it as root"
[ -n "$init" ] || init=$(find_init)
"${verb}_all"
