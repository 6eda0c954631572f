"""Mail servers of Debian, each in a root of its own: nothing is installed on, or removed from, the machine.

    mail_servers.py prepare NAME... --folder FOLDER
    mail_servers.py start NAME --folder FOLDER --state STATE --port PORT --log FILE
    mail_servers.py exec PID COMMAND...
    mail_servers.py stop PID

Debian's mail servers exclude one another. So each is installed over the machine's own files in an overlay, whose upper
layer is `FOLDER/NAME/upper`, and which is mounted only in the mount namespace of the server. Packages and their lists
are fetched into `FOLDER/apt`, once for all servers. A server runs on a copy of that layer, `STATE/upper`: with a new
folder it starts as it was installed. Needs root.

`start` prints the process id of the first process of the server's own process namespace, when the server listens on
127.0.0.1. That process writes what the server tells syslog into the log file; with it all processes of the server end.

A server accepts mail for the users u1 to u300 and `bounces` of the domain interop.test, and delivers it into their
mailboxes in its root. It finds no name of another machine, so it sends nothing to other machines. Everything else is
as the packages have it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import mailbox
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

DOMAIN = "interop.test"
HOST = f"mail.{DOMAIN}"
USERS = [f"u{number}" for number in range(1, 301)]
BOUNCES = "bounces"
FIRST_UID = 20_000
SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Packages, answers for debconf, a script after the installation, and one that ends as the server itself.

    `mailbox` is a user's mailbox in the root, a file in the format mbox or a Maildir. Scripts find `$PORT`, `$HOST` and
    `$DOMAIN`.
    """

    packages: tuple[str, ...]
    answers: tuple[str, ...] = ()
    prepare: str = ""
    start: str
    mailbox: str = "var/mail/{user}"


RECIPES = {
    "postfix": Recipe(
        packages=("postfix",),
        answers=("postfix postfix/main_mailer_type select Internet Site", f"postfix postfix/mailname string {DOMAIN}"),
        prepare="postconf -e 'default_transport = error:5.1.2 no mail leaves this machine'",
        start="""
            postconf -M# smtp/inet
            postconf -Me "127.0.0.1:$PORT/inet=127.0.0.1:$PORT inet n - y - - smtpd"
            /usr/lib/postfix/configure-instance.sh -
            exec postfix start-fg
        """,
    ),
    "exim": Recipe(
        packages=("exim4-daemon-light",),
        # Debian's own answer for machines without a network, which no mail leaves.
        answers=(f"exim4-config exim4/dc_other_hostnames string {DOMAIN}",),
        # Who may relay is asked before who is known, and this machine may: as a stranger it learns who is unknown.
        prepare="""
            printf '%s\\n' 'MAIN_RELAY_NETS =' 'log_file_path = syslog' 'syslog_duplication = false' \\
                >/etc/exim4/exim4.conf.localmacros
            update-exim4.conf
        """,
        start="exec exim4 -bdf -q30m -oX 127.0.0.1.$PORT",
    ),
    "opensmtpd": Recipe(
        packages=("opensmtpd",),
        answers=(f"opensmtpd opensmtpd/mailname string {DOMAIN}",),
        start="""
            sed -i -e "s/^listen on .*/listen on 127.0.0.1 port $PORT/" -e '/"relay"/d' /etc/smtpd.conf
            exec smtpd -F
        """,
        mailbox="home/{user}/Maildir",
    ),
    "sendmail": Recipe(
        packages=("sendmail", "sendmail-bin"),
        prepare="echo $DOMAIN >>/etc/mail/local-host-names",
        start="""
            sed -i "s/^\\(O DaemonPortOptions=.*Name=MTA-v4\\).*/\\1, Addr=127.0.0.1, Port=$PORT/" /etc/mail/sendmail.cf
            mkdir -p /run/sendmail/mta /run/sendmail/msp /run/sendmail/stampdir
            exec /usr/sbin/sendmail-mta -bD -q10m
        """,
    ),
    "courier": Recipe(
        packages=("courier-mta", "courier-authdaemon"),
        prepare="""
            echo $DOMAIN >>/etc/courier/locals
            echo $DOMAIN >/etc/courier/defaultdomain
            echo $DOMAIN >/etc/courier/esmtpacceptmailfor.dir/default
            makeacceptmailfor
        """,
        start="""
            sed -i -e "s/^PORT=.*/PORT=$PORT/" -e "/^ADDRESS=/d" /etc/courier/esmtpd
            echo ADDRESS=127.0.0.1 >>/etc/courier/esmtpd
            # There is no name server here, for which it would wait.
            sed -i -e 's/^TCPDOPTS="/&-nodnslookup /' -e 's/^BOFHCHECKDNS=.*/BOFHCHECKDNS=0/' /etc/courier/esmtpd
            systemd-tmpfiles --create courier-mta.conf courier-authdaemon.conf
            authdaemond start
            courierfilter start
            courier start
            esmtpd start
            exec sleep infinity
        """,
        mailbox="home/{user}/Maildir",
    ),
}


