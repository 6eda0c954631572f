#!/bin/sh
# soap4r 2.0.5 (ruby-soap4r of Debian 12, Ruby 3.1) multiplies the fraction of a second by 86,400, the seconds of a day:
# 13:05:07.5 goes out as "13:05:0743200.", which is no dateTime, and 13:05:07.000001 as "13:05:07.0864", which is one, and
# wrong. DateTime.now and Time.now always have a fraction. Round such a time to whole seconds, or send it as a string; a
# string with a fraction goes out as it is.
set -eu
version=2.0.5-6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "ruby-soap4r=$version"
dpkg -x ruby-soap4r_*.deb .
ruby -W0 -I "$(dirname "$(find "$work" -path '*/lib/xsd/datatypes.rb')")/.." - <<RUBY
require 'xsd/datatypes'
puts "ruby-soap4r $version, Ruby #{RUBY_VERSION}"
whole = DateTime.new(2024, 2, 29, 13, 5, 7)
{
  whole => '2024-02-29T13:05:07Z',
  whole + Rational(1, 2 * 86_400) => '2024-02-29T13:05:0743200.Z',
  Time.utc(2024, 2, 29, 13, 5, 7, 1) => '2024-02-29T13:05:07.0864Z',
  '2024-02-29T13:05:07.5Z' => '2024-02-29T13:05:07.5Z'
}.each do |time, expected|
  sent = XSD::XSDDateTime.new(time).to_s
  puts "#{time.respond_to?(:strftime) ? time.strftime('%FT%T.%6N') : time}: #{sent}"
  exit 1 unless sent == expected
end
RUBY
