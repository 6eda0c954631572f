"""The package as an index takes it and as users start it: build, checks, uvx and pipx, notices, the systemd unit."""

from __future__ import annotations

import configparser
import email
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.interop.test_wheel import CLEAN, ROOT, check_contracts, free_port, run, serving

pytestmark = pytest.mark.interop

TOOLS = ROOT / "build" / "package" / "bin"
UV = Path(sys.executable).with_name("uv")
# How exposed systemd finds the service, from 0 to 10; 2 and more is no longer its best grade.
EXPOSURE = 2.0


@dataclass(frozen=True)
class Built:
    """What `make package` has built: the wheel and the source distribution."""

    wheel: Path
    sdist: Path

    def metadata(self) -> email.message.Message:
        """The wheel's metadata; its payload is the README."""
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built and checked by twine and check-wheel-contents, as the script does it: it fails when they complain."""
    folder = tmp_path_factory.mktemp("dist")
    told = run("env", f"PYTHON={sys.executable}", "packaging/build.sh", folder, cwd=ROOT)
    assert told.count("PASSED") == 2
    assert "WARNING" not in told
    ((wheel,), (sdist,)) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The locked versions, so that programs that install by themselves take no others."""
    file = tmp_path_factory.mktemp("constraints") / "run.txt"
    locked = (ROOT / "requirements" / "image.txt").read_text()
    # Without the hashes, which the wheel has none of.
    file.write_text("".join(f"{line}\n" for line in re.findall(r"^([a-z]\S*==.*?)(?: \\)?$", locked, re.MULTILINE)))
    return file


