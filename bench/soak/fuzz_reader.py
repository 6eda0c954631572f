"""Both readers of XML under a fuzzer that is guided by coverage: no crash, no unforeseen exception, any cutting alike.

    python bench/soak/fuzz_reader.py [SECONDS]

Ten minutes by default. Ends with another status than 0 at the first finding, which it shows and stores in the folder
for temporary files.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit(print("atheris has no wheel for this Python and system: nothing was fuzzed."))

with atheris.instrument_imports(include=["soapstone.wire", "soapstone.xmlhttp"]):
    from soapstone.accounts.logon import InvalidLogonError
    from soapstone.errors import SoapstoneError
    from soapstone.listrak.operations import CONTRACT as LISTRAK
    from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
    from soapstone.wire.faults import Fault, MalformedXml
    from soapstone.wire.negotiation import negotiate
    from soapstone.wire.plan import Plans
    from soapstone.wire.reader import Reader, UnsupportedMedia
    from soapstone.xmlhttp.request import RequestReader

# Many small elements reach it. Four times as much markup is a guard that is counted by pieces: no input is so long.
MAX_KEPT = 64 * 1024
PLANS = [Plans(MAGNETMAIL), Plans(LISTRAK)]
MEDIA = [
    "text/xml",
    "application/soap+xml",
    "text/xml; charset=utf-8",
    "text/xml; charset=utf-16",
    "text/xml; charset=windows-1252",
    "text/xml; charset=gb18030",
    "application/soap+xml; charset=utf-16be",
]
SOAP = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
SIX_BYTES = 6


class Sink:
    """An upload that keeps nothing but its size."""

    size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)


def cut(body: bytes, step: int) -> list[bytes]:
    return [body[at : at + step] for at in range(0, len(body), step)] if step else [body]


def soap(choice: bytes, body: bytes, step: int) -> Any:
    """What becomes of a SOAP request: the values read, or the refusal."""
    plans = PLANS[choice[0] % 2]
    operations = plans.contract.operations
    operation = operations[choice[3] % len(operations)]
    action = (None, f'"{plans.contract.namespace}{operation.name}"', "")[choice[2] % 3]
    negotiation = negotiate(plans.contract, MEDIA[choice[1] % len(MEDIA)], action)
    assert negotiation is not None
    reader = Reader(plans, negotiation, MAX_KEPT)
    spooled: list[bytes] = []
    try:
        for piece in cut(body, step):
            reader.feed(piece)
            spooled += [spool.take() for spool in reader.spools]
        reader.finish()
        spooled += [spool.take() for spool in reader.spools]
        return reader.version, reader.header, reader.request, b"".join(spooled)
    except Fault as refusal:
        return type(refusal), refusal.text
    except (MalformedXml, UnsupportedMedia) as refusal:
        # The parser's words depend on how far it read before it met the limit.
        return type(refusal)
    finally:
        reader.close()


def xml(choice: bytes, body: bytes, step: int) -> Any:
    """The same for XML over HTTP."""
    sink, identity = Sink(), object()

    def logon(name: str, password: str) -> Any:
        if password == "wrong":
            raise InvalidLogonError
        return identity

    charset = ("", "utf-8", "utf-16", "gb18030")[choice[2] % 4]
    reader = RequestReader("SendToFile" if choice[1] % 2 else "SendToList", logon, lambda: sink, charset)  # type: ignore[arg-type,return-value]
    try:
        for piece in cut(body, step):
            reader.feed(piece)
        reader.close()
        return reader.members, reader.message, reader.file, sink.size
    except SoapstoneError as refusal:
        return type(refusal)


def one_input(data: bytes) -> None:
    choice, body = data[:SIX_BYTES].ljust(SIX_BYTES, b"\0"), data[SIX_BYTES:]
    read = xml if choice[5] % 4 == 0 else soap
    whole, pieces = read(choice, body, 0), read(choice, body, choice[4] % 32 + 1)
    # The parser gives out a text that ends in the forbidden "]]>" before it refuses it, or not, by how it is cut.
    if repr(whole) != repr(pieces) and b"]]>" not in body.replace(b"\0", b""):
        raise AssertionError(f"cut in pieces it is read otherwise: {whole!r} {pieces!r}")


def seeds() -> list[bytes]:
    """A valid request of every operation, as the help pages show it, and both documents of XML over HTTP."""
    found = []
    for number, plans in enumerate(PLANS):
        contract = plans.contract
        for at, operation in enumerate(contract.operations):
            members = "".join(
                f"<{name}>{'1' if at % 2 else 'QUJD'}</{name}>" for name in operation.request.__annotations__
            )
            for version, namespace in enumerate(SOAP):
                body = (
                    f'<s:Envelope xmlns:s="{namespace}"><s:Header/><s:Body><{operation.name} '
                    f'xmlns="{contract.namespace}">{members}</{operation.name}></s:Body></s:Envelope>'
                )
                found.append(bytes([number, version, version, at, 7, 1]) + body.encode())
    known = "<UserName>a</UserName><Password>b</Password><ListID>1</ListID><Message><Subject>x</Subject></Message>"
    for call, file in (("SendToList", ""), ("SendToFile", '<File HasColumnNames="true">QUJD</File>')):
        found.append(bytes([0, file != "", 0, 0, 5, 0]) + f"<{call}>{known}{file}</{call}>".encode())
    return found


WORDS = [
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version='1.0' encoding='utf-16'?>",
    "<!DOCTYPE a>",
    "&#0;",
    "&lt;",
    "xsi:nil='true'",
    "xsi:type='int'",
    "s:mustUnderstand='1'",
    "2147483648",
    "\\xff\\xfe",
    "\\xef\\xbb\\xbf",
]


def fuzz(folder: Path, seconds: int) -> None:
    """Ends the process."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds()):
        (corpus / str(number)).write_bytes(seed)
    words = folder / "words"
    words.write_text("".join('"{}"\n'.format(word.replace('"', '\\"')) for word in WORDS))
    options = [f"-max_total_time={seconds}", "-max_len=8192", f"-dict={words}", "-rss_limit_mb=1024", "-timeout=120"]
    options.append(f"-artifact_prefix={tempfile.gettempdir()}/soapstone-fuzz-")
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


def main() -> int:
    """Fuzz in a process of its own: the fuzzer leaves no time to tidy up."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    with tempfile.TemporaryDirectory(prefix="soapstone-fuzz-") as folder:
        return subprocess.run([sys.executable, __file__, seconds, folder], check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) > 2:
        fuzz(Path(sys.argv[2]), int(sys.argv[1]))
    sys.exit(main())
