#!/bin/sh
# Bring what the foreign programs need: PHP with its SOAP extension, Node.js with the packages of node/package.json,
# curl, which the example scripts use, Chromium for the test forms, nginx for the page of the manual about it, Mono
# behind nginx, whose answers are compared with ours, SpamAssassin's spamd, which scores messages, fail2ban, which reads
# our log, pgbouncer before PostgreSQL, SOAP toolkits of C++, Java, Perl, Ruby and Tcl, Thunderbird and Claws Mail with
# a screen for them, the test runners PHPUnit, JUnit and NUnit, and openapi-python-client, PySimpleSOAP, tap-listrak and
# moto, an S3 server, in environments of their own.
# Mail servers are not among it: mail_servers.py installs each in a root of its own.
# Debian's packages are installed only when something is missing; sudo is used only when we are not root.
set -eu

cd "$(dirname "$0")"

fail() {
    printf 'interop: %s\n' "$1" >&2
    exit 1
}

missing=
command -v php >/dev/null || missing="$missing php-cli"
modules=$(php -m 2>/dev/null || :)
printf '%s\n' "$modules" | grep -qix soap || missing="$missing php-soap"
printf '%s\n' "$modules" | grep -qix dom || missing="$missing php-xml"
command -v phpunit >/dev/null || missing="$missing phpunit"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
command -v curl >/dev/null || missing="$missing curl"
# Hosts are network namespaces.
command -v ip >/dev/null || missing="$missing iproute2"
command -v nsenter >/dev/null || missing="$missing util-linux"
command -v openssl >/dev/null || missing="$missing openssl"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    missing="$missing chromium"
# In the roots of the mail servers, where only the system's own Python is for sure.
[ -x /usr/bin/python3 ] || missing="$missing python3"
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v javac >/dev/null || missing="$missing default-jdk-headless"
command -v wsimport >/dev/null || missing="$missing jaxws"
[ -e /usr/share/java/junit4.jar ] || missing="$missing junit4"
command -v mcs >/dev/null || missing="$missing mono-mcs"
command -v wsdl >/dev/null || missing="$missing mono-devel"
command -v nunit-console >/dev/null || missing="$missing nunit-console"
command -v fastcgi-mono-server4 >/dev/null || missing="$missing mono-fastcgi-server4"
command -v spamd >/dev/null || [ -x /usr/sbin/spamd ] || missing="$missing spamassassin spamd"
command -v soapcpp2 >/dev/null || missing="$missing gsoap libgsoap-dev"
command -v g++ >/dev/null || missing="$missing g++"
command -v kdwsdl2cpp >/dev/null || missing="$missing libkdsoap-dev qtbase5-dev pkg-config"
command -v wsdl2perl >/dev/null || missing="$missing libsoap-lite-perl libsoap-wsdl-perl"
[ -e /usr/share/java/axis.jar ] || missing="$missing libaxis-java"
command -v ruby >/dev/null && ruby -e "require 'soap/wsdlDriver'" 2>/dev/null || missing="$missing ruby ruby-soap4r"
ls -d /usr/lib/tcltk/tclws* >/dev/null 2>&1 || missing="$missing tclws"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v fail2ban-regex >/dev/null || missing="$missing fail2ban"
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
command -v thunderbird >/dev/null || missing="$missing thunderbird"
ls /usr/lib/*/claws-mail/plugins/litehtml_viewer.so >/dev/null 2>&1 ||
    missing="$missing claws-mail claws-mail-litehtml-viewer"
command -v Xvfb >/dev/null || missing="$missing xvfb"
command -v xdotool >/dev/null || missing="$missing xdotool"

if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || fail "needs PHP with its SOAP extension and PHPUnit, Node.js 18 or newer, npm, curl, iproute2, openssl, Chromium, nginx, a JDK with JAX-WS and JUnit 4, Mono with NUnit, SpamAssassin, fail2ban, gSOAP, KDSoap, SOAP::Lite, SOAP::WSDL, Axis, soap4r, tclws, Thunderbird, Claws Mail with its litehtml viewer, Xvfb, xdotool and the system's Python 3; missing:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "run as root: apt-get install$missing"
        as_root=sudo
    fi
    printf 'Installing%s\n' "$missing"
    $as_root apt-get update -qq </dev/null
    # shellcheck disable=SC2086 # the list is meant to be split
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
fi

stamp=node/node_modules/.installed
if [ "$(cksum <node/package-lock.json)" != "$(cat "$stamp" 2>/dev/null || :)" ]; then
    printf 'Installing the Node.js packages of tests/interop/node\n'
    (cd node && npm ci --silent --ignore-scripts --no-audit --no-fund </dev/null)
    cksum <node/package-lock.json >"$stamp"
fi

for each in openapi pysimplesoap tap buckets; do
    stamp=$each/environment/.installed
    if [ "$(cksum <$each/requirements.txt)" != "$(cat "$stamp" 2>/dev/null || :)" ]; then
        printf 'Installing the packages of tests/interop/%s\n' "$each"
        rm -rf $each/environment
        ../../.venv/bin/python -m venv $each/environment
        $each/environment/bin/python -m pip --disable-pip-version-check --quiet install --no-deps -r $each/requirements.txt
        cksum <$each/requirements.txt >"$stamp"
    fi
done
