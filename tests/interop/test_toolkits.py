"""SOAP toolkits that nobody here wrote go one way through a contract to its end, and read the same values on it.

Each program of `toolkits/` prints a line for each step. What it called, in which SOAP version, is what the server saw;
a page of the manual shows it (grid.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
PROGRAMS = HERE / "toolkits"
EXAMPLES = HERE.parent.parent / "examples"
SECONDS = 60
DESCRIPTIONS = {"magnetmail": "/mmapi.asmx?WSDL", "listrak": "/v31/IntegrationService.asmx?WSDL"}
SEND_TO_LIST = """<SendToList><UserName>demo</UserName><Password>demo</Password><ListID>1</ListID>
  <Message><Subject>Hello</Subject><TextBody>Hello</TextBody></Message></SendToList>"""
FAULT = "Server was unable to process request. ---> "
# What a program reads on its way (mm-11, mm-14, mm-41 to mm-50, mm-54; lk-11, lk-36, lk-66, lk-79 to lk-84).
READ = {
    "magnetmail": [
        "logon true DEMO",
        "group 0 The group has successfully been added!",
        "upload 2 4 3 3",
        "members ann@walk.example=Ann bob@walk.example=Bob zoe@walk.example=Zoë",
        "unknown 2",
        "wrong false",
        f"refused {FAULT}[InvalidSession] The session is unknown or has expired. Call Authenticate again.",
    ],
    "listrak": [
        "list Küche",
        "process BulkLoadContacts ProcessingCompleted",
        "members ann@walk.example bob@walk.example zoe@walk.example",
        "legacy Send to List:3/3",
        "unknown None",
        f"refused {FAULT}[InvalidLogonAttempt] The user name or password is not valid.",
    ],
}
BOTH = ("magnetmail", "listrak")
JAVA = ":".join(
    f"/usr/share/java/{name}.jar"
    for name in (
        *("axis", "axis-ant", "jaxrpc", "saaj", "commons-logging", "commons-discovery", "wsdl4j"),
        *("javax.activation", "javax.mail"),
    )
)


@dataclass(frozen=True)
class Toolkit:
    """How a toolkit's program is built from a contract's description and run.

    `build` are shell commands in a folder that has `service.wsdl`; `run` is followed by BASE, CONTRACT and VERSION.
    `package` is what its version is asked of: a package of Debian, or a folder of Node.js or Python packages.
    """

    name: str
    package: str
    run: str
    build: str = ""
    contracts: tuple[str, ...] = BOTH
    versions: tuple[str, ...] = ("1.1", "1.2")


NODE = f"node {HERE}/node/toolkits.mjs"
GSOAP = """
wsdl2h -o service.h service.wsdl
soapcpp2 -j -C -x -w -I/usr/share/gsoap/import -I/usr/share/gsoap service.h
g++ -w -D{defined} -I. -o program {programs}/gsoap.cpp soapC.cpp soap*Proxy.cpp -lgsoap++
"""
KDSOAP = """
kdwsdl2cpp -o wsdl.h service.wsdl
kdwsdl2cpp -impl wsdl.h -o wsdl.cpp service.wsdl
moc wsdl.h -o moc.cpp
g++ -fPIC -w -D{defined} $(pkg-config --cflags Qt5Network Qt5Xml) -I/usr/include/KDSoapClient -I. -o program \
  {programs}/kdsoap.cpp wsdl.cpp moc.cpp -lkdsoap $(pkg-config --libs Qt5Network Qt5Xml)
