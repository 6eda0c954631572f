"""Sends of one build of the product, for `bench/sending.py`: of the one whose `src` and `bench` are on PYTHONPATH.

    python bench/peers/sends_of_build.py FOLDER MAILS CONNECTIONS CORE...

It imports MAILS people into FOLDER, where it makes all that it needs. For every line on its standard input it sends
the message of that build's `bench/sending.py` to them and prints one line of JSON, what the sink counted. Its workers
have the settings of its environment. CORE are the cores that build and sink may use, the first for the worker.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    folder, mails, connections, *cores = sys.argv[1:]
    # Before the bench looks which ones there are.
    os.sched_setaffinity(0, set(map(int, cores)))
    from sending import Sink, newsletter, other_core

    os.sched_setaffinity(0, {other_core()})
    with Sink(other_core()) as sink, newsletter(Path(folder), int(mails), sink, int(connections)) as ours:
        print("ready", flush=True)
        for _ in sys.stdin:
            _, counted = ours.send()
            print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
