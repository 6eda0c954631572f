"""Uploads of files that Soapstone has written itself, and of addresses with something around them."""

from __future__ import annotations

from typing import Any

import pytest

from soapstone.imports.own_columns import EXPORT

ANN, BOB, CID = "ann@example.org", "bob@example.org", "cid@example.org"
HEADING = [*EXPORT.values(), "First_Name", "Reason", "attribute:number", "attribute:First_Name"]
ROWS = [
    ["7", "3", ANN, "", "subscribed", "2026-01-02T03:04:05+00:00", "API", "", "", "Ann", "why", "seven", "x"],
    ["8", "4", BOB, "", "unsubscribed", "2026-01-02T03:04:05+00:00", "API", "", "2026-02-01T00:00:00Z", *([""] * 4)],
]


def file(*columns: list[str]) -> str:
    return "".join(",".join(row) + "\r\n" for row in columns)


@pytest.mark.parametrize("queue", [False, True])
def test_an_export_is_taken_as_it_is(desk: Any, queue: bool) -> None:
    """mm-45, mm-62: its own columns are left out, and who left the list comes as unsubscribed (mm-59)."""
    group = desk.group("Readers")
    profiles = desk.product.profiles
    header = profiles.add_header(desk.account.id, group.id, "About")
    names = ("Reason", "number", "First_Name")
    why, number, first = (str(profiles.add_attribute(desk.account.id, group.id, header, name)) for name in names)

    def upload(data: str) -> Any:
        if not queue:
            return desk.upload(data, groupid=group.id, header_line=True)
        entry = desk.enter(data, GroupId=group.id, HasHeaderRow=True)
        desk.work()
        job = desk.GetUploadInitialQueueJobStatus(initialQueueId=entry).JobId
        return desk.getUploadJobStatus(jobid=int(job))

    done = upload(file(HEADING, *ROWS))
    assert (done.status, done.good_records, done.new_added, done.group_count) == (2, 2, 2, 2), done
    expected = {ANN: ("subscribed", {why: "why", number: "seven", first: "x"}), BOB: ("unsubscribed", {})}
    assert desk.members(group) == expected
    assert desk.records()[0] == {"email": ANN, "first_name": "Ann"}
    # Once more, into the group that it came from.
    again = upload(file(HEADING, *ROWS))
    assert (again.good_records, again.new_added, again.old_updated) == (2, 0, 0)
    assert desk.members(group) == expected
    # The rejected rows of such a file, corrected.
    rejected = ["3", "The e-mail address is malformed."]
    assert upload(file(["line", "reason", *HEADING], [*rejected, "9", "5", CID, *ROWS[0][3:]])).good_records == 1
    assert desk.members(group) == expected | {CID: expected[ANN]}


def test_other_headings_stay_unknown(desk: Any) -> None:
    """mm-44: a file that lacks one column of an export is none of ours."""
    refused = desk.queue(file(HEADING[:-4][1:], ROWS[0][1:-4]), header_line=True, groupid=0)
    assert refused.msg == "There is no recipient field number."
    group = desk.group("Readers")
    refused = desk.queue(file(HEADING, *ROWS), header_line=True, groupid=group.id)
    assert refused.msg == "There is no recipient field Reason."


def test_addresses_are_taken_as_they_are(desk: Any) -> None:
    """mm-53: rows without a valid address are not taken; single calls answer as before (mm-73)."""
    group = desk.group("Readers")
    done = desk.upload(f"Ann <{ANN}>\n{BOB};\nmailto:{CID}\n{ANN}\n\xa0{BOB}\xa0\n", groupid=group.id, MM_1="Email")
    assert (done.total_records, done.good_records) == (5, 2)
    assert set(desk.members(group)) == {ANN, BOB}
    assert "repaired" not in desk.product.jobs.find()[0].counters
