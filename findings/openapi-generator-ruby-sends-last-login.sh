#!/bin/sh
# Where a description allows one of two ways to log on (OpenAPI 3.0.3, Security Requirement Object: one of a list is
# enough), the Ruby client that openapi-generator 7.26.0 makes writes all of them into the header Authorization, one over
# the other, in an order of its own. With a token alone it sends an empty login here, "Basic Og==": the server refuses it.
# It writes a Time in a query as Ruby prints it, "2026-01-31 08:00:00 UTC", which is no date-time of RFC 3339.
# Give the way that counts, and times as text by iso8601. Needs root, Debian 12 and Java.
set -eu
ruby -e 'require "typhoeus"' 2>/dev/null ||
    apt-get install -qq -y --no-install-recommends ruby ruby-typhoeus=1.4.0-3 >/dev/null
[ "$(dpkg-query -W -f '${Version}' ruby-typhoeus)" = 1.4.0-3 ]
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check openapi-generator-cli==7.26.0
cat >openapi.json <<'JSON'
{"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "security": [{"Token": []}, {"Login": []}],
 "components": {"securitySchemes": {"Token": {"type": "http", "scheme": "bearer"}, "Login": {"type": "http", "scheme": "basic"}}},
 "paths": {"/people": {"get": {"operationId": "find",
 "parameters": [{"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"}}],
 "responses": {"200": {"description": "found"}}}}}}
JSON
venv/bin/openapi-generator-cli generate -g ruby -i openapi.json -o client >log 2>&1 || { cat log; exit 1; }
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep openapi-generator
ruby -W0 -I client/lib - <<'RUBY'
require 'openapi_client'
require 'time'

# Return the header and the query of a call, which is not sent.
def sent(since, **settings)
  configuration = OpenapiClient::Configuration.new
  settings.each { |name, value| configuration.public_send("#{name}=", value) }
  client = OpenapiClient::ApiClient.new(configuration)
  request = nil
  client.define_singleton_method(:call_api) do |method, path, options|
    request = build_request(method, path, options)
    [nil, 200, {}]
  end
  OpenapiClient::DefaultApi.new(client).find(since: since)
  found = [request.options[:headers]['Authorization'], request.options[:params][:since].to_s]
  p found
  found
end

at = Time.utc(2026, 1, 31, 8)
raise unless sent(at, access_token: 'abc') == ['Basic Og==', '2026-01-31 08:00:00 UTC']
raise unless sent(at.iso8601, username: 'ann', password: 'x') == ["Basic #{['ann:x'].pack('m0')}", '2026-01-31T08:00:00Z']
RUBY
