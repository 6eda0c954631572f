"""A scripted SMTP server in memory: what it says to whom at which stage is drawn before, or decided by the seed.

It keeps a log that says more than any client can know: which mails it took although nobody heard so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.sending.model.world import JOURNEY, Line, VirtualLoop, World

# What may happen to a mail. A number is a code; "odd" is a success by an unusual code; the others end without a reply:
# "drop" by the end of the connection, "reset" by its break, "silence" never, "garbage" by what is not SMTP. "kept_…"
# is the same after the server took the mail.
Trouble = tuple[str, int | str]
TEMPORARY = (450, 451, 452)
PERMANENT = (550, 551, 553, 554)
SUCCESSES = {"rcpt": (251, 252), "content": (200, 251, 299)}
# Seconds after which the server gives up a client that it left without an answer.
PATIENCE = 400.0

_NUMBER = re.compile(r"#(\d+)$")


def reply_number(text: str) -> int:
    """Return the number of the reply that a text in the ledger is; 0 where it is none."""
    found = _NUMBER.search(text)
    return int(found[1]) if found else 0


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How a server behaves.

    `think` is the longest usual time for an answer in seconds, `slow` the chance of one that takes some seconds.
    `troubles` are what happens to a person's mails, one after another; `stubborn` people's last one comes again for
    ever. After `mails` mails on a connection the server says `full` ("452", "421", or "hangup" without a word). `sizes`
    are numbers of MAIL commands, from 1, that are refused for the size of the mail, `oddities` those that get a 5xx of
    another kind; `noise` is the chance of trouble in any other answer.
    """

    pipelining: bool
    login: bool
    forgiving: bool
    think: float
    slow: float
    mails: int
    full: str
    most_connections: int
    noise: float
    troubles: Mapping[int, Sequence[Trouble]]
    stubborn: frozenset[int]
    sizes: frozenset[int]
    oddities: frozenset[int]


@dataclass(eq=False)
class Reply:
    """A reply, and whether the client has read it."""

    number: int
    stage: str
    code: int
    at: float
    delivered: bool = False


@dataclass(eq=False)
class Envelope:
    """What followed one MAIL command. `mail_at` is when the client said it; `person` is None as long as no RCPT came.

    `ended` says that the client sent the whole content, `taken` that the server keeps the mail.
    """

    session: int
    mail_at: float
    person: int | None = None
    address: str = ""
    replies: list[Reply] = field(default_factory=list)
    ended: bool = False
    taken: bool = False
    uid: str = ""


@dataclass(eq=False)
class Visit:
    """A connection, or the attempt at one. `useful` when a MAIL was welcome on it."""

    at: float
    useful: bool = False


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """What the server says at a stage to everybody, until it is over."""

    stage: str
    code: int
    text: str
    until: float


