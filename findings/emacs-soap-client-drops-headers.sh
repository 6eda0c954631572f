#!/bin/sh
# soap-client, the SOAP library of Emacs 28.2, sends the members of a header without the header's own element when the
# element and its type have the same name, as in descriptions by ASP.NET: it looks up both in one table, where XML Schema
# has two (part 1, 2.5). The service finds no header, and refuses the logon. With names that differ, the element is there.
# It cannot load a description with an element that has no type, which XML Schema allows (part 1, 3.3.2: any type).
# Rename the type in a copy of the description, and write type="…:anyType". Needs root and Debian 12.
set -eu
version=1:28.2+1-15+deb12u4
command -v emacs >/dev/null || apt-get install -qq -y --no-install-recommends "emacs-nox=$version" >/dev/null
[ "$(dpkg-query -W -f '${Version}' emacs-nox)" = "$version" ]
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
describe() {
    cat >"$1.wsdl" <<XML
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
<types><x:schema targetNamespace="urn:t" elementFormDefault="qualified">
  <x:element name="Login" type="t:$2"/>
  <x:complexType name="$2"><x:sequence><x:element name="User" type="x:string"/></x:sequence></x:complexType>
  <x:element name="Ask"><x:complexType><x:sequence><x:element name="Value"$3/></x:sequence></x:complexType></x:element>
</x:schema></types>
<message name="In"><part name="parameters" element="t:Ask"/></message><message name="Out"/>
<message name="Head"><part name="Login" element="t:Login"/></message>
<portType name="P"><operation name="Ask"><input message="t:In"/><output message="t:Out"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="Ask"><soap:operation soapAction="urn:t:Ask"/>
  <input><soap:body use="literal"/><soap:header message="t:Head" part="Login" use="literal"/></input>
  <output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="S" binding="t:B"><soap:address location="http://127.0.0.1:9/"/></port></service></definitions>
XML
}
describe same Login ' type="x:string"'
describe other LoginType ' type="x:string"'
describe untyped LoginType ''
cat >ask.el <<'LISP'
(require 'soap-client)
(princ (format "%s\n" (emacs-version)))
(dolist (name '("same" "other" "untyped"))
  (princ
   (condition-case trouble
       (let* ((wsdl (soap-load-wsdl (expand-file-name (concat name ".wsdl"))))
              (operation (soap-find-operation (soap-find-port wsdl "S") "Ask")))
         (soap-create-envelope operation '(((Login (User . "ann")) (Value . "x"))) wsdl))
     (error (format "%s: %S\n" name trouble)))))
LISP
emacs --batch --no-site-file -l ask.el >answers 2>messages || { cat messages; exit 1; }
cat answers
python3 - <<'PYTHON'
import re

same, other = re.findall("<soap:Header>(.*?)</soap:Header>", open("answers").read(), re.DOTALL)
assert "Login" not in same and "User" in same, same
assert "<ns2:Login><ns2:User" in other, other
assert 'untyped: (error "soap-xs-parse-element: Missing type or ref")' in open("answers").read()
PYTHON
