#!/bin/sh
# s3rver 3.7.1, an S3 server for tests, answers 500 InternalError to ListObjectsV2 when more than 1,000 objects match.
# The API's answer would be 1,000 keys and a continuation token. s3rver encrypts that token with single DES, which
# OpenSSL 3, and so Node.js 17 and newer, does not offer any more.
# A client that is tested against s3rver has to keep below 1,000 objects under one prefix.
set -eu

folder=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    rm -rf "$folder"
}
trap end EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts s3rver@3.7.1 >/dev/null
echo "s3rver $(node -p "require('s3rver/package.json').version"), Node.js $(node --version), OpenSSL $(node -p process.versions.openssl)"

mkdir objects
node node_modules/s3rver/bin/s3rver.js -a 127.0.0.1 -p 14568 -d objects --configure-bucket listed --silent >log 2>&1 &
server=$!
until curl -s -o answer http://127.0.0.1:14568/; do sleep 0.2; done

put() {
    : >empty
    seq -f "http://127.0.0.1:14568/listed/%05g" "$1" "$2" | while read -r url; do
        printf 'url = "%s"\nupload-file = "empty"\noutput = "answer"\n' "$url"
    done >urls
    curl -s -K urls
}
list() {
    curl -s -o answer -w '%{http_code}' 'http://127.0.0.1:14568/listed?list-type=2'
}

put 1 1000
status=$(list)
echo "1,000 objects: $status"
[ "$status" = 200 ] || exit 1
put 1001 1001
status=$(list)
echo "1,001 objects: $status $(grep -o '<Code>[A-Za-z]*</Code>' answer)"
[ "$status" = 500 ]