class Root:
    """The root of one server, installed below `folder`; `state` holds what it writes while it runs.

    The folder `shared` is the machine's own in the root, too, by the same path.
    """

    def __init__(self, folder: Path, name: str, state: Path, shared: Path | None = None) -> None:
        self.name = name
        self._shared = shared
        self.recipe = RECIPES[name]
        self._folder, self._place, self._state = folder.resolve(), folder.resolve() / name, state.resolve()
        self._apt, self._installed = self._folder / "apt", self._place / "upper"

    def prepare(self) -> None:
        """Install the server, unless it is. Raises RuntimeError with what the installation said."""
        for place in (self._place, self._apt / "archives/partial", self._apt / "lists"):
            place.mkdir(parents=True, exist_ok=True)
        done = self._place / "installed"
        with (self._place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if done.exists():
                return
            command = self._command("inside-prepare")
            result = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if result.returncode:
                raise RuntimeError(f"{self.name} cannot be installed:\n{result.stdout}")
            done.touch()

    def start(self, port: int, log: Path) -> int:
        """Start the server; it listens when this returns. Return the process id that stop takes."""
        self._state.mkdir(parents=True, exist_ok=True)
        # As a further layer between the two it is refused: it lies inside the lowest one.
        if not (self._state / "upper").exists():
            subprocess.run(["cp", "--archive", self._installed, self._state / "upper"], check=True)
        ready = self._state / "pid"
        ready.unlink(missing_ok=True)
        shared = ["--shared", str(self._shared.resolve())] if self._shared else []
        command = self._command("inside-start", "--port", str(port), "--log", str(log.resolve()), *shared)
        # What it prints belongs to the log, too: a server may say there why it does not start.
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        end = time.monotonic() + SECONDS
        while not listens(port):
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.name} does not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.05)
        return int(ready.read_text())

    def stop(self) -> None:
        """End the server that this object started."""
        stop(int((self._state / "pid").read_text()))
        self._process.wait(SECONDS)

    def mails(self, user: str) -> list[Message]:
        """What is in the mailbox of a user."""
        place = self._state / "upper" / self.recipe.mailbox.format(user=user)
        if not place.exists():
            return []
        box = mailbox.Maildir(place, create=False) if place.is_dir() else mailbox.mbox(place, create=False)
        with contextlib.closing(box):
            return list(box)

    def version(self) -> str:
        """The version of the package of the server."""
        status = (self._installed / "var/lib/dpkg/status").read_text()
        found = re.search(rf"(?ms)^Package: {self.recipe.packages[0]}$.*?^Version: (\S+)$", status)
        assert found is not None
        return found[1]

    def _command(self, verb: str, *options: str) -> list[str]:
        namespaces = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        program = ["/usr/bin/python3", str(Path(__file__).resolve()), verb, self.name]
        return [*namespaces, *program, "--folder", str(self._folder), "--state", str(self._state), *options]

    # What follows runs in the namespaces.

    def enter(self, folder: Path) -> None:
        """Make an overlay, whose upper layer is in this folder, the root of this process."""
        for name in ("upper", "work", "merged"):
            (folder / name).mkdir(exist_ok=True)
        place = folder / "merged"
        layers = f"lowerdir=/,upperdir={folder / 'upper'},workdir={folder / 'work'}"
        mount("-t", "overlay", "-o", layers, "overlay", place)
        mount("-t", "proc", "proc", place / "proc")
        for name, mode in (("dev", "755"), ("run", "755"), ("tmp", "1777")):
            mount("-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", place / name)
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            (place / "dev" / name).touch()
            mount("--bind", f"/dev/{name}", place / "dev" / name)
        (place / "dev/fd").symlink_to("/proc/self/fd")
        (place / "dev/shm").mkdir(mode=0o1777)
        (place / "run/apt").mkdir()
        mount("--bind", self._apt, place / "run/apt")
        if self._shared:
            own = place / self._shared.relative_to("/")
            own.mkdir(parents=True, exist_ok=True)
            mount("--bind", self._shared, own)
        socket.sethostname(HOST)
        os.chroot(place)
        os.chdir("/")

    def install(self) -> None:
        """Install the packages, without starting anything, and add the users."""
        Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {HOST} mail {DOMAIN}\n")
        Path("/etc/hostname").write_text(f"{HOST}\n")
        Path("/etc/mailname").write_text(f"{DOMAIN}\n")
        policy = Path("/usr/sbin/policy-rc.d")
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        answers = "\n".join(self.recipe.answers) + "\n"
        subprocess.run(["debconf-set-selections"], input=answers, text=True, check=True)
        apt = [
            "apt-get",
            "-y",
            "-o",
            "Dir::State::lists=/run/apt/lists",
            "-o",
            "Dir::Cache::archives=/run/apt/archives",
        ]
        apt += ["-o", "APT::Sandbox::User=root", "-o", "Dpkg::Options::=--force-unsafe-io", "--no-install-recommends"]
        with Path("/run/apt/lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            updated = Path("/run/apt/updated")
            if not updated.exists():
                subprocess.run([*apt, "update"], check=True)
                updated.touch()
            subprocess.run([*apt, "install", "--download-only", *self.recipe.packages], check=True)
        # Several servers may be installed at once: from here on each has files of its own only.
        apt += ["-o", "Debug::NoLocking=true"]
        subprocess.run([*apt, "install", *self.recipe.packages], env=self._environment(0), check=True)
        add_users()
        self._script(self.recipe.prepare, 0)

    def serve(self, port: int) -> None:
        """Run the server and write what it tells syslog to standard output, until SIGTERM."""
        # Whatever it may want to send somewhere else, it finds nobody.
        Path("/etc/resolv.conf").unlink(missing_ok=True)
        Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
        syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        syslog.bind("/dev/log")
        Path("/dev/log").chmod(0o666)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        script = ["sh", "-euc", self.recipe.start]
        server = subprocess.Popen(script, env=self._environment(port))
        while True:
            readable, _, _ = select.select([syslog], [], [], 0.2)
            if readable:
                # A message begins with its priority in angle brackets.
                message = syslog.recv(65_536).partition(b">")[2]
                os.write(1, message.rstrip(b"\0\n") + b"\n")
            # Processes whose parents have ended are ours.
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    if ended[0] == server.pid:
                        sys.exit(f"the server ended with {os.waitstatus_to_exitcode(ended[1])}")

    def _script(self, text: str, port: int) -> None:
        subprocess.run(["sh", "-euc", text], env=self._environment(port), check=True)

    def _environment(self, port: int) -> dict[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C",
            "PORT": str(port),
            "HOST": HOST,
            "DOMAIN": DOMAIN,
        }


def mount(*arguments: str | Path) -> None:
    """Mount in this namespace."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def add_users() -> None:
    """Write the users into the system's own tables, with homes that have a Maildir."""
    tables: dict[str, list[str]] = {"passwd": [], "group": [], "shadow": []}
    for uid, user in enumerate([*USERS, BOUNCES], FIRST_UID):
        home = Path("/home") / user
        tables["passwd"].append(f"{user}:x:{uid}:{uid}::{home}:/bin/sh")
        tables["group"].append(f"{user}:x:{uid}:")
        tables["shadow"].append(f"{user}:*:19000:0:99999:7:::")
        for place in (home, home / "Maildir", *(home / "Maildir" / name for name in ("new", "cur", "tmp"))):
            place.mkdir(mode=0o700, exist_ok=True)
            os.chown(place, uid, uid)
    for name, lines in tables.items():
        with (Path("/etc") / name).open("a") as table:
            table.writelines(f"{line}\n" for line in lines)


def listens(port: int) -> bool:
    """Whether a server greets on this port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        return connection.recv(4).startswith(b"220")
    return False


def inside(pid: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of a server that runs. Raises CalledProcessError."""
    entered = ["nsenter", "--target", str(pid), "--mount", "--pid", "--uts", "--root", "--wd"]
    return subprocess.run([*entered, *command], check=True, capture_output=True, text=True)


def stop(pid: int) -> None:
    """End a server with all its processes. Raises RuntimeError when it does not end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + SECONDS
        while True:
            os.kill(pid, 0)
            if time.monotonic() > end:
                raise RuntimeError(f"process {pid} does not end")
            time.sleep(0.02)


def main() -> None:
    """Run one verb."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("prepare", "inside-prepare", "start", "inside-start"):
        command = verbs.add_parser(verb)
        command.add_argument("names" if verb == "prepare" else "name", nargs="+" if verb == "prepare" else None)
        command.add_argument("--folder", type=Path, required=True)
        if verb != "prepare":
            command.add_argument("--state", type=Path, required=True)
        if verb.endswith("start"):
            command.add_argument("--port", type=int, required=True)
            command.add_argument("--log", type=Path, required=True)
            command.add_argument("--shared", type=Path)
    command = verbs.add_parser("exec")
    command.add_argument("pid", type=int)
    command.add_argument("command", nargs=argparse.REMAINDER)
    verbs.add_parser("stop").add_argument("pid", type=int)
    given = parser.parse_args()
    if given.verb == "prepare":
        for name in given.names:
            Root(given.folder, name, given.folder / name).prepare()
    elif given.verb == "start":
        print(Root(given.folder, given.name, given.state).start(given.port, given.log))
    elif given.verb == "exec":
        print(inside(given.pid, *given.command).stdout, end="")
    elif given.verb == "stop":
        stop(given.pid)
    else:
        root = Root(given.folder, given.name, given.state, getattr(given, "shared", None))
        if given.verb == "inside-prepare":
            root.enter(given.folder / given.name)
            root.install()
        else:
            # The machine's /proc is still there, and knows this process by the number that others know it by.
            (given.state / "pid").write_text(str(Path("/proc/self").readlink()))
            root.enter(given.state)
            root.serve(given.port)


if __name__ == "__main__":
    main()