@pytest.fixture(scope="module")
def environment(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds below /opt/soapstone: the locked distributions and the wheel."""
    folder = tmp_path_factory.mktemp("environment") / "soapstone"
    run(UV, "venv", "--quiet", "--python", sys.executable, folder, cwd=ROOT)
    install = (UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python")
    run(*install, "--require-hashes", "-r", "requirements/image.txt", cwd=ROOT)
    run(*install, "--no-index", "--no-deps", built.wheel, cwd=ROOT)
    return folder


def test_the_metadata_says_what_an_index_shows(built: Built) -> None:
    data = built.metadata()
    assert data["License-Expression"] == "Apache-2.0"
    # What it needs, and under which licences: it contains nothing of others itself.
    assert data.get_all("License-File") == ["LICENSE", "docs/dependencies.md"]
    assert data["Author"]
    assert data["Description-Content-Type"] == "text/markdown"
    assert data.get_all("Project-URL") is None


def test_the_readme_renders_and_leads_nowhere_into_the_repository(built: Built, tmp_path: Path) -> None:
    text = str(built.metadata().get_payload())
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert targets
    assert all(target.startswith("https://") for target in targets)
    (tmp_path / "README.md").write_text(text)
    code = "import pathlib, readme_renderer.markdown as m; print(m.render(pathlib.Path('README.md').read_text()))"
    page = run(TOOLS / "python", "-W", "error", "-c", code, cwd=tmp_path)
    assert "<table>" in page
    assert "<img" not in page
    assert all(link.startswith(("https://", "http://")) for link in re.findall(r'href="([^"#]+)"', page))
    with tarfile.open(built.sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    named = set(re.findall(r"\(`([^`]+)`\)", text))
    assert len(named) > 10
    assert named <= held


def test_the_source_distribution_holds_the_files_that_git_knows(built: Built) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    tracked = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    with tarfile.open(built.sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held - tracked == {"PKG-INFO"}
    # What is left out serves the repository itself.
    assert {name.split("/")[0] for name in tracked - held} <= {".ci", ".gitattributes", "findings"}


def test_uvx_starts_the_demo(built: Built, constraints: Path, tmp_path: Path) -> None:
    uvx = [str(UV), "tool", "run", "--python", sys.executable, "--constraints", str(constraints)]
    start = [*uvx, "--from", str(built.wheel), "soapstone"]
    assert run(*start, "--version", cwd=tmp_path).splitlines()[-1] == built.metadata()["Version"]
    port = free_port()
    with serving([*start, "serve", "--demo", "--port", str(port)], port, tmp_path) as address:
        check_contracts(address)
    assert (tmp_path / "data" / "soapstone.sqlite").is_file()


def test_pipx_starts_the_demo(built: Built, constraints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLEAN, "PIPX_HOME", str(tmp_path / "pipx"))
    pipx = [str(TOOLS / "pipx"), "run", "--python", sys.executable, "--pip-args", f"--constraint {constraints}"]
    start = [*pipx, "--spec", str(built.wheel), "soapstone"]
    assert run(*start, "--version", cwd=tmp_path).splitlines()[-1] == built.metadata()["Version"]
    port = free_port()
    with serving([*start, "serve", "--demo", "--port", str(port)], port, tmp_path) as address:
        check_contracts(address)


def test_notices_name_every_distribution_of_the_image_with_its_licence(environment: Path) -> None:
    notices = run(environment / "bin" / "python", ROOT / "packaging" / "third_party_notices.py", cwd=environment)
    held = run(UV, "pip", "freeze", "--python", environment / "bin" / "python", cwd=environment).splitlines()
    named = dict(re.findall(r"^={80}\n(\S+) (\S+)\nLicence: \S", notices, re.MULTILINE))
    locked = dict(line.split("==") for line in held if "==" in line)
    assert {name.lower().replace("_", "-") for name in named} == set(locked)
    assert len(named) > 30
    assert "Permission is hereby granted" in notices
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in notices
    assert notices.count("(The distribution brings no text.)") <= 1
    assert "Soapstone 0" not in notices


def unit() -> configparser.SectionProxy:
    """The [Service] section of the unit; of settings that are given twice the last one."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "packaging" / "soapstone.service")
    return parser["Service"]


def test_systemd_takes_the_unit_and_finds_it_safe(environment: Path, tmp_path: Path) -> None:
    file = tmp_path / "soapstone.service"
    text = (ROOT / "packaging" / "soapstone.service").read_text()
    file.write_text(text.replace("/opt/soapstone/", f"{environment}/"))
    run("systemd-analyze", "verify", "--man=no", file, cwd=tmp_path)
    told = run("systemd-analyze", "security", "--offline=true", "--no-pager", file, cwd=tmp_path)
    found = re.search(r"Overall exposure level for soapstone.service: ([0-9.]+)", told)
    assert found, told
    assert float(found[1]) < EXPOSURE


def test_the_command_of_the_unit_serves(environment: Path, tmp_path: Path) -> None:
    """As systemd starts it, with the first account from a credential, and no memory that is written and executed."""
    service, port = unit(), free_port()
    words = shlex.split(service["ExecStart"].replace("/opt/soapstone", str(environment)).replace("8080", str(port)))
    (tmp_path / "password").write_text("long secret\n")
    variables = dict(pair.split("=", 1) for pair in service["Environment"].replace("%S", str(tmp_path)).split())
    assert variables["SOAPSTONE_DATA_DIR"] == f"{tmp_path}/{service['StateDirectory']}"
    variables |= {"SOAPSTONE_ADMIN_LOGIN": "acme", "SOAPSTONE_ADMIN_PASSWORD_FILE": str(tmp_path / "password")}
    # PR_SET_MDWE is what MemoryDenyWriteExecute sets on newer kernels; older ones refuse the call.
    code = "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execvp(sys.argv[1], sys.argv[1:])"
    start = ["env", *(f"{name}={value}" for name, value in variables.items()), sys.executable, "-c", code, *words]
    with serving(start, port, tmp_path) as address:
        check_contracts(address)
        shown = run(
            environment / "bin" / "soapstone", "account", "logins", "--json", "--data", tmp_path / "soapstone", cwd=ROOT
        )
        assert '"name": "acme"' in shown
