"""What the replies to mails, and to connecting, say of the server itself: whether it takes our mail at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from soapstone.sending.smtp.replies import Outcome, Verdict

# Seconds in which the server takes nothing after which the send goes back to the queue.
WITHOUT_SUCCESS = 20.0


class Availability:
    """The server as one attempt at a send has met it; times are of the loop's clock.

    `works` once it has taken or refused a mail, `refusal` why it takes no mail from us at all, `trouble` why it takes
    nothing now. `refused_for` is the last recipient whose MAIL got a 5xx reply, None if a MAIL was accepted since.
    """

    def __init__(self, refused_for: int | None) -> None:
        self.works = False
        self.refusal = ""
        self.trouble = ""
        self.refused_for = refused_for
        self._trouble_since: float | None = None
        self._sender_refused: set[int] = set()
        # Mails that were under way at the last refusal: the server may have accepted their sender before.
        self._before_refusal: set[int] = set()

    def judge(self, number: int, outcome: Outcome, under_way: Collection[int]) -> Outcome:
        """Note what the outcome for a recipient says of the server; return what it says of the recipient.

        `under_way` are the numbers of the recipients whose mails are under way beside this one.
        """
        if outcome.verdict is Verdict.REFUSES_WORK:
            self.refuse(outcome.reply)
        elif outcome.verdict is Verdict.REFUSES_SENDER:
            outcome = self._judge_sender(number, outcome)
            self._before_refusal = set(under_way)
        elif outcome.took_up:
            self.works, self.trouble, self._trouble_since = True, "", None
            if number not in self._before_refusal:
                # The server has accepted this sender.
                self.refused_for = None
        self._before_refusal.discard(number)
        return outcome

    def refuse(self, why: str) -> None:
        """Note that the server takes no mail from us at all."""
        self.refusal = self.refusal or why

    def rest(self, why: str, moment: float) -> None:
        """Note that a connection was of no use."""
        self.trouble = why
        if self._trouble_since is None:
            self._trouble_since = moment

    def is_away(self, moment: float, *, was_away: bool) -> bool:
        """Return whether the server has taken nothing for a while; `was_away` has no patience."""
        if self._trouble_since is None:
            return False
        return moment - self._trouble_since >= (0.0 if was_away else WITHOUT_SUCCESS)

    def _judge_sender(self, number: int, outcome: Outcome) -> Outcome:
        """Tell a server that refuses our sender from one that refuses one mail: the next mail gets the same, or not."""
        if self.refused_for is not None and self.refused_for != number:
            self.refuse(outcome.reply)
        elif number in self._sender_refused:
            # It came last: no other recipient is left to compare it with.
            outcome = replace(outcome, verdict=Verdict.FAILED)
        self._sender_refused.add(number)
        self.refused_for = number
        return outcome
