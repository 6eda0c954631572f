"""Hosts on one machine: network namespaces, joined by a bridge in the namespace of the process that makes them.

That process runs in a namespace of its own: see `PREFIX`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# What a program that makes hosts is started by. Without root it needs a system that lets users make namespaces.
PREFIX = (
    ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-current-user", "--keep-caps", "--net")
)
NETWORK = "10.77.0"
# Where the process itself is reached by its hosts.
HERE = f"{NETWORK}.1"
_BRIDGE = "hosts"


def ip(*arguments: str) -> None:
    """Run the command `ip`."""
    subprocess.run(["ip", *arguments], check=True)


def make_bridge() -> None:
    """Prepare this namespace."""
    ip("link", "set", "lo", "up")
    ip("link", "add", _BRIDGE, "type", "bridge")
    ip("address", "add", f"{HERE}/24", "dev", _BRIDGE)
    ip("link", "set", _BRIDGE, "up")


@dataclass
class Host:
    """A namespace with one address. It lasts as long as the process that holds it."""

    name: str
    address: str
    holder: subprocess.Popen[bytes]

    @classmethod
    def make(cls, number: int) -> Host:
        """Make a host and join it to the bridge."""
        # It says that it is there, when the namespace is.
        command = ["unshare", "--net", "sh", "-c", "echo there; exec sleep 100000"]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert holder.stdout is not None
        holder.stdout.readline()
        host = cls(f"host{number}", f"{NETWORK}.{number}", holder)
        inner = f"{host.name}-in"
        ip("link", "add", host.name, "type", "veth", "peer", "name", inner, "netns", str(holder.pid))
        ip("link", "set", host.name, "master", _BRIDGE, "up")
        for command in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "address", "add", f"{host.address}/24", "dev", inner],
            ["ip", "link", "set", inner, "up"],
        ):
            subprocess.run(host.command(command), check=True)
        return host

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs this one on the host; the process keeps its number."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", *command]

    def start(self, command: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process on the host."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self.command(command),
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def cut_off(self) -> None:
        """Let no packet pass: nobody is told that the other side is gone."""
        ip("link", "set", self.name, "down")

    def join(self) -> None:
        """Let packets pass again."""
        ip("link", "set", self.name, "up")

    def remove(self) -> None:
        """End the host."""
        self.holder.kill()
        self.holder.wait()
        assert self.holder.stdout is not None
        self.holder.stdout.close()
