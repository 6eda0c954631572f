"""What a report says of the recipients of a mail, whatever its form."""

from __future__ import annotations

from dataclasses import dataclass

from soapstone.tracking.bounce_classes import Bounce

MOST_RECIPIENTS = 100
LONGEST_ADDRESS = 320


@dataclass(frozen=True, kw_only=True)
class RecipientReport:
    """What a report says of one recipient: `action` as in RFC 3464, and the bounce, if the mail came back."""

    address: str
    original_address: str
    action: str
    bounce: Bounce | None


@dataclass(frozen=True, kw_only=True)
class DeliveryReport:
    """A delivery report with its recipients; there may be none."""

    recipients: tuple[RecipientReport, ...]

    def about(self, address: str) -> RecipientReport | None:
        """Return what the report says of a mail to this address.

        After forwarding the addresses in the report are others: then it is a failure before any other word.
        """
        key = address.casefold()
        mine = [each for each in self.recipients if key in (each.original_address.casefold(), each.address.casefold())]
        mine = mine if key else []
        among = mine or self.recipients
        return next((each for each in among if each.bounce), among[0] if among else None)
