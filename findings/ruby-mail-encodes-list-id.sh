#!/bin/sh
# Ruby's mail 2.7.1 (Debian 12), which Rails writes mails with, encodes all of a header that it does not know as soon as one
# letter is beyond ASCII: List-Id: Zürich <news.example.com> becomes one encoded word, with the identifier and its brackets in
# it. An encoded word may stand in the phrase alone (RFC 2047 5), so filters find no identifier, and a List-Unsubscribe
# with a comment such as (Abmelden für immer) has no link. From and To are right.
# Encode the phrase before, by Mail::Encodings.encode_non_usascii or by hand.
set -eu
version=2.7.1+dfsg1-2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "ruby-mail=$version" ruby-mini-mime
for package in ./*.deb; do dpkg -x "$package" .; done
ruby -I usr/lib/ruby/vendor_ruby - <<'RUBY'
require 'mail'

puts "mail #{Mail::VERSION.version}"

def written(name, value)
  mail = Mail.new(from: 'news@example.com', to: 'ann@example.org', subject: 'News', body: 'News')
  mail[name] = value
  line = mail.to_s.gsub(/\r\n[ \t]+/, ' ')[/^#{name}: .*?(?=\r\n)/]
  puts line
  line
end

raise unless written('List-Id', 'Zürich <news.example.com>') == 'List-Id: =?UTF-8?Q?Z=C3=BCrich_<news.example.com>?='
raise unless written('List-Id', 'Zurich <news.example.com>') == 'List-Id: Zurich <news.example.com>'
raise unless written('From', 'Zürich <news@example.com>') == 'From: =?UTF-8?B?WsO8cmljaA==?= <news@example.com>'
link = written('List-Unsubscribe', '<https://x.example/u> (für immer)')
raise if link.include?('<https://x.example/u> ') || !link.start_with?('List-Unsubscribe: =?UTF-8?Q?<')
RUBY
