"""Start tap-listrak, unchanged, against another address: `start.py DESCRIPTION ARGUMENTS…`."""

import sys

import tap_listrak.http

tap_listrak.http.WSDL = sys.argv.pop(1)
tap_listrak.main()
