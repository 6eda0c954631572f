#!/bin/sh
# Libraries that put a style sheet into the elements of a mail encode the merge tags in its addresses: CssToInlineStyles
# 2.2.6 for PHP (Debian 12), which Laravel's mails use, writes href="%7B%7B%20Leave%20%7D%7D" for {{ Leave }}, %5BLeave%5D
# for [Leave], and *%7CLEAVE%7C* for *|LEAVE|*; premailer 3.10.0 for Python writes {{%20Leave%20}}. Elsewhere in the page
# the tags stay, so a preview with names looks right, and who clicks to unsubscribe gets nowhere. Both print HTML by
# libxml2, which escapes addresses. Put the tags into addresses behind such a program; for premailer set
# preserve_handlebar_syntax. Needs Debian 12, with php-cli and php-xml.
set -eu
version=2.2.6-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "php-tijsverkoyen-css-to-inline-styles=$version" php-symfony-css-selector
for package in ./*.deb; do dpkg -x "$package" .; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check premailer==3.10.0
cat >page.html <<'HTML'
<!DOCTYPE html>
<html><head><style>p { color: red }</style></head><body><p>{{ Name }}, [Name], *|NAME|*</p>
<a href="{{ Leave }}">a</a><a href="[Leave]">b</a><a href="*|LEAVE|*">c</a></body></html>
HTML
cat >inline.php <<'PHP'
<?php
require 'TijsVerkoyen/CssToInlineStyles/autoload.php';
echo (new TijsVerkoyen\CssToInlineStyles\CssToInlineStyles())->convert(file_get_contents('page.html'));
PHP
php -d include_path=usr/share/php inline.php >php.html
venv/bin/python -c 'import premailer; print(premailer.transform(open("page.html").read()))' >python.html
echo "CssToInlineStyles $version, $(venv/bin/pip list 2>/dev/null | grep premailer)"
addresses() { grep -q '{{ Name }}, \[Name\], \*|NAME|\*' "$1" && grep -o 'href="[^"]*"' "$1" | tr '\n' ' '; }
for page in php.html python.html; do echo "$page: $(addresses $page)"; done
[ "$(addresses php.html)" = 'href="%7B%7B%20Leave%20%7D%7D" href="%5BLeave%5D" href="*%7CLEAVE%7C*" ' ]
[ "$(addresses python.html)" = 'href="{{%20Leave%20}}" href="[Leave]" href="*|LEAVE|*" ' ]
