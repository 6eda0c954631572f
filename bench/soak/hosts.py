"""Three worker hosts and two web hosts: some die, one is cut off, PostgreSQL crashes. The state must be the same.

    python bench/soak/hosts.py [--rounds 3] [--people 30000] [--mails 3000] [--cut 60] [--seed 1]

Each host is a network namespace of this machine. Ten imports and two sends run while clients poll by SOAP and REST and
click links; see tests/hosts/trial.py. Prints a line for each round, and ends with status 1 when anybody could tell what
happened: another state than that of an undisturbed run, an error that a client saw, or a job of a dead host that waited
for more than 15 seconds. It needs root, or a system that lets users make network namespaces.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
# Seconds that each part of a round may take, on a machine with much other work.
PATIENCE = 1800

from tests.hosts import test_hosts  # noqa: E402 - it lies beside the package


def main() -> int:
    parser = argparse.ArgumentParser(description="Hosts die, and nobody can tell.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--people", type=int, default=30_000)
    parser.add_argument("--mails", type=int, default=3_000)
    parser.add_argument("--cut", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    test_hosts.SECONDS = 7200
    findings = 0
    for place in range(given.rounds):
        arguments = {"people": given.people, "mails": given.mails, "cut": given.cut, "seed": given.seed + place}
        arguments["patience"] = PATIENCE
        found = test_hosts.hold(*(text for name, value in arguments.items() for text in (f"--{name}", str(value))))
        wrong = found.pop("wrong")
        findings += len(wrong)
        print(f"round {place + 1}: {found}", *wrong, sep="\n", flush=True)
    print(f"{given.rounds} rounds, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
