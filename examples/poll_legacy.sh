#!/bin/sh
# Mails a list through Send to List and polls Listrak's GetLegacyProcessStatus to the end. Needs curl only.
# Usage: poll_legacy.sh [BASE_URL [LOGIN [PASSWORD [LIST]]]]
set -eu
base=${1:-http://127.0.0.1:8080} login=${2:-demo} password=${3:-demo} list=${4:-1}
ns=http://webservices.listrak.com/v31/

# member NAME: the text of the first element of that name in the answer.
member() { sed -n "s/.*<$1>\([^<]*\)<\/$1>.*/\1/p" | head -n 1; }

answer=$(curl -sS "$base/xml/SendToList" -H 'Content-Type: application/xml' --data-binary @- <<EOF
<SendToList>
  <UserName>$login</UserName><Password>$password</Password><ListID>$list</ListID>
  <Message>
    <Subject>Hello {{ First_Name or 'there' }}</Subject>
    <FromName>Example</FromName><FromEmailAddress>news@example.com</FromEmailAddress>
    <TextBody>This is mail number one.</TextBody>
  </Message>
</SendToList>
EOF
)
process=$(echo "$answer" | member StatusID)
[ -n "$process" ] || { echo "The send was refused: $answer" >&2; exit 1; }
echo "Process $process"

tries=0
while [ "$tries" -lt 120 ]; do
    answer=$(curl -sS "$base/v31/IntegrationService.asmx" -H 'Content-Type: text/xml; charset=utf-8' \
        -H "SOAPAction: \"${ns}GetLegacyProcessStatus\"" --data-binary @- <<EOF
<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header><WSUser xmlns="$ns"><UserName>$login</UserName><Password>$password</Password></WSUser></soap:Header><soap:Body><GetLegacyProcessStatus xmlns="$ns"><ListID>$list</ListID></GetLegacyProcessStatus></soap:Body></soap:Envelope>
EOF
    )
    # The processes come newest first; this one is picked by its number.
    row=$(echo "$answer" | sed 's/<WSLegacyProcessStatus>/\
/g' | grep "<StatusID>$process</StatusID>") || { echo "The poll was refused: $answer" >&2; exit 1; }
    step=$(echo "$row" | member CurrentStep) most=$(echo "$row" | member MaxStep)
    done=$(echo "$row" | member ProcessCompleteTime)
    echo "$(echo "$row" | member ProcessType): step $step of $most"
    [ "$step" -lt "$most" ] || exit 0
    case $done in 0001-*) ;; *) echo "It failed at $done." >&2; exit 1 ;; esac
    tries=$((tries + 1))
    sleep 1
done
echo "Still not done." >&2
exit 1
