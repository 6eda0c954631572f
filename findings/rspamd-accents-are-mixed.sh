#!/bin/sh
# rspamd 3.4 of Debian 12 gives a mail 1.25 points or more, R_MIXED_CHARSET, when the name in From or the subject has an
# accented Latin letter: "Zürich", "Café", "Müller". Encoded words are right, and one language is no mixture. It calls
# both "subject". Names in Cyrillic or Chinese letters alone cost nothing, nor does a name in To. At 6 points it begins to
# add a header for spam. A sender who has points to spare keeps them there, or asks receivers to set
# chartable { threshold = … }.
# Needs root, for a mount namespace in which rspamd is installed, and Debian 12.
set -eu
version=3.4-1
if [ "${1:-}" != inside ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # A PID namespace ends what runs in it.
    unshare --mount --pid --fork --kill-child sh "$0" inside "$work"
    exit
fi
cd "$2"
mkdir upper work root
mount -t overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" overlay root
mount --rbind /dev root/dev
mount -t proc proc root/proc
mount -t tmpfs tmpfs root/tmp
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
chroot root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io "rspamd=$version" >log 2>&1 || { cat log; exit 1; }
# It asks no name server outside this machine.
echo 'dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }' >root/etc/rspamd/local.d/options.inc
for worker in proxy controller fuzzy; do echo 'enabled = false;' >"root/etc/rspamd/local.d/worker-$worker.inc"; done
echo 'bind_socket = "127.0.0.1:11399";' >root/etc/rspamd/local.d/worker-normal.inc
chroot root rspamd -f -i -u root -g root >log 2>&1 &
until curl -s -o answer http://127.0.0.1:11399/ping; do sleep 0.5; done
chroot root rspamd --version
# The name in From, the subject and the name in To.
expect() {
    printf 'From: %s <news@example.com>\r\nSubject: %s\r\nTo: %s <ann@example.org>\r\nMIME-Version: 1.0\r\nDate: %s\r\n' \
        "$2" "$3" "$4" "$(date -R)" >mail
    printf 'Message-ID: <1@example.com>\r\nContent-Type: text/plain\r\n\r\nDear Ann, the meeting is on Tuesday.\r\n' >>mail
    points=$(curl -s --data-binary @mail http://127.0.0.1:11399/checkv2 |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["symbols"].get("R_MIXED_CHARSET", {}).get("score", 0))')
    echo "$points: $2 | $3 | $4"
    python3 -c "import sys; sys.exit(not $points $1)"
}
zurich='=?utf-8?q?Z=C3=BCrich?='
expect '== 0' News News Ann
expect '> 1' "$zurich" News Ann
expect '> 1' News "$zurich" Ann
expect '== 0' News News "$zurich"
expect '== 0' '=?utf-8?b?0J3QvtCy0L7RgdGC0Lg=?=' News Ann
