"""The original runtime's successor, Mono, serving our own WSDLs behind nginx: made, started and stopped here."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.schema import StructType
from soapstone.wire.wsdl import service_description

HERE = Path(__file__).parent
START_SECONDS = 60
_METHOD = re.compile(r"public abstract (?P<result>[^\s(]+) (?P<name>\w+)\((?P<parameters>[^;]*)\);")
_CLASS = re.compile(r"public abstract partial class (\w+) : System\.Web\.Services\.WebService ")

_WEB_CONFIG = """<?xml version="1.0"?>
<configuration><system.web><customErrors mode="On" /><compilation debug="false" />
<httpRuntime maxRequestLength="65536" />
<webServices><protocols><clear /><add name="HttpSoap" /><add name="HttpSoap12" /><add name="Documentation" />
</protocols></webServices></system.web></configuration>
"""
_NGINX = """worker_processes 1; daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type application/octet-stream; client_max_body_size 64m; ignore_invalid_headers off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME {folder}/site$fastcgi_script_name;
      fastcgi_param PATH_INFO "";
      fastcgi_split_path_info ^(.+?\\.asmx)(/.*)?$;
      fastcgi_param PATH_INFO $fastcgi_path_info;
      fastcgi_read_timeout 60s;
      fastcgi_pass 127.0.0.1:{backend};
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def source(contract: Contract, folder: Path) -> tuple[str, str]:
    """The service class of a contract in C#: (name with namespace, source text)."""
    description = folder / f"{contract.service_name}.wsdl"
    description.write_text(service_description(contract, f"http://127.0.0.1{contract.path}"), encoding="utf-8")
    generated = folder / f"{contract.service_name}.cs"
    space = "For" + re.sub(r"\W|_x0020_", "", contract.service_name)
    _run("wsdl", "-server", f"-namespace:{space}", f"-out:{generated}", str(description))
    text = generated.read_text(encoding="utf-8-sig")
    match = _CLASS.search(text)
    assert match, "wsdl made no service class"
    header = f"{contract.header_type.name}Value" if contract.header_type else "null"

    def concrete(method: re.Match[str]) -> str:
        operation = contract.operations_by_name[method["name"]]
        return method[0].replace("public abstract", "public", 1)[:-1] + _body(operation, method, header)

    text, count = _METHOD.subn(concrete, text)
    assert count == len(contract.operations), "a method of the service class was not recognised"
    return f"{space}.{match[1]}", text.replace(match[0], match[0].replace("abstract ", ""))


def _body(operation: Operation, method: re.Match[str], header: str) -> str:
    """What a generated method does: tell what it was given, then answer with samples."""
    given = operation.request_type.all_members
    parameters = _split(method["parameters"])
    inputs = [parameter for parameter in parameters if " out " not in f" {parameter}"]
    assert len(inputs) == len(given), f"{operation.name} has other parameters there"
    names = [parameter.split()[-1] for parameter in inputs]
    told = ["(object) " + (header if operation.header else "null")]
    for parameter, name, member in zip(inputs, names, given, strict=True):
        if isinstance(member.type, StructType) and member.required and not member.nillable:
            # A value type of the original service: never null. Its description cannot say so.
            told.append(f"(object) ({name} ?? new {parameter.split()[-2]}())")
        elif not member.ignored:
            told.append(f"(object) {name}")
    arguments = ", ".join(told)
    lines = [f"Oracle.Called({arguments});"]
    for parameter in parameters:
        match = re.search(r"(?:^|[\s\]])(?:ref|out) (\S+) (\S+)$", parameter)
        if match:
            lines.append(f"{match[2]} = Oracle.Sample<{match[1]}>();")
    if method["result"] != "void":
        lines.append(f"return Oracle.Sample<{method['result']}>();")
    return " { " + " ".join(lines) + " }"


def _split(parameters: str) -> list[str]:
    """A parameter list in its parts; attributes and type arguments may hold commas."""
    parts, depth = [""], 0
    for char in parameters:
        depth += (char in "([<") - (char in ")]>")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


class Oracle:
    """The oracle, running. `port` is nginx's on 127.0.0.1; every contract is at its own path."""

    def __init__(self, contracts: Sequence[Contract], folder: Path) -> None:
        self._folder = folder
        # Whatever the programs leave behind stays in the folder. Times without a zone are those of the zone.
        self._environment = dict.fromkeys(("HOME", "TMPDIR", "MONO_SHARED_DIR"), str(folder))
        self._environment |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8"}
        self._programs: list[subprocess.Popen[bytes]] = []
        site = folder / "site"
        (site / "bin").mkdir(parents=True)
        (site / "web.config").write_text(_WEB_CONFIG)
        sources = [shutil.copy(HERE / "Oracle.cs", folder)]
        for contract in contracts:
            name, text = source(contract, folder)
            sources.append(str(folder / f"{name}.cs"))
            Path(sources[-1]).write_text(text, encoding="utf-8")
            page = site / contract.path.lstrip("/")
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(f'<%@ WebService Language="C#" Class="{name}" %>\n')
        libraries = ["-r:System.Web.Services.dll", "-r:System.Web.dll", "-r:System.Xml.dll"]
        _run(
            "mcs",
            "-nologo",
            "-warn:0",
            "-target:library",
            *libraries,
            f"-out:{site}/bin/oracle.dll",
            *map(str, sources),
        )
        self.port, backend = free_port(), free_port()
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=self.port, backend=backend))
        try:
            self._start(
                "fastcgi-mono-server4",
                f"/applications=/:{site}",
                f"/socket=tcp:127.0.0.1:{backend}",
                "/multiplex=True",
                port=backend,
            )
            self._start("nginx", "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf", port=self.port)
        except BaseException:
            self.stop()
            raise

    def _start(self, *command: str, port: int) -> None:
        """Start a program and wait until it listens."""
        program = shutil.which(command[0]) or f"/usr/sbin/{command[0]}"
        with (self._folder / f"{command[0]}.out").open("wb") as log:
            process = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
            )
        self._programs.append(process)
        end = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{command[0]} does not serve:\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        """What the programs printed."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*.out")))

    def stop(self) -> None:
        """End the programs."""
        for process in reversed(self._programs):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}\n{done.stderr}"
