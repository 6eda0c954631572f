#!/bin/sh
# Ruby's mail 2.7.1 (Debian 12), which Rails reads mails with, takes a report about several recipients (RFC 3464 2.3) for one
# about the first: bounced? is false when that one was delivered and the second failed, retryable? is true whatever failed,
# also when all did for good, and diagnostic_code of one recipient stands alone, so that nothing says whose it is.
# Read the blocks of the part message/delivery-status one by one.
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

def expect(bounced, retryable, *blocks)
  blocks = blocks.map { |name, action, status, *more| <<~BLOCK + more.join }
    Final-Recipient: rfc822; #{name}@example.org
    Action: #{action}
    Status: #{status}
  BLOCK
  report = Mail.new(<<~MAIL.gsub("\n", "\r\n"))
    From: MAILER-DAEMON@mx.example.org
    To: news@example.com
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status; boundary=b

    --b

    Not delivered.
    --b
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mx.example.org

    #{blocks.join("\n").strip}

    --b--
  MAIL
  raise report.to_s unless report.final_recipient == (blocks.size == 1 ? report.final_recipient : blocks.map { |b| b[/rfc822.*/] })
  puts "#{[report.action].flatten.zip([report.error_status].flatten)}: bounced? #{report.bounced?}, retryable? #{report.retryable?}"
  raise unless [report.bounced?, report.retryable?] == [bounced, retryable]
  report
end

expect(true, false, ['ann', 'failed', '5.1.1'])
expect(true, true, ['ann', 'failed', '5.1.1'], ['bob', 'failed', '5.2.1'])
expect(false, true, ['bob', 'delivered', '2.0.0'], ['ann', 'failed', '5.1.1'])
why = "Diagnostic-Code: smtp; 550 5.2.1 disabled\n"
raise unless expect(true, true, ['ann', 'failed', '5.1.1'], ['bob', 'failed', '5.2.1', why]).diagnostic_code == why[/smtp.*/]
RUBY
