"""What tests of messages and sends have in common: calls as stock clients write them, and answers read back."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

ANY = datetime(1, 1, 1)
ALL = {"archived": "all", "hidden": "all", "hasFax": "all", "hasEmail": "all"}
OPEN = {"createStartDate": ANY, "createEndDate": ANY, "sentStartDate": ANY, "sentEndDate": ANY}


def details(**members: Any) -> dict[str, Any]:
    """A message as clients send it: dates and character set are always there (mm-95)."""
    given = {"message_name": f"message {uuid4()}", "SubjectLine": "Hello", "FromAddress": "news@example.com"}
    dates = {"createDate": datetime(2001, 2, 3, 4, 5, 6), "lastSent": datetime(2002, 2, 3), "characterSet": "Western"}
    return {**given, "text_version": "Hello", **dates, **members}


def create(magnetmail: Any, **members: Any) -> int:
    made = magnetmail.createMagnetMailMessage(message=details(**members))
    assert made["error"] == 0, made
    return int(made["message_id"])


def listed(magnetmail: Any, operation: str, **filters: Any) -> dict[int, Any]:
    found = getattr(magnetmail, operation)(**{**OPEN, **ALL, **filters}) or []
    flat = [each.get("message", each) for each in found]
    assert [each["message_id"] for each in flat] == sorted(each["message_id"] for each in flat)
    return {each["message_id"]: each for each in flat}


def refusal(answer: Any) -> tuple[float, int, str]:
    assert answer["errorObj"]["errorMessage"] == answer["msg"] != ""
    assert answer["errorObj"]["errorType"] == "CUSTOM"
    return answer["error"], answer["errorObj"]["errorNumber"], answer["errorObj"]["errorCode"]


def whole_send(**members: Any) -> dict[str, Any]:
    """The members of sendMessageToGroup that a stock client wants to be told."""
    flags = "faxToFailedEmail_emailToFailedFax html_web_version_link text_web_version_link sendDespiteArchived "
    flags += "sendDespiteBadFrom ignore_dedupe"
    notification: dict[str, Any] = {"send_notification": False, "complete_notification": False}
    notification |= {"send_notification_when": 0, "send_complete_notification_when": 0}
    return {
        **dict.fromkeys(flags.split(), False),
        "loginid": 0,
        "send_type": "EmailOnly",
        "fax_resolution": "standard",
        "rssPublishType": "noRSS",
        "Newsletter": {"newsletter_archive": False, "newsletter_publish_date": ANY},
        "job_notification": notification,
        **members,
    }
