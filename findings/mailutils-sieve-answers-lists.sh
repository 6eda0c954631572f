#!/bin/sh
# The vacation action of GNU Mailutils' sieve (3.15 of Debian 12) answers mails of lists and of programs: neither List-Id
# nor Precedence: list nor Auto-Submitted: auto-generated keeps it silent, as RFC 5230 4.6 asks; only Precedence: bulk and
# junk do. Its answer has no Auto-Submitted (RFC 3834 3.1.7), and the reader's own address as envelope sender. It does not
# know the argument :addresses.
# A list adds Precedence: bulk, and takes no mail for a person's only because it has no Auto-Submitted.
# Needs root, for a mount namespace in which the package is installed, and Debian 12.
set -eu
version=1:3.15-4
if [ "${1:-}" != inside ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    unshare --mount sh "$0" inside "$work"
    exit
fi
cd "$2"
mkdir upper work root
mount -t overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" overlay root
mount --rbind /dev root/dev
mount -t tmpfs tmpfs root/tmp
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
chroot root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io "mailutils=$version" >log 2>&1 || { cat log; exit 1; }
chroot root sieve --version | head -n 1
cat >root/tmp/away.sieve <<'SIEVE'
require ["vacation"];
vacation :days 7 :subject "Away" "I am away";
SIEVE
cat >root/tmp/sendmail <<'SH'
#!/bin/sh
{ echo "$@"; cat; } >>/tmp/sent
SH
chmod 755 root/tmp/sendmail
# Whether a mail with these header lines is answered.
expect() {
    {
        printf 'From news@example.com Sat Mar  8 14:00:00 2025\nReturn-Path: <news@example.com>\nFrom: news@example.com\n'
        printf 'To: ann@example.org\nSubject: News\nMessage-ID: <1@example.com>\nDate: Sat, 8 Mar 2025 14:00:00 +0000\n'
        printf '%b\nNews\n\n' "$2"
    } >root/tmp/mailbox
    rm -rf root/tmp/sent root/tmp/.vacation
    chroot root env HOME=/tmp sieve --no-config --mailer=sendmail:/tmp/sendmail --email ann@example.org -f /tmp/mailbox \
        /tmp/away.sieve
    if [ -e root/tmp/sent ]; then answer=answered; else answer=silent; fi
    printf '%s: %b\n' "$answer" "${2:-(nothing)}"
    [ "$answer" = "$1" ]
}
expect silent 'Precedence: bulk\n'
expect silent 'Precedence: junk\n'
expect answered 'Precedence: list\n'
expect answered 'Auto-Submitted: auto-generated\n'
expect answered 'List-Id: <news.example.com>\nList-Unsubscribe: <https://lists.example.com/u/1>\n'
sed 's/^/    /' root/tmp/sent
grep -q -- '-f ann@example.org' root/tmp/sent
! grep -qi '^Auto-Submitted:' root/tmp/sent
sed -i 's/:days 7/:addresses "ann@example.com"/' root/tmp/away.sieve
chroot root sieve --no-config -f /tmp/mailbox /tmp/away.sieve 2>&1 | grep 'invalid tag name'