class Server:
    """The server; `who` knows the number of the person with an address."""

    def __init__(self, world: World, manners: Manners, who: Callable[[str], int | None]) -> None:
        self.world = world
        self.manners = manners
        self.who = who
        self.envelopes: list[Envelope] = []
        self.visits: list[Visit] = []
        self.replies: dict[int, Reply] = {}
        self.faults: list[str] = []
        self.sessions: list[Session] = []
        self.mails = 0
        self._complaints: list[Complaint] = []
        self._down_until = 0.0
        self._deaf = False
        self._asked: dict[int, int] = {}

    # --- what happens to it -----------------------------------------------------------------------------------------

    def complain(self, stage: str, code: int, text: str, seconds: float) -> None:
        """Answer everybody so at a stage for a while."""
        self.world.note(f"SERVER  says {code} at {stage} to everybody for {seconds:.1f} s")
        until = self.world.time + seconds
        self._complaints.append(Complaint(stage=stage, code=code, text=text, until=until))

    def relent(self) -> None:
        """Stop all complaints: a person has repaired what they were about."""
        self._complaints.clear()
        self._down_until = 0.0

    def restart(self, seconds: float, deaf: bool) -> None:
        """End all connections, and take none for a while: not even refuse them when it is deaf."""
        self.world.note(f"SERVER  is away for {seconds:.1f} s")
        self._down_until, self._deaf = self.world.time + seconds, deaf
        for session in list(self.sessions):
            session.end(ConnectionResetError("Connection reset by peer"))

    def hang_up(self) -> None:
        """End idle connections without being asked."""
        for session in list(self.sessions):
            session.dismiss()

    def bereave(self) -> None:
        """The client's process was killed: its connections end, what it sent before still arrives."""
        for session in list(self.sessions):
            self.world.after(JOURNEY, session.left)

    # --- what it answers --------------------------------------------------------------------------------------------

    def complaint(self, stage: str) -> Complaint | None:
        """Return what it says to everybody at a stage now."""
        now = self.world.time
        return next((each for each in self._complaints if each.stage == stage and now < each.until), None)

    @property
    def complains(self) -> bool:
        """Whether it is away, or says something to everybody now."""
        now = self.world.time
        return now < self._down_until or any(now < each.until for each in self._complaints)

    def trouble(self, person: int) -> Trouble | None:
        """Return what is to happen to the mail of a person this time."""
        times = self._asked[person] = self._asked.get(person, 0) + 1
        troubles = self.manners.troubles.get(person, ())
        if times <= len(troubles):
            return troubles[times - 1]
        return troubles[-1] if troubles and person in self.manners.stubborn else None

    def noise(self, stage: str) -> int | str | None:
        """Return a trouble that comes for no reason, mostly none."""
        chance = self.world.random
        if chance.random() >= self.manners.noise:
            return None
        kinds: list[int | str] = ["drop", "reset", "silence", 421, "garbage"]
        if stage in ("rcpt", "data", "content", "mail"):
            kinds += TEMPORARY
        if stage == "content":
            kinds += ["kept_drop", "kept_silence"]
        return chance.choice(kinds)

    def think(self) -> float:
        """Return how many seconds it takes for the next answer."""
        chance = self.world.random
        if chance.random() < self.manners.slow:
            return chance.uniform(0.5, 4.0)
        return chance.uniform(0.0, self.manners.think)

    async def dial(self, loop: VirtualLoop, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Take a connection, or not. Raises ConnectionRefusedError."""
        visit = Visit(self.world.time)
        self.visits.append(visit)
        number = len(self.visits)
        if self.world.time < self._down_until:
            if self._deaf:
                self.world.note(f"CONN{number}  nobody answers")
                await loop.create_future()
            await asyncio.sleep(JOURNEY)
            self.world.note(f"CONN{number}  refused")
            raise ConnectionRefusedError(111, "Connection refused")
        await asyncio.sleep(JOURNEY)
        session = Session(self, number, visit)
        line = Line(loop, protocol, self.world, session.hear, session.left)
        self.sessions.append(session)
        protocol.connection_made(line)
        session.begin(line)
        return line


class Session:
    """One connection, from the server's side."""

    def __init__(self, server: Server, number: int, visit: Visit) -> None:
        self._server = server
        self._world = server.world
        self._manners = server.manners
        self._number = number
        self._visit = visit
        self._line: Line | None = None
        self._buffer = b""
        # The moments at which parts of the buffer were said: (bytes up to and with this part, moment).
        self._moments: list[tuple[int, float]] = []
        # Whether something is being answered, and whether it never will be.
        self._busy = self._silent = False
        self._gone = False
        self._carried = 0
        self._greeted = self._known = self._data = False
        self._envelope: Envelope | None = None
        # Whether MAIL, and RCPT, of the envelope were accepted.
        self._opened = self._wanted = False
        self._trouble: Trouble | None = None

    def begin(self, line: Line) -> None:
        """Greet, or not."""
        self._line = line
        self._later(lambda: self._answer("greeting", 220, "ready"))

    def hear(self, data: bytes, moment: float) -> None:
        """Take what the client said at a moment."""
        if self._data and self._envelope is not None and data.endswith(b".\r\n"):
            self._envelope.ended = True
        if self._gone:
            return
        self._buffer += data
        self._moments.append((len(self._buffer), moment))
        self._go_on()

    def left(self) -> None:
        """The client is gone; what it has sent as a whole is still worked on."""
        if self._line is not None:
            self._note("client is gone")
            self._line = None
        if self._silent or not self._busy:
            self._close()

    def end(self, error: Exception | None) -> None:
        """End the connection at once."""
        line = self._line
        self._close()
        if line is not None:
            self._note("ends the connection")
            line.hang_up(error)

    def dismiss(self) -> None:
        """End the connection if nothing is under way."""
        if not self._busy and not self._opened and self._greeted and self._line is not None:
            self._say("idle", 421, "goodbye")
            self.end(None)

    def _close(self) -> None:
        self._gone = True
        self._line = None
        if self in self._server.sessions:
            self._server.sessions.remove(self)

    def _note(self, line: str) -> None:
        self._world.note(f"CONN{self._number}  {line}")

    # --- one command after another ----------------------------------------------------------------------------------

    def _later(self, act: Callable[[], object]) -> None:
        self._busy = True

        def do() -> None:
            if self._gone:
                return
            self._busy = False
            act()
            self._go_on()

        self._world.after(self._server.think(), do)

    def _go_on(self) -> None:
        if self._busy or self._gone:
            return
        unit, moment = self._take()
        if unit is None:
            if self._line is None:
                self._close()
            return
        if self._data:
            self._later(lambda: self._content(unit))
            return
        self._later(lambda: self._command(unit, moment))

    def _take(self) -> tuple[bytes | None, float]:
        """Return the next command without its end, or the content; None while it has not come as a whole."""
        if self._data and self._buffer.startswith(b".\r\n"):
            place, length = 0, 3
        elif self._data:
            place, length = self._buffer.find(b"\r\n.\r\n") + 2, 3
            if place == 1:
                return None, 0.0
        else:
            place, length = self._buffer.find(b"\r\n"), 2
            if place < 0:
                return None, 0.0
        end = place + length
        moment = next(moment for upto, moment in self._moments if upto >= end)
        unit, self._buffer = self._buffer[:place], self._buffer[end:]
        self._moments = [(upto - end, moment) for upto, moment in self._moments if upto > end]
        return unit, moment

    def _command(self, unit: bytes, moment: float) -> None:
        text = unit.decode("ascii")
        self._note(f"< {text if not text.startswith('AUTH') else 'AUTH PLAIN …'}")
        verb = text.split(" ", 1)[0].split(":", 1)[0].upper()
        match verb:
            case "EHLO" | "HELO":
                self._greeted = self._answer("ehlo", 250, "at your service", self._extensions(verb))
            case "AUTH":
                self._known = self._answer("auth", 235, "welcome")
            case "MAIL":
                self._mail(moment)
            case "RCPT":
                self._rcpt(text)
            case "DATA":
                self._begin_data()
            case "RSET":
                self._forget()
                self._answer("rset", 250, "forgotten")
            case "QUIT":
                self._say("quit", 221, "goodbye")
                self.end(None)
            case _:
                self._server.faults.append(f"the client said {text!r}")
                self._say("unknown", 500, "what?")
        self._world.point()

    def _extensions(self, verb: str) -> list[str]:
        if verb == "HELO":
            return []
        found = ["8BITMIME", "ENHANCEDSTATUSCODES"]
        found += ["PIPELINING"] if self._manners.pipelining else []
        return found + (["AUTH PLAIN"] if self._manners.login else [])

    def _mail(self, moment: float) -> None:
        if self._opened:
            self._server.faults.append(f"connection {self._number}: MAIL in the middle of another mail")
        self._forget()
        self._envelope = Envelope(self._number, moment)
        self._server.envelopes.append(self._envelope)
        self._server.mails += 1
        number, full = self._server.mails, self._manners.mails and self._carried >= self._manners.mails
        if self._manners.login and not self._known:
            self._say("mail", 530, "5.7.0 authentication is needed")
        elif self._server.complaint("mail") is None and full and self._manners.full == "452":
            self._say("mail", 452, "4.5.3 too many mails on this connection")
        elif self._server.complaint("mail") is None and full and self._manners.full == "421":
            self._answer_with("mail", 421, 250, "")
        elif number in self._manners.sizes:
            self._say("mail", 552, "5.3.4 this mail is too large")
        elif number in self._manners.oddities:
            self._say("mail", 550, "5.7.1 not this one")
        else:
            self._opened = self._answer("mail", 250, "sender is fine")
            self._visit.useful |= self._opened

    def _rcpt(self, text: str) -> None:
        address = text.partition("<")[2].partition(">")[0]
        person = self._server.who(address)
        if person is None:
            self._server.faults.append(f"RCPT for an address that nobody has: {address}")
        if self._envelope is not None:
            self._envelope.person, self._envelope.address = person, address
        if not self._opened or person is None:
            self._say("order", 503, "MAIL comes first")
            return
        self._trouble = self._server.trouble(person)
        self._wanted = self._answer_as("rcpt", 250, "recipient is fine")

    def _begin_data(self) -> None:
        if not self._wanted and not (self._opened and self._manners.forgiving):
            self._say("order", 503, "RCPT comes first")
            return
        self._data = self._answer_as("data", 354, "go on")

    def _content(self, unit: bytes) -> None:
        self._data = False
        self._note(f"< {len(unit)} octets of content")
        envelope = self._envelope
        if not self._wanted or envelope is None:
            if unit:
                self._server.faults.append(f"connection {self._number}: content for nobody")
            self._say("content", 554, "5.5.1 no valid recipient")
        else:
            found = re.search(rb"(?mi)^message-id:\s*(<[^>]*>)", unit)
            envelope.uid = found[1].decode() if found else ""
            envelope.taken = self._answer_as("content", 250, "2.0.0 taken")
            self._carried += envelope.taken
        if not self._gone:
            self._forget()
            if self._manners.full == "hangup" and self._manners.mails and self._carried >= self._manners.mails:
                self.end(None)
        self._world.point()

    def _forget(self) -> None:
        self._envelope, self._trouble = None, None
        self._opened = self._wanted = self._data = False

    # --- answers ----------------------------------------------------------------------------------------------------

    def _answer_as(self, stage: str, code: int, text: str) -> bool:
        """Answer as the script of this person says for the stage."""
        if self._trouble is not None and self._trouble[0] == stage:
            return self._answer_with(stage, self._trouble[1], code, text)
        return self._answer(stage, code, text)

    def _answer(self, stage: str, code: int, text: str, more: Sequence[str] = ()) -> bool:
        """Answer with this code, unless something is wrong with everybody or by chance; whether it was a success."""
        if (complaint := self._server.complaint(stage)) is not None:
            self._say(stage, complaint.code, complaint.text)
            if complaint.code == 421 or stage == "greeting":
                self.end(None)
            return False
        crowded = len(self._server.sessions) > self._manners.most_connections
        if stage == "greeting" and crowded:
            self._say(stage, 421, "4.7.0 too many connections")
            self.end(None)
            return False
        if (noise := self._server.noise(stage)) is not None:
            return self._answer_with(stage, noise, code, text)
        self._say(stage, code, text, more)
        return True

    def _answer_with(self, stage: str, trouble: int | str, code: int, text: str) -> bool:
        """Answer with trouble; whether the server took what it was asked for."""
        match trouble:
            case "odd":
                self._say(stage, self._world.random.choice(SUCCESSES.get(stage, (code,))), text)
                return True
            case "drop" | "kept_drop":
                self._note(f"drops the connection at {stage} ({trouble})")
                self.end(None)
            case "reset":
                self._note(f"resets the connection at {stage}")
                self.end(ConnectionResetError("Connection reset by peer"))
            case "silence" | "kept_silence":
                self._note(f"never answers {stage} ({trouble})")
                self._busy = self._silent = True
                self._world.after(PATIENCE, lambda: self.end(None))
            case "garbage":
                self._note(f"says nonsense at {stage}")
                if self._line is not None:
                    self._line.send(b"?!\r\n", lambda: None)
            case _:
                self._say(stage, int(trouble), _words(int(trouble)))
                if trouble == 421:
                    self.end(None)
        return str(trouble).startswith("kept")

    def _say(self, stage: str, code: int, text: str, more: Sequence[str] = ()) -> None:
        number = len(self._server.replies) + 1
        reply = self._server.replies[number] = Reply(number, stage, code, self._world.time)
        if self._envelope is not None and stage != "rset":
            self._envelope.replies.append(reply)
        self._note(f"> {code} {text} #{number}")
        if self._line is None:
            return
        lines = [f"{text} #{number}", *more]
        marked = [f"{code}{'-' if at < len(lines) else ' '}{line}\r\n" for at, line in enumerate(lines, 1)]

        def delivered() -> None:
            reply.delivered = True

        self._line.send("".join(marked).encode(), delivered)


def _words(code: int) -> str:
    if code == 421:
        return "4.3.2 the service ends"
    return f"{code // 100}.2.0 not now" if code < 500 else "5.1.1 no such mailbox"
