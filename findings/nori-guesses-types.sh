#!/bin/sh
# nori 2.6.0, which reads the answers for Ruby's SOAP client savon, guesses a type for each text, whatever the description
# says: the name "true" is a boolean, the code "13:05:07Z" the Time of today, "2024-02-29" a Date. A dateTime without a
# zone, which XML Schema leaves open (part 2, 3.2.7), counts as UTC: a service with its own wall-clock time is hours off.
# Texts beside it stay: "True", "007", "2024-02-30". Numbers are texts.
# Give nori the option advanced_typecasting: false, and convert the members that you know.
set -eu
version=2.6.0-1.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "ruby-nori=$version"
dpkg -x ruby-nori_*.deb .
ruby -W0 -I usr/lib/ruby/vendor_ruby - <<'RUBY'
require 'nori'
require 'nori/version'

puts "nori #{Nori::VERSION}, Ruby #{RUBY_VERSION}"
day = Time.now.utc.to_date
{
  'true' => true,
  ' false ' => false,
  '2024-02-29' => Date.new(2024, 2, 29),
  '13:05:07Z' => Time.utc(day.year, day.month, day.day, 13, 5, 7),
  '2024-02-29T13:05:07' => DateTime.new(2024, 2, 29, 13, 5, 7, '+0'),
  'True' => 'True',
  '2024-02-30' => '2024-02-30',
  '007' => '007',
  '7' => '7',
}.each do |text, expected|
  xml = "<Contact><Value>#{text}</Value></Contact>"
  found = Nori.new(parser: :rexml).parse(xml)['Contact']['Value']
  puts "#{text.inspect}: #{found.inspect}"
  raise text unless found == expected && found.is_a?(expected.class)
  plain = Nori.new(parser: :rexml, advanced_typecasting: false).parse(xml)['Contact']['Value']
  raise plain.inspect unless plain == text
end
RUBY
