#!/bin/sh
# Uploads three contacts through MagnetMail's uploadListQueue and polls getUploadJobStatus to the end. Needs curl only.
# Usage: poll_upload.sh [BASE_URL [LOGIN [PASSWORD [GROUP]]]]
set -eu
base=${1:-http://127.0.0.1:8080} login=${2:-demo} password=${3:-demo} group=${4:-1}
ns=http://www.magnetmail.net/

# call OPERATION HEADER MEMBERS: posts a SOAP 1.1 request and prints the answer.
call() {
    curl -sS "$base/mmapi.asmx" -H 'Content-Type: text/xml; charset=utf-8' -H "SOAPAction: \"$ns$1\"" --data-binary @- <<EOF
<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header>$2</soap:Header><soap:Body><$1 xmlns="$ns">$3</$1></soap:Body></soap:Envelope>
EOF
}

# member NAME: the text of the first element of that name in the answer.
member() { sed -n "s/.*<$1>\([^<]*\)<\/$1>.*/\1/p" | head -n 1; }

answer=$(call Authenticate '' "<username>$login</username><password>$password</password>")
session=$(echo "$answer" | member sessionId)
[ -n "$session" ] || { echo "The logon was refused: $answer" >&2; exit 1; }
header="<mmAuthHeader xmlns=\"$ns\"><sessionId>$session</sessionId></mmAuthHeader>"

answer=$(call uploadListQueue "$header" "<groupid>$group</groupid><csvData>Email,First_Name
ann@example.org,Ann
bob@example.org,Bob
no address,Nobody
</csvData><replace_group>false</replace_group><update_dups>true</update_dups><header_line>true</header_line><mapping_name>example</mapping_name><MM_1>Email</MM_1><MM_2>First_Name</MM_2>")
job=$(echo "$answer" | member jobid)
[ -n "$job" ] || { echo "The upload was refused: $answer" >&2; exit 1; }
echo "Upload job $job"

tries=0
while [ "$tries" -lt 120 ]; do
    answer=$(call getUploadJobStatus "$header" "<jobid>$job</jobid>")
    status=$(echo "$answer" | member status)
    [ -n "$status" ] || { echo "The poll was refused: $answer" >&2; exit 1; }
    echo "status $status: $(echo "$answer" | member total_records) rows, $(echo "$answer" | member good_records) good," \
        "$(echo "$answer" | member new_added) new, $(echo "$answer" | member old_updated) changed"
    # 2 completed, 3 failed, 4 cancelled.
    [ "$status" -lt 2 ] || exit $((status - 2))
    tries=$((tries + 1))
    sleep 1
done
echo "Still not done." >&2
exit 1
