"""Whether the SMTP server accepts our mail at all, judged by its replies to mails and connections."""

from __future__ import annotations

from collections.abc import Collection

from soapstone.sending.smtp.replies import Outcome, Verdict

# Seconds without an accepted mail after which the send goes back to the queue.
WITHOUT_SUCCESS = 20.0


class Availability:
    """The server's availability as seen by one attempt at a send; times are of the loop's clock.

    `works` is set once it has accepted or refused a mail; `refusal` says why it accepts no mail from us, `trouble` why
    none now. `refused_for` is the last recipient whose MAIL got a 5xx reply, None if a MAIL was accepted since.
    """

    def __init__(self, refused_for: int | None) -> None:
        self.works = False
        self.refusal = ""
        self.trouble = ""
        self.refused_for = refused_for
        self._trouble_since: float | None = None
        self._sender_refused: set[int] = set()
        # Mails under way at the last refusal: the server may have accepted their sender before.
        self._before_refusal: set[int] = set()

    def judge(self, number: int, outcome: Outcome, under_way: Collection[int]) -> Outcome:
        """Judge the server by a recipient's outcome; return the outcome that concerns the recipient.

        `under_way` holds the numbers of the other recipients whose mails are under way.
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
        """Record that the server accepts no mail from us at all."""
        self.refusal = self.refusal or why

    def rest(self, why: str, moment: float) -> None:
        """Record that a connection carried no mail."""
        self.trouble = why
        if self._trouble_since is None:
            self._trouble_since = moment

    def is_away(self, moment: float, *, was_away: bool) -> bool:
        """Return whether the server has accepted nothing for a while; with `was_away`, without waiting."""
        if self._trouble_since is None:
            return False
        return moment - self._trouble_since >= (0.0 if was_away else WITHOUT_SUCCESS)

    def _judge_sender(self, number: int, outcome: Outcome) -> Outcome:
        """Distinguish a refused sender from one refused mail: if the next mail is refused too, it is the sender."""
        if self.refused_for is not None and self.refused_for != number:
            self.refuse(outcome.reply)
        elif number in self._sender_refused:
            # The same recipient again: no other one to compare with.
            outcome = outcome._replace(verdict=Verdict.FAILED)
        self._sender_refused.add(number)
        self.refused_for = number
        return outcome