"""
AXIS = f"""
java -cp {JAVA} org.apache.axis.wsdl.WSDL2Java -p lk -o . service.wsdl
javac -nowarn -encoding UTF-8 -cp {JAVA} -d . lk/*.java lk/holders/*.java {{programs}}/AxisWalk.java
"""
TOOLKITS = [
    Toolkit("zeep, async", "python:zeep", f"{sys.executable} {{programs}}/zeep_async.py"),
    Toolkit(
        "PySimpleSOAP",
        "python:pysimplesoap",
        f"{HERE}/pysimplesoap/environment/bin/python {{programs}}/pysimplesoap_client.py",
        versions=("1.1",),
    ),
    Toolkit("strong-soap", "node:strong-soap", f"{NODE} strong-soap"),
    # It writes an envelope of SOAP 1.1 whatever it is told.
    Toolkit("soap-extended", "node:soap-extended", f"{NODE} soap-extended", versions=("1.1",)),
    Toolkit("SOAP::Lite", "libsoap-lite-perl", "perl {programs}/soap_lite.pl"),
    Toolkit(
        "SOAP::WSDL",
        "libsoap-wsdl-perl",
        "perl {programs}/soap_wsdl.pl .",
        "wsdl2perl -b . -p Walk file://$PWD/service.wsdl",
        ("listrak",),
        ("1.1",),
    ),
    Toolkit("gSOAP", "gsoap", "./program", GSOAP),
    Toolkit("KDSoap", "libkdsoap-dev", "./program", KDSOAP),
    Toolkit("Apache Axis", "libaxis-java", f"java -cp .:{JAVA} AxisWalk", AXIS, ("listrak",), ("1.1",)),
    Toolkit("soap4r", "ruby-soap4r", "ruby -W0 {programs}/soap4r.rb", versions=("1.1",)),
    Toolkit("tclws", "tclws", "tclsh {programs}/tclws.tcl", versions=("1.1",)),
]


def versioned(package: str) -> str:
    """The version of a toolkit that is installed here."""
    kind, _, name = package.rpartition(":")
    if kind == "node":
        return str(json.loads((HERE / "node" / "node_modules" / name / "package.json").read_text())["version"])
    if kind == "python":
        own = HERE / name / "environment" / "bin" / "python"
        program = f"from importlib.metadata import version; print(version({name!r}))"
        return run([own if own.exists() else sys.executable, "-c", program])[0]
    (found,) = run(["dpkg-query", "--show", "--showformat=${Version}", name])
    return found.partition("-")[0].partition("+")[0]


def run(command: list[str | Path] | str, folder: Path | None = None, seconds: int = SECONDS) -> list[str]:
    """The lines that a command prints; it ends well."""
    # A path of the library of .venv must not reach another Python.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    shell = isinstance(command, str)
    done = subprocess.run(
        command, shell=shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def built(soapstone_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Toolkit, str], Path]:
    """Build the program of a toolkit for a contract, once; the folder in which it runs."""
    folders: dict[tuple[str, str], Path] = {}

    def build(toolkit: Toolkit, contract: str) -> Path:
        folder = folders.get((toolkit.name, contract))
        if folder is None:
            folder = folders[toolkit.name, contract] = tmp_path_factory.mktemp("toolkit")
            with urllib.request.urlopen(soapstone_server.url + DESCRIPTIONS[contract], timeout=SECONDS) as answer:
                (folder / "service.wsdl").write_bytes(answer.read())
            for command in toolkit.build.strip().replace("\\\n", " ").splitlines():
                run(command.format(programs=PROGRAMS, defined=contract.upper()), folder, seconds=300)
        return folder

    return build


@pytest.fixture
def server(soapstone: Any) -> Any:
    """The test server, whose demo list has sent a mail."""
    posted = urllib.request.Request(f"{soapstone.url}/xml/SendToList", SEND_TO_LIST.encode(), method="POST")
    with urllib.request.urlopen(posted, timeout=SECONDS) as answer:
        assert b"<StatusID>" in answer.read()
    end = time.monotonic() + SECONDS
    while not soapstone.mails:
        assert time.monotonic() < end
        time.sleep(0.05)
    return soapstone


WAYS = [(each, contract, version) for each in TOOLKITS for contract in each.contracts for version in each.versions]


@pytest.mark.parametrize(
    ("toolkit", "contract", "version"), WAYS, ids=[f"{way[0].name}-{way[1]}-{way[2]}" for way in WAYS]
)
def test_a_way_to_its_end(
    server: Any, built: Callable[[Toolkit, str], Path], grid: Any, toolkit: Toolkit, contract: str, version: str
) -> None:
    folder = built(toolkit, contract)
    command = f"{toolkit.run.format(programs=PROGRAMS)} {server.url} {contract} {version}"
    read = run(command, folder)
    calls = [call for call in server.calls if call.interface == contract]
    grid.note(toolkit.name, versioned(toolkit.package), contract, version, {call.operation for call in calls})
    assert read == READ[contract]
    mark = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
    assert all(mark[version].encode() in call.request.body for call in calls)


def noted(server: Any, grid: Any, client: str, version: str) -> None:
    """Note what a client called, in the versions of SOAP that it spoke."""
    for call in server.calls:
        if call.interface in BOTH:
            soap = "1.2" if b"http://www.w3.org/2003/05/soap-envelope" in call.request.body else "1.1"
            grid.note(client, version, call.interface, soap, [call.operation])


def test_curl(server: Any, grid: Any) -> None:
    """The examples of the repository."""
    ends = {"poll_upload.sh": "status 2: 3 rows, 2 good", "poll_legacy.sh": "Send to List: step 3 of 3"}
    for script, end in ends.items():
        assert end in run(["sh", EXAMPLES / script, server.url])[-1]
    noted(server, grid, "curl", run(["curl", "--version"])[0].split()[1])


def test_jax_ws(server: Any, grid: Any, tmp_path: Path) -> None:
    for name, contract in (("mm", "magnetmail"), ("lk", "listrak")):
        options = "-keep -quiet -XadditionalHeaders -B-XautoNameResolution"
        run(f"wsimport {options} -p {name} -d . {server.url}{DESCRIPTIONS[contract]}", tmp_path, 300)
    classes = ".:/usr/share/jaxws/lib/*:/usr/share/java/*"
    run(["javac", "-nowarn", "-cp", classes, "-d", ".", HERE / "java" / "Polls.java"], tmp_path, 300)
    lines = run(["java", "-cp", classes, "Polls", "1", "1"], tmp_path)
    assert READ["magnetmail"][-1].removeprefix("refused ") in lines[1]
    assert lines[2:] == ["process BulkLoadContacts PROCESSING_COMPLETED", "legacy Send to List 3 3", "unknown true"]
    noted(server, grid, "JAX-WS", versioned("jaxws"))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_mono(server: Any, grid: Any, tmp_path: Path, version: str) -> None:
    for name, contract in (("mm", "magnetmail"), ("lk", "listrak")):
        run(f"wsdl -nologo -namespace:{name} -out:{name}.cs {server.url}{DESCRIPTIONS[contract]}", tmp_path, 300)
    run(f"mcs -nologo -r:System.Web.Services -out:Calls.exe mm.cs lk.cs {HERE}/mono/Calls.cs", tmp_path, 300)
    calls = ["Authenticate", "uploadListQueue", "BulkLoadContacts", "ReportListImportHistory"]
    given = "".join(f"{operation} 30 0\n" for operation in calls)
    lines = run(f"printf '{given}' | mono Calls.exe {server.url} {version}", tmp_path)
    assert lines[0] == "\tTrue"
    assert all(float(line.removeprefix("\t")) > 0 for line in lines[1:3])
    assert lines[3] == "\t1"
    noted(server, grid, "Mono", versioned("mono-devel"))


def test_tap_listrak(server: Any, grid: Any, tmp_path: Path) -> None:
    """All its streams; test_tap_listrak.py compares them with what readers do."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"start_date": "2020-01-01T00:00:00Z", "username": "demo", "password": "demo"}))
    python = HERE / "tap" / "environment" / "bin" / "python"
    address = f"{server.url}/v31/IntegrationService.asmx?wsdl"
    command: list[str | Path] = [python, HERE / "tap" / "start.py", address, "--config", config]
    catalog = json.loads("".join(run([*command, "--discover"])))
    for stream in catalog["streams"]:
        stream["schema"]["selected"] = True
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    lines = [json.loads(line) for line in run([*command, "--properties", tmp_path / "catalog.json"])]
    lists = [line["record"]["ListID"] for line in lines if line["type"] == "RECORD" and line["stream"] == "lists"]
    assert 1 in lists
    program = "from importlib.metadata import version; print(version('tap-listrak'))"
    noted(server, grid, "tap-listrak", run([python, "-c", program])[0])
