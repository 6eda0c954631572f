#!/bin/sh
# Debian's vacation 3.3.3 answers a mail of a list that has List-Id, List-Unsubscribe and List-Unsubscribe-Post: it does
# not know these headers (RFC 2919, RFC 2369). "Precedence: bulk", "list" or "junk" keeps it silent, or an Auto-Submitted
# other than "no" (RFC 3834). So a list needs Precedence too, though no standard asks for it.
# Needs root, for a mount namespace in which the answers go to a file, and Debian 12.
set -eu
version=3.3.3
if [ "${1:-}" != inside ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "vacation=$version" && dpkg -x vacation_*.deb .)
    unshare --mount sh "$0" inside "$work"
    exit
fi
cd "$2"
mkdir sbin home
printf '#!/bin/sh\ncat >>%s/answers\n' "$2" >sbin/sendmail
chmod 755 sbin/sendmail
mount -t overlay -o "lowerdir=$2/sbin:/usr/sbin" overlay /usr/sbin
# vacation takes the home of the user from this table.
printf 'ann:x:0:0::%s/home:/bin/sh\n' "$2" >passwd
mount --bind passwd /etc/passwd
usr/bin/vacation -i ann
printf 'Subject: Away\n\nI am away.\n' >home/.vacation.msg
echo "vacation $version"
number=0
# A mail with list headers and this one is answered, or not.
expect() {
    number=$((number + 1))
    : >answers
    usr/bin/vacation ann <<MAIL
From news$number@lists.example Mon Jan  1 00:00:00 2024
From: news$number@lists.example
To: ann@example.org
Subject: News
List-Id: <news.lists.example>
List-Unsubscribe: <https://lists.example/u>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
$2

The news.
MAIL
    # It does not wait for the program that sends.
    sleep 1
    if grep -q 'I am away' answers; then found=answered; else found=silent; fi
    echo "$found: $2"
    [ "$found" = "$1" ]
}
expect answered 'X-Mailer: list'
expect silent 'Precedence: bulk'
expect silent 'Precedence: list'
expect silent 'Auto-Submitted: auto-generated'
