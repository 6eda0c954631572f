"""The REST API is asked for everything that its description allows, and for much that it does not, for a long time.

    python bench/soak/described.py [--seconds 600] [--seed 1] [--database postgresql://…]

Each round asks every operation anew, for what is allowed and for what is not, and looks whether the answers are those
of the description and none is a fault of the server. Without `--database` it is a SQLite file. Prints what it did. Ends
with status 1 when an answer was wrong.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.api.description import CHECKS, described_for_a_login  # noqa: E402

from soapstone.product import Product  # noqa: E402 - tests lie beside the package
from soapstone.settings import Settings  # noqa: E402
from soapstone.store import schema  # noqa: E402
from soapstone.store.database import Database  # noqa: E402

EXAMPLES = 25
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


class Proof:
    """Asks until the time is over, and counts: answers by status, and what was wrong, each once for an operation."""

    def __init__(self, product: Product, seconds: float) -> None:
        found = [each.ok() for each in described_for_a_login(product).get_all_operations()]
        # A stream that ends with its job, and there is nobody who does any here.
        self.operations = [each for each in found if not each.path.endswith("/events")]
        self.end = time.monotonic() + seconds
        self.answers: Counter[int] = Counter()
        self.wrong: dict[tuple[str, str], str] = {}

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end

    def round(self, number: int) -> None:
        """Ask every operation, as the number says."""
        for operation, mode in itertools.product(self.operations, MODES):
            if self.over:
                return
            self._ask(operation, mode, number)

    def _ask(self, operation: Any, mode: GenerationMode, number: int) -> None:
        @seed(number)
        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            if self.over:
                return
            answer = case.call()
            self.answers[answer.status_code] += 1
            try:
                case.validate_response(answer, checks=CHECKS)
            except (Failure, FailureGroup) as failure:
                self.wrong.setdefault(
                    (operation.label, str(answer.status_code)), f"{failure}\n{case.as_curl_command()}"
                )

        try:
            ask()
        except Unsatisfiable:
            # There is no wrong way to ask for this.
            if mode is not GenerationMode.NEGATIVE:
                raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soapstone-described-") as folder:
        database = Database(asked.database or f"sqlite:///{folder}/soapstone.sqlite")
        schema.upgrade(database)
        proof = Proof(Product.open(Settings(data_dir=Path(folder)), database), asked.seconds)
        rounds = 0
        while not proof.over:
            proof.round(asked.seed + rounds)
            rounds += 1
        kind = database.kind
        database.close()
    answers = ", ".join(f"{status}: {count:,}" for status, count in sorted(proof.answers.items()))
    print(
        f"{sum(proof.answers.values()):,} requests for {len(proof.operations)} operations in {rounds} rounds"
        f" (the last one may be cut short) on {kind}, seed {asked.seed}: {len(proof.wrong)} wrong answers"
    )
    print(f"answers by status: {answers}")
    for (operation, status), what in sorted(proof.wrong.items()):
        print(f"BROKEN {operation} {status}: {what[:2000]}")
    return 1 if proof.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
