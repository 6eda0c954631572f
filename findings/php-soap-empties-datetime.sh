#!/bin/sh
# PHP's SoapClient (8.2.36 of Debian 12) writes an empty element for a DateTime or DateTimeImmutable object, without an
# error or a warning: xs:dateTime takes a text, or a number of seconds since 1970. A server answers with a fault about an
# empty date, or, where the member is a text, stores an empty one. Send $date->format(DATE_ATOM).
# An xs:decimal from a large float goes out as 1.0E+21, which is no decimal.
set -eu
version=8.2.36-1~deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "php8.2-cli=$version" "php8.2-soap=$version"
for package in ./*.deb; do dpkg -x "$package" .; done
cat >wsdl <<'XML'
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:t" targetNamespace="urn:t">
<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><element name="Ask"><complexType><sequence>
  <element name="When" type="dateTime"/><element name="Amount" type="decimal"/></sequence></complexType></element></schema></types>
<message name="In"><part name="parameters" element="t:Ask"/></message>
<portType name="P"><operation name="Ask"><input message="t:In"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="Ask"><soap:operation soapAction="urn:t:Ask"/><input><soap:body use="literal"/></input></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://127.0.0.1:9/"/></port></service></definitions>
XML
cat >ask.php <<'PHP'
<?php
set_error_handler(function ($number, $text) { throw new ErrorException($text); });
class Client extends SoapClient
{
    public string $sent = '';

    public function __doRequest($request, $location, $action, $version, $one_way = false): ?string
    {
        $this->sent = preg_replace('/.*<ns1:Ask>|<\/ns1:Ask>.*/s', '', $request);
        return '';
    }
}
$client = new Client('wsdl', ['cache_wsdl' => WSDL_CACHE_NONE]);
echo 'PHP ', PHP_VERSION, "\n";
foreach ([
    [new DateTime('2024-02-29T13:05:07Z'), '<When/>'],
    [new DateTimeImmutable('2024-02-29T13:05:07Z'), '<When/>'],
    [1709211907, '<When>2024-02-29T13:05:07Z</When>'],
    ['2024-02-29T13:05:07Z', '<When>2024-02-29T13:05:07Z</When>'],
] as [$when, $expected]) {
    $client->Ask(['When' => $when, 'Amount' => 1e21]);
    echo get_debug_type($when), ': ', $client->sent, "\n";
    if ($client->sent !== $expected . '<Amount>1.0E+21</Amount>') {
        exit(1);
    }
}
PHP
usr/bin/php8.2 -n -d extension_dir="$(dirname "$(find "$work/usr/lib/php" -name soap.so)")" -d extension=soap -d date.timezone=UTC ask.php
