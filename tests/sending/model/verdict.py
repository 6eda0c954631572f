"""What must hold of every send, whatever happened: the ledger and the job against the server's log and the people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row
from tests.sending.model.crowd import Person
from tests.sending.model.server import Envelope, Reply, reply_number
from tests.sending.model.trial import Trial

# Seconds within which a mail may still go to somebody who has just left, or after the send was paused.
GRACE = 2.0
PAUSE_GRACE = 5.0
# Mails to one person within a minute: what the retries say, and some for lost connections.
MOST_PER_MINUTE = 6
# Attempts at connecting within a minute, for each connection that the send may have, while none of them is of any use:
# in the first minute, and later.
MOST_CONNECTING = 12
MOST_CONNECTING_LATER = 6
# Codes by which a server says that it does not work for this client at all.
REFUSING = (530, 535, 538)

FINAL = ("handed", "failed", "uncertain", "skipped")


def faults(trial: Trial) -> list[str]:
    """Return a sentence for everything that must not be; the number of the rule comes first."""
    found = [f"0: {each}" for each in trial.faults]
    rows = trial.rows()
    found += _mailed_after_leaving(trial)
    found += _mailed_while_resting(trial)
    found += _too_often(trial)
    found += _server_served(trial, rows)
    found += _states(trial, rows)
    found += _out_of_turn(trial, rows)
    refused = [row for row in rows if row.state == "failed" and _of_the_sender(trial, row)]
    # One alone cannot be told from a mail that the server refuses.
    if len(refused) > 1:
        found.append(f"5: {len(refused)} mails failed because the sender was refused")
    by_person = defaultdict(list)
    for envelope in trial.server.envelopes:
        by_person[envelope.person].append(envelope)
    for row in rows:
        person = trial.crowd.person(row.contact_id)
        found += [f"5: {row.email}: {each}" for each in _contradictions(trial, row, person, by_person[person.number])]
    return found


def _mailed_after_leaving(trial: Trial) -> Iterator[str]:
    for envelope in trial.server.envelopes:
        if envelope.person is None:
            continue
        person = trial.crowd.person(envelope.person)
        if envelope.address not in _reach(person, envelope.mail_at - GRACE, envelope.mail_at):
            yield f"1: MAIL for {envelope.address} at {envelope.mail_at:.4f}, who may be mailed as {person.history}"


def _reach(person: Person, start: float, end: float) -> set[str]:
    """The addresses at which a person could be mailed at some moment between two."""
    at_start = [reach for moment, reach in person.history if moment <= start][-1:]
    return {*at_start, *(reach for moment, reach in person.history if start < moment <= end)}


def _mailed_while_resting(trial: Trial) -> Iterator[str]:
    for envelope in trial.server.envelopes:
        known = [rests for moment, rests in trial.rests if moment <= envelope.mail_at - PAUSE_GRACE][-1:]
        since = [rests for moment, rests in trial.rests if 0 <= envelope.mail_at - moment < PAUSE_GRACE]
        if all([*known, *since]):
            yield f"1: MAIL at {envelope.mail_at:.4f} though the send was paused or cancelled"


def _too_often(trial: Trial) -> Iterator[str]:
    by_person: dict[int, list[float]] = defaultdict(list)
    for envelope in trial.server.envelopes:
        # Where MAIL was refused the server has not heard of the person: that is counted with the connections.
        if envelope.person is not None and any(each.stage == "mail" and each.code < 300 for each in envelope.replies):
            by_person[envelope.person].append(envelope.mail_at)
    for number, moments in by_person.items():
        most = _most_within(moments, 60.0)
        if most > MOST_PER_MINUTE + trial.deaths:
            yield f"2: {most} mails to person {number} within a minute"
    stretch: list[float] = []
    for visit in trial.server.visits:
        # A process that was started again, and a person who lets the send go on, know nothing of what was before.
        fresh = any(stretch and stretch[-1] <= beginning <= visit.at for beginning in trial.beginnings)
        if visit.useful or fresh:
            yield from _connecting(trial, stretch)
            stretch = []
        if not visit.useful:
            stretch.append(visit.at)
    yield from _connecting(trial, stretch)


def _connecting(trial: Trial, stretch: Sequence[float]) -> Iterator[str]:
    """Vain attempts at connecting, one after another."""
    if (most := _most_within(stretch, 60.0)) > MOST_CONNECTING * trial.plan.connections:
        yield f"2: {most} vain attempts at connecting within a minute"
    late = [moment for moment in stretch if moment > stretch[0] + 180.0]
    if (most := _most_within(late, 60.0)) > MOST_CONNECTING_LATER * trial.plan.connections:
        yield f"2: {most} vain attempts at connecting within a minute, after three minutes in vain"


def _most_within(moments: Sequence[float], seconds: float) -> int:
    ordered, most, first = sorted(moments), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] > seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _server_served(trial: Trial, rows: Sequence[Row[Any]]) -> Iterator[str]:
    """A server that refuses to work is left alone, one that complains is served again."""
    log = list(trial.server.replies.values())
    begun = 0.0
    for moment, reason in trial.failures:
        before = [reply for reply in log if begun <= reply.at <= moment and reply.delivered]
        begun = moment
        if "refuses to work" in reason:
            hard = any(reply.code in REFUSING or _of_login(reply) for reply in before)
            senders = sum(reply.stage == "mail" and reply.code >= 500 for reply in before)
            if not hard and senders < 2:
                yield f"3: the send failed although the server did not refuse to work: {reason}"
        elif not _away_long(trial, moment):
            yield f"3: the send failed for no good reason: {reason}"
    refusals = [reply.at for reply in log if reply.code in REFUSING and reply.delivered]
    processes = 1 + trial.deaths + trial.retries + trial.attempts
    if len(refusals) > trial.plan.connections * processes:
        yield f"3: the server was asked again {len(refusals)} times though it refuses to work"
    job = trial.job
    if job.state == "failed" and trial.retries and not trial.server.complains and trial.plan.calm:
        yield f"3: the send was not served again: {job.error}"


def _of_login(reply: Reply) -> bool:
    return reply.stage == "auth" and reply.code >= 500


def _away_long(trial: Trial, moment: float) -> bool:
    """Whether the server was of no use for as long as a send waits."""
    useful = [visit.at for visit in trial.server.visits if visit.useful and visit.at <= moment]
    vain = [visit.at for visit in trial.server.visits if not visit.useful and visit.at > (useful[-1] if useful else -1)]
    waited = moment - vain[0] if vain else 0.0
    return waited >= trial.plan.retries.limit.total_seconds()


def _states(trial: Trial, rows: Sequence[Row[Any]]) -> Iterator[str]:
    job = trial.job
    if not job.over:
        yield f"4: the send has not ended but is {job.state}"
    numbers = Counter(row.contact_id for row in rows)
    yield from (f"4: contact {number} has {times} rows" for number, times in numbers.items() if times > 1)
    missing = [person.address for person in trial.crowd.people if person.contact_id not in numbers]
    if job.state == "completed":
        yield from (
            f"4: {person.address} is missing"
            for person in trial.crowd.people
            if person.contact_id not in numbers and all(reach for _, reach in person.history)
        )
        yield from (f"4: {row.email} is {row.state} at the end" for row in rows if row.state not in FINAL)
        yield from (f"4: {row.email} is due again after the end" for row in rows if row.next_try_at is not None)
    elif missing and job.step > 0:
        yield f"4: {missing} are missing"
    states = Counter(row.state for row in rows)
    for state in ("handed", "failed", "uncertain", "deferred", "skipped", "handing"):
        counted = job.counters.get(state, 0)
        if state == "handing":
            if states[state]:
                yield f"4: {states[state]} mails are on their way in a send that is over"
        elif counted != states[state]:
            yield f"4: the job counts {counted} {state}, the ledger has {states[state]}"
    if any(amount < 0 for amount in job.counters.values()):
        yield f"4: negative counters {dict(job.counters)}"


def _out_of_turn(trial: Trial, rows: Sequence[Row[Any]]) -> Iterator[str]:
    """Nobody is tried again while others wait for their first try.

    It cannot be told where a MAIL command came to nothing before its RCPT, where a process died with mails under way,
    and where a domain had to wait for its turn.
    """
    named = all(envelope.person is not None for envelope in trial.server.envelopes)
    if trial.deaths or trial.retries or trial.plan.rates[1] or not named:
        return
    first: dict[int, float] = {}
    waiting = {row.contact_id for row in rows if row.state != "skipped"}
    for envelope in trial.server.envelopes:
        number, moment = envelope.person or 0, envelope.mail_at
        if number not in first:
            first[number] = moment
            waiting.discard(number)
        elif waiting and trial.job.state == "completed" and _tried(trial, number, moment - GRACE):
            late = {each.person for each in trial.server.envelopes if each.mail_at <= moment + GRACE}
            if missing := waiting - late:
                yield f"6: person {number} is tried again at {moment:.4f} while {sorted(missing)} have not been tried"
                return


def _tried(trial: Trial, number: int, before: float) -> bool:
    """Whether the server spoke of a mail to a person before some moment."""
    mine = (each for each in trial.server.envelopes if each.person == number and each.mail_at < before)
    return any(_spoke_of_it(each) for each in mine)


def _contradictions(trial: Trial, row: Row[Any], person: Person, log: Sequence[Envelope]) -> Iterator[str]:
    taken = [envelope for envelope in log if envelope.taken]
    told = [reply for envelope in log for reply in envelope.replies if reply.delivered]
    last = trial.server.replies.get(reply_number(row.reply))
    if len({envelope.uid for envelope in log if envelope.uid}) > 1:
        yield "its mails have several Message-IDs"
    doubtful = sum(1 for envelope in log if _may_be_sent(envelope) and not _heard(envelope))
    if row.doubts > len(log) + trial.deaths:
        yield f"{row.doubts} doubts after {len(log)} mails and {trial.deaths} ends of the process"
    if row.doubts > doubtful + trial.deaths:
        yield f"{row.doubts} doubts, but the server left only {doubtful} mails without an answer"
    spoken = sum(_spoke_of_it(envelope) for envelope in log)
    if row.attempts < spoken:
        yield f"{row.attempts} attempts are counted, but the server spoke of {spoken} mails"
    anonymous = sum(each.person is None for each in trial.server.envelopes)
    if row.attempts > len(log) + anonymous + trial.deaths:
        yield f"{row.attempts} attempts are counted, but there were only {len(log)} mails"
    if last is not None and last.stage == "mail" and last.code < 500:
        yield f"what the server said to everybody is kept as if it was about this mail: {row.reply!r}"
    match row.state:
        case "handed":
            if not 1 <= len(taken) <= 1 + row.doubts:
                yield f"handed, but the server took {len(taken)} mails, with {row.doubts} doubts"
            if last is None or last.stage != "content" or not 200 <= last.code < 300:
                yield f"handed, but the last word was {row.reply!r}"
            if row.handed_at is None:
                yield "handed at no time"
        case "failed":
            if last is not None and last.code >= 500:
                if last not in told and last.stage != "mail":
                    yield f"failed by a reply that was for others: {row.reply!r}"
            elif not _exhausted(trial, log, row):
                yield f"failed by {row.reply!r} before the retries were exhausted"
        case "uncertain":
            if not doubtful and not trial.deaths:
                yield f"uncertain, but the server answered every mail ({row.reply!r})"
        case "deferred" | "chosen":
            if row.state == "deferred" and row.next_try_at is None:
                yield "deferred without a next try"
        case "skipped":
            if all(reach for _, reach in person.history):
                yield f"skipped ({row.reason}), though the person could be mailed all the time"
    if row.state != "handed" and len(taken) > row.doubts:
        yield f"{row.state}, but the server took {len(taken)} mails, with {row.doubts} doubts"
    if row.state != "handing" and row.reply and last is not None and not last.delivered:
        yield f"its reply was never delivered: {row.reply!r}"


def _spoke_of_it(envelope: Envelope) -> bool:
    """Whether the client has read what the server does with this mail."""
    return any(
        reply.delivered
        and (
            reply.stage == "content"
            or (reply.stage == "data" and reply.code != 354)
            or (reply.stage == "rcpt" and reply.code >= 300)
        )
        for reply in envelope.replies
    )


def _may_be_sent(envelope: Envelope) -> bool:
    """Whether the client has sent the content, or was asked for it: what it sent then may be lost on its way."""
    asked = any(reply.stage == "data" and reply.code == 354 and reply.delivered for reply in envelope.replies)
    return envelope.ended or asked


def _heard(envelope: Envelope) -> bool:
    """Whether the client has read an answer to the content."""
    return any(reply.stage == "content" and reply.delivered for reply in envelope.replies)


def _of_the_sender(trial: Trial, row: Row[Any]) -> bool:
    """Whether a mail failed by a refusal at MAIL that does not speak of its size."""
    last = trial.server.replies.get(reply_number(row.reply))
    return last is not None and last.stage == "mail" and last.code != 552


def _exhausted(trial: Trial, log: Sequence[Envelope], row: Row[Any]) -> bool:
    """Whether a mail was tried for as long as the retries say, or left in doubt when it could be tried no more."""
    if row.doubts:
        return True
    limit, tried = trial.plan.retries.limit.total_seconds(), [envelope.mail_at for envelope in log]
    return bool(tried) and max(tried) - min(tried) >= limit * 0.4
