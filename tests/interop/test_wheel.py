"""The package as its users get it: the wheel in an environment of its own, and the steps of the container image."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parent.parent.parent
ENDPOINTS = ("/mmapi.asmx", "/v31/IntegrationService.asmx")
START_SECONDS = 60
STOP_SECONDS = 30
# Neither the source tree nor the caller's environment may help the installed package along.
CLEAN = {
    name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "SOAPSTONE_"))
}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end; its output is in the failure when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=CLEAN, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(command: list[str], port: int, cwd: Path) -> Iterator[str]:
    """The server's address once it answers; at the end it is told to stop by its pid and must do so by itself."""
    log = cwd / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=cwd, env=CLEAN, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert server.poll() is None, log.read_text()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/healthz", timeout=5).close()
                break
            assert time.monotonic() < deadline, f"no answer in {START_SECONDS} s\n{log.read_text()}"
            time.sleep(0.1)
        yield address
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(STOP_SECONDS) in (0, -signal.SIGTERM), log.read_text()
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def read(address: str) -> tuple[str, str]:
    """Content type and text of a page."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def check_contracts(address: str) -> None:
    """Both contracts show their WSDL and a help page, so their packaged data was found."""
    for path in ENDPOINTS:
        kind, wsdl = read(f"{address}{path}?WSDL")
        assert kind.startswith("text/xml")
        assert "<wsdl:definitions" in wsdl
        assert f"{address}{path}" in wsdl
        kind, page = read(f"{address}{path}")
        assert kind.startswith("text/html")
        assert "?op=" in page


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the files that git knows and with what is installed."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    run(sys.executable, "-m", "pip", "wheel", *options, ".", cwd=source)
    (built,) = folder.glob("soapstone-*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "src"], cwd=ROOT, check=True, capture_output=True, text=True)
    tracked = {name.removeprefix("src/") for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("soapstone/")}
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    assert packed == tracked
    assert licences


def test_the_wheel_serves_both_contracts_from_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    pip = (environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "run.txt", cwd=tmp_path)
    run(*pip, "--no-index", "--no-deps", wheel, cwd=tmp_path)
    run(environment / "bin" / "python", "-m", "pip", "check", cwd=tmp_path)
    place = run(environment / "bin" / "python", "-c", "import soapstone; print(soapstone.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(environment)

    port = free_port()
    command = [str(environment / "bin" / "soapstone"), "serve", "--demo", "--port", str(port)]
    with serving([*command, "--data", str(tmp_path / "data")], port, tmp_path) as address:
        check_contracts(address)


def test_the_steps_of_the_container_image_give_a_healthy_server(tmp_path: Path) -> None:
    """There is no engine to build the image with, so its steps are done here, in folders instead of layers."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [(step, rest.strip()) for step, rest in re.findall(r"^([A-Z]+) (.+)$", text, re.MULTILINE)]
    stages = [place for place, (step, _) in enumerate(steps) if step == "FROM"]
    build, final = steps[: stages[1]], steps[stages[1] :]

    folders = {"/opt/": f"{tmp_path}/opt/", "/data": f"{tmp_path}/data"}

    def moved(line: str) -> str:
        for there, here in folders.items():
            line = line.replace(there, here)
        return line

    work = tmp_path / "build"
    work.mkdir()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for step, rest in build:
        if step == "COPY":
            *sources, target = rest.split()
            for source in sources:
                assert f"!{source.rstrip('/')}" in ignored, f"{source} does not reach the engine"
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, work / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, work / target)
        elif step == "RUN":
            run("sh", "-euc", moved(rest.replace("python -m venv", f"{shlex.quote(sys.executable)} -m venv")), cwd=work)

    # The second stage has nothing of the first but the environment.
    shutil.rmtree(work)
    shutil.rmtree(tmp_path / "opt" / "builder")
    instructions = {step: rest for step, rest in final if step != "RUN"}
    assert "--from=build /opt/soapstone /opt/soapstone" in instructions["COPY"]
    assert instructions["USER"].split(":")[0] not in {"root", "0"}
    assert (instructions["VOLUME"], instructions["EXPOSE"]) == ("/data", "8080")
    assert "curl" not in " ".join(rest for _, rest in steps)

    port = free_port()
    programs = str(tmp_path / "opt" / "soapstone" / "bin")
    start = [moved(word) for word in json.loads(instructions["CMD"])]
    assert start[:2] == ["soapstone", "serve"]
    assert "--demo" not in start
    # Every address is right inside a container; here it is the loopback address, and a port that is free.
    start = [{"0.0.0.0": "127.0.0.1", "8080": str(port)}.get(word, word) for word in start]
    health = json.loads(instructions["HEALTHCHECK"].partition("CMD ")[2])
    health = [word.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for word in health]
    (tmp_path / "data").mkdir()
    with serving([f"{programs}/{start[0]}", *start[1:]], port, tmp_path) as address:
        run(f"{programs}/{health[0]}", *health[1:], cwd=tmp_path)
        check_contracts(address)
    assert any((tmp_path / "data").iterdir())
    with pytest.raises(AssertionError, match="refused"):
        run(f"{programs}/{health[0]}", *health[1:], cwd=tmp_path)
