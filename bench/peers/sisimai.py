"""What is read of a set of bounce mails, compared with what sisimai reads of it (Debian's libsisimai-perl).

    sisimai.py FOLDER

The folder is a checkout of github.com/sisimai/set-of-emails. Every difference is printed, with the figures at the end.
It ends with an error below 99 % equal recipients or 97 % equal judgements of temporary and permanent, of the mails that
both take for bounces.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from soapstone.tracking.incoming_mails import Classified, classify
from soapstone.tracking.mail_parts import read_mail
from soapstone.tracking.recipient_reports import RecipientReport
from soapstone.vocabulary.tracking import BounceClass, IncomingKind

RECIPIENTS, JUDGEMENTS = 0.99, 0.97
# The same mails with other line ends are in dos and mac; sisimai reads one of the three.
FOLDERS = ("maildir/bsd", "maildir/err", "maildir/not")
NO_BOUNCES = ("feedback", "vacation", "delivered")
# Reasons that pass, whatever the code; of a network, where the mail has no code and sisimai makes one up.
PASSING = ("expired", "mailboxfull")
MADE_UP = "5.0.9"
READ = r"""
use strict; use Sisimai; use JSON;
my $json = JSON->new->canonical->utf8;
while (my $path = <STDIN>) {
    chomp $path;
    my $found = -s $path ? eval { Sisimai->make($path, 'delivered' => 1) } : undef;
    print $json->encode([map { {
        recipient => lc $_->recipient->address, reason => $_->reason, status => $_->deliverystatus,
        program => $_->smtpagent,
    } } @{$found || []}]), "\n";
}
"""


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    paths = [path for name in FOLDERS for path in sorted((folder / name).glob("*.eml"))]
    if not paths:
        sys.exit(f"{folder} holds no {FOLDERS[0]}/*.eml")
    kinds: Counter[tuple[str, str]] = Counter()
    counts: Counter[str] = Counter()
    for path, theirs in zip(paths, sisimai(paths), strict=True):
        ours = classify(read_mail(path.read_bytes()))
        bounces = [each for each in theirs if each["reason"] not in NO_BOUNCES]
        kind = "bounce" if bounces else theirs[0]["reason"] if theirs else "nothing"
        kinds[kind, ours.kind] += 1
        counts.update(compared(path.name, bounces, ours))
        if not bounces and ours.kind is IncomingKind.BOUNCE:
            print(f"{path.name}: a bounce here, {kind} there")
    print("\nmails by what sisimai and Soapstone take them for:")
    for (their, our), count in sorted(kinds.items()):
        print(f"{count:5} {their} / {our}")
    for name, bound in (("recipients", RECIPIENTS), ("judgements", JUDGEMENTS)):
        share = counts[f"equal {name}"] / counts[name]
        print(f"{name}: {counts[f'equal {name}']} of {counts[name]} equal, {share:.1%}, at least {bound:.0%} wanted")
        if share < bound:
            sys.exit(1)


def sisimai(paths: list[Path]) -> list[list[dict[str, Any]]]:
    """What sisimai reads of each file: recipient, reason, status and program for each bounce."""
    text = "".join(f"{path}\n" for path in paths)
    result = subprocess.run(["perl", "-e", READ], input=text, stdout=subprocess.PIPE, check=True, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def compared(name: str, bounces: list[dict[str, Any]], ours: Classified) -> Counter[str]:
    """Count and print what differs in one mail."""
    counts: Counter[str] = Counter()
    told = [each for each in (ours.report.recipients if ours.report else ()) if each.bounce or each.action == "delayed"]
    if bounces and not told:
        print(f"{name}: {bounces[0]['program']} {bounces[0]['reason']}, here {ours.kind}")
        return counts
    for bounce in bounces:
        counts["recipients"] += 1
        among = [each for each in told if bounce["recipient"] in (each.address.lower(), each.original_address.lower())]
        if among:
            counts["equal recipients"] += 1
        else:
            print(f"{name}: {bounce['program']} {bounce['recipient']}, here {[each.address for each in told]}")
        if one := next((each for each in among if code(each) == bounce["status"]), next(iter(among or told), None)):
            counts["judgements"] += 1
            passes = bounce["reason"] in PASSING or bounce["status"].startswith("4")
            passes |= bounce["reason"] == "networkerror" and bounce["status"].startswith(MADE_UP)
            if passes == is_temporary(one):
                counts["equal judgements"] += 1
            else:
                kind = one.bounce.bounce_class if one.bounce else one.action
                print(f"{name}: {bounce['program']} {bounce['status']} {bounce['reason']}, here {code(one)} {kind}")
    return counts


def code(report: RecipientReport) -> str:
    """The code of a bounce."""
    return report.bounce.code if report.bounce else ""


def is_temporary(report: RecipientReport) -> bool:
    """Whether a mail to the same address might arrive later."""
    if report.bounce is None:
        return True
    return report.bounce.bounce_class in (BounceClass.FULL, BounceClass.TRANSIENT) or code(report).startswith("4")


if __name__ == "__main__":
    main()
