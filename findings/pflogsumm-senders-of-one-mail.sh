#!/bin/sh
# pflogsumm 1.1.5 of Debian 12 summarizes Postfix' log. Where each mail has a sender of its own (VERP) it lists each as a
# sender. Its option --verp_mung=2 joins those of ezmlm's form, list-bounces-NUMBER-user=host@, and not those of Postfix'
# own form, list+user=host@ (default_verp_delimiters is +=), nor a signed tag after a "+".
# So a newsletter to 10,000 people is 10,000 lines: leave them out by -u, or rewrite the log before:
# sed 's/from=<b+[^@]*@/from=<b@/'.
set -eu
version=1.1.5-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "pflogsumm=$version" libdate-calc-perl libcarp-clan-perl libbit-vector-perl
for package in ./*.deb; do dpkg -x "$package" .; done
echo "pflogsumm $version"
for sender in news-bounces-1-ann=example.org news-bounces-2-bob=example.org \
    news+ann=example.org news+bob=example.org news+b3kxb4ja news+b7qwb5ma; do
    number=$((${number:-0} + 1))
    line="Nov 30 10:00:00 mail postfix/%s[2]: ABC00$number: %s\n"
    # shellcheck disable=SC2059
    printf "$line" smtpd 'client=localhost[127.0.0.1]' \
        qmgr "from=<$sender@lists.example>, size=1000, nrcpt=1 (queue active)" \
        smtp "to=<ann@example.org>, relay=mx.example.org[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 Ok)" \
        qmgr removed
done >log
senders() {
    LD_LIBRARY_PATH=$(echo usr/lib/*-linux-gnu) /usr/bin/perl -I usr/share/perl5 -I "$(echo usr/lib/*-linux-gnu/perl5/5.36)" \
        usr/sbin/pflogsumm "$@" log | sed -n '/^Senders by message count/,/^Recipients/p' | grep @
}
echo "without the option:"
senders
echo "--verp_mung=2:"
senders --verp_mung=2 | tee munged
[ "$(senders | wc -l)" = 6 ]
[ "$(wc -l <munged)" = 5 ]
grep -q ' 2 *news-bounces-ID@lists.example$' munged
[ "$(grep -c 'news+' munged)" = 4 ]
sed 's/from=<news+[^@]*@/from=<news@/' log >joined
mv joined log
senders | grep ' 4 *news@lists.example$'
