"""Hosts on one machine: network namespaces, joined by a bridge in the namespace of the process that makes them.

That process runs in a namespace of its own: see `PREFIX`. Where a system lets nobody make namespaces, hosts are
addresses of the loopback interface, and one that is cut off stands still instead.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.kills.workers import stop_threads

# Without root it needs a system that lets users make namespaces.
_UNSHARE = (
    ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-current-user", "--keep-caps", "--net")
)


def _may_make_namespaces() -> bool:
    trial = "ip link add hosts type bridge && unshare --net true"
    try:
        return (
            subprocess.run([*_UNSHARE, "sh", "-c", trial], capture_output=True, timeout=30, check=False).returncode == 0
        )
    except OSError:
        return False


NAMESPACES = "LOOPBACK_HOSTS" not in os.environ and _may_make_namespaces()
# What a program that makes hosts is started by.
PREFIX = _UNSHARE if NAMESPACES else ()
NETWORK = "10.77.0" if NAMESPACES else "127.77.0"
# Where connections come from.
SOURCES = f"{NETWORK}.0/24" if NAMESPACES else "127.0.0.0/8"
# Where the process itself is reached by its hosts.
HERE = f"{NETWORK}.1"
_BRIDGE = "hosts"


def ip(*arguments: str) -> None:
    """Run the command `ip`."""
    subprocess.run(["ip", *arguments], check=True)


def make_bridge() -> None:
    """Prepare this namespace."""
    if not NAMESPACES:
        return
    ip("link", "set", "lo", "up")
    ip("link", "add", _BRIDGE, "type", "bridge")
    ip("address", "add", f"{HERE}/24", "dev", _BRIDGE)
    ip("link", "set", _BRIDGE, "up")


@dataclass
class Host:
    """A namespace with one address. It lasts as long as the process that holds it, if it is one."""

    name: str
    address: str
    holder: subprocess.Popen[bytes] | None = None
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def make(cls, number: int) -> Host:
        """Make a host and join it to the bridge."""
        if not NAMESPACES:
            return cls(f"host{number}", f"{NETWORK}.{number}")
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
        if self.holder is None:
            return list(command)
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", *command]

    def start(self, command: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process on the host."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.command(command),
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.started.append(process)
        return process

    def cut_off(self) -> None:
        """Let no packet pass: nobody is told that the other side is gone."""
        if NAMESPACES:
            ip("link", "set", self.name, "down")
        else:
            for process in self.started:
                stop_threads(process)

    def join(self) -> None:
        """Let packets pass again."""
        if NAMESPACES:
            ip("link", "set", self.name, "up")
        else:
            for process in self.started:
                process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End the host."""
        if self.holder is None:
            return
        self.holder.kill()
        self.holder.wait()
        assert self.holder.stdout is not None
        self.holder.stdout.close()
