#!/bin/sh
# PHPMailer 6.6.3 of Debian 12 encodes a link of List-Unsubscribe from some 50 characters on when it hands the mail to PHP's
# mail(), its default: "=?us-ascii?Q?<https://...?=". The same mail goes out by SMTP with the link as it is. RFC 2047 5
# allows encoded words in texts, comments and phrases, and a link is none of them, so readers find none. By both ways the
# id of List-Id is within an encoded word when the name before it has an accented letter.
# Send by SMTP, and give List-Id an ASCII name. Needs Debian 12, with php-cli.
set -eu
version=6.6.3-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "libphp-phpmailer=$version"
dpkg -x libphp-phpmailer_*.deb .
cat >send.php <<'PHP'
<?php
use PHPMailer\PHPMailer\PHPMailer;

foreach (['Exception', 'PHPMailer'] as $file) require "usr/share/php/libphp-phpmailer/src/$file.php";
function headers_by(string $way, string $link): string {
    $mail = new PHPMailer(true);
    $mail->CharSet = 'utf-8';
    $mail->Mailer = $way;
    $mail->setFrom('news@example.com');
    $mail->addAddress('ann@example.org');
    $mail->Body = 'News';
    $mail->addCustomHeader('List-Unsubscribe', "<$link>");
    $mail->addCustomHeader('List-Id', 'Café <news.example.com>');
    $mail->preSend();
    preg_match_all('/^List-.*(?:\R .*)*/m', $mail->getSentMIMEMessage(), $found);
    echo "$way:\n", implode("\n", $found[0]), "\n";
    return implode("\n", str_replace("\r", '', $found[0]));
}
echo 'PHPMailer ', PHPMailer::VERSION, "\n";
$id = 'List-Id: =?utf-8?Q?Caf=C3=A9_<news.example.com>?=';
$link = 'https://lists.example.com/u/aeaaaaacaaaaaaaab6kxb4ja';
foreach (['mail' => false, 'smtp' => true] as $way => $whole) {
    if ((headers_by($way, $link) === "List-Unsubscribe: <$link>\n$id") !== $whole) exit(1);
    if (headers_by($way, 'https://a.example/u') !== "List-Unsubscribe: <https://a.example/u>\n$id") exit(1);
}
if (!str_starts_with(headers_by('mail', $link), 'List-Unsubscribe: =?us-ascii?Q?<https://')) exit(1);
PHP
php send.php
