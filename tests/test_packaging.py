"""Dockerfile, Compose files and systemd unit name what is there: files, settings, commands, secrets, services.

What can be carried out of them is, in tests/interop/test_wheel.py and tests/interop/test_packages.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from soapstone.commands.startup_checks import faults
from soapstone.settings import PREFIX, read_settings

ROOT = Path(__file__).parent.parent
BASE, FULL = "compose.yaml", "compose.postgresql.yaml"
SECRETS = {
    "admin_password": "long secret",
    "database_url": "postgresql://soapstone:secret@postgresql/soapstone",
    "postgresql_password": "secret",
}


def merged(first: Any, second: Any) -> Any:
    """What Compose makes of two files: mappings and lists grow, values are replaced."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first | {key: merged(first[key], value) if key in first else value for key, value in second.items()}
    return [*first, *second] if isinstance(first, list) and isinstance(second, list) else second


def compose(*names: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        found = merged(found, yaml.safe_load((ROOT / name).read_text()))
    return found


@pytest.mark.parametrize("names", [(BASE,), (BASE, FULL)], ids=" ".join)
def test_compose_files_give_the_server_settings_that_it_takes(
    names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = compose(*names)["services"]["soapstone"]
    for name in service["secrets"]:
        (tmp_path / name).write_text(f"{SECRETS[name]}\n")
    for name, value in service["environment"].items():
        value = re.sub(r"^\$\{(\w+):-(.*)\}$", r"\2", value)
        monkeypatch.setenv(name, value.replace("/run/secrets", str(tmp_path)))
    monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(tmp_path / "data"))
    settings = read_settings()
    assert list(faults(settings)) == []
    assert (settings.admin_login, settings.admin_password) == ("ACME/acme", "long secret")
    assert settings.database_url == (SECRETS["database_url"] if FULL in names else "")
    assert settings.smtp_url == ("smtp://postfix:25?starttls=never" if FULL in names else "")


def test_compose_files_name_what_they_declare() -> None:
    found = compose(BASE, FULL)
    services: dict[str, Any] = found["services"]
    used: dict[str, set[str]] = {"secrets": set(), "volumes": set()}
    for service in services.values():
        assert service.get("depends_on", {}).keys() <= services.keys()
        used["secrets"] |= set(service.get("secrets", ()))
        used["volumes"] |= {volume.partition(":")[0] for volume in service.get("volumes", ())}
        # Nothing is offered to the network: a proxy with TLS comes before it.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert found["secrets"].keys() == used["secrets"] == SECRETS.keys()
    assert found["volumes"].keys() == used["volumes"]
    assert {secret["file"] for secret in found["secrets"].values()} == {f"./secrets/{name}" for name in SECRETS}
    host = re.search(r"@(\w+)/", SECRETS["database_url"])
    assert host
    assert {host[1], "postfix", "mailpit"} <= services.keys()


def test_secrets_stay_out_of_the_repository_and_the_image() -> None:
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    assert "!secrets" not in lines


def test_the_base_of_the_image_can_be_chosen() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE) == ["python:3.13-slim"]
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())


def test_the_unit_names_settings_and_a_command() -> None:
    text = (ROOT / "packaging" / "soapstone.service").read_text()
    variables = re.findall(rf"\b({PREFIX}\w+)=(\S+)", text)
    assert variables == [("SOAPSTONE_DATA_DIR", "%S/soapstone")]
    (command,) = re.findall(r"^ExecStart=\S+/bin/(soapstone .+)$", text, re.MULTILINE)
    assert command == "soapstone serve --host 127.0.0.1 --port 8080"
    # The kernel's boot id tells of lost power; this would hide it.
    assert "ProcSubset" not in text
