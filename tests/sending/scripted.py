"""An SMTP server that answers as a test says, in a thread of its own, and keeps what was said."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from soapstone.sending.smtp.url import SmtpAddress

# Closes the connection instead of answering.
DROP = b""


@dataclass(frozen=True)
class Said:
    """What a client said: "GREETING", "EHLO", "MAIL", "RCPT", "DATA" or "END".

    With the recipient of the mail as far as it is known, the number of the connection, how many mails were accepted on
    it, and the time in seconds of a clock.
    """

    stage: str
    recipient: str
    connection: int
    accepted: int
    at: float


Answer = Callable[[Said], bytes | None]


class ScriptedServer:
    """Answers what `answer` says, and what servers usually say where that is None. A context manager."""

    def __init__(self, answer: Answer, *, pipelining: bool = True) -> None:
        self._answer = answer
        self._offered = b"250-script.example\r\n250 PIPELINING" if pipelining else b"250 script.example"
        self.said: list[Said] = []
        # Recipient of each mail that was accepted.
        self.accepted: list[str] = []
        self.connections = 0
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    @property
    def address(self) -> SmtpAddress:
        """Where it listens."""
        return SmtpAddress.of(f"smtp://127.0.0.1:{self.port}")

    def times(self, stage: str, recipient: str = "") -> list[float]:
        """When something was said."""
        return [each.at for each in self.said if each.stage == stage and recipient in ("", each.recipient)]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port: int = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection, accepted, recipient, valid = self.connections, 0, "", False

        def answered(stage: str, usual: bytes) -> bytes:
            said = Said(stage, recipient, connection, accepted, time.monotonic())
            self.said.append(said)
            given = self._answer(said)
            reply = usual if given is None else given
            if reply == DROP:
                raise ConnectionError
            if stage == "END" and reply.startswith(b"2"):
                # Before the client can hear of it, and a test ask.
                self.accepted.append(recipient)
            writer.write(reply + b"\r\n")
            if reply.startswith(b"421"):
                raise ConnectionError
            return reply

        try:
            answered("GREETING", b"220 script.example")
            while line := await reader.readline():
                command = line.upper()
                if command.startswith((b"EHLO", b"HELO")):
                    answered("EHLO", self._offered)
                elif command.startswith(b"MAIL"):
                    recipient, valid = "", False
                    answered("MAIL", b"250 ok")
                elif command.startswith(b"RCPT"):
                    recipient = line.partition(b"<")[2].partition(b">")[0].decode()
                    valid = answered("RCPT", b"250 ok").startswith(b"2")
                elif command.startswith(b"DATA"):
                    if answered("DATA", b"354 go on" if valid else b"503 no recipient").startswith(b"3"):
                        while (line := await reader.readline()) != b".\r\n":
                            if not line:
                                return
                        accepted += answered("END", b"250 queued").startswith(b"2")
                elif command.startswith(b"QUIT"):
                    writer.write(b"221 bye\r\n")
                    return
                else:
                    writer.write(b"250 ok\r\n")
        except ConnectionError:
            pass
        finally:
            writer.close()
