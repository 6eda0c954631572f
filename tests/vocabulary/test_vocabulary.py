"""Each closed set says what its members are, and whatever maps a set knows all of its members."""

from __future__ import annotations

from collections.abc import Iterable, Set
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import get_args

import pytest

from soapstone import vocabulary
from soapstone.api.messages import Kind
from soapstone.listrak import processes, profiles
from soapstone.magnetmail import uploads, users
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.audience import RANKS
from soapstone.sending.send_records import STEPS
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.testing.seed import JobSeed
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.vocabulary.contacts import MembershipState, UnsubscribeType
from soapstone.vocabulary.deliveries import DeliveryState
from soapstone.vocabulary.jobs import ENDED, IMPORTS, SENDS, JobKind, JobState
from soapstone.vocabulary.labelled import Labelled
from soapstone.vocabulary.messages import MessageKind
from soapstone.vocabulary.rows import REJECTED, TAKEN, ImportOutcome

for _module in iter_modules(vocabulary.__path__):
    import_module(f"{vocabulary.__name__}.{_module.name}")
SETS = sorted(Labelled.__subclasses__(), key=lambda each: each.__name__)

# Each mapping of a closed set with the members that it leaves out on purpose.
MAPPINGS: dict[str, tuple[Iterable[str], type[Labelled], Set[str]]] = {
    "names of processes": (
        processes.NAMES,
        JobKind,
        # The contract has no process for these.
        {JobKind.UPLOAD_ENTRY, JobKind.ATTRIBUTE_REMOVAL, JobKind.SEND},
    ),
    "states of processes": (processes.STATES, JobState, set()),
    "states of uploads": (uploads.STATUS, JobState, set()),
    "kinds of attributes on the wire": (profiles.KINDS.values(), AttributeKind, set()),
    "types of unsubscribes on the wire": (users.UNSUBSCRIBE_TYPES, UnsubscribeType, set()),
    "steps of sends": (STEPS, JobKind, set(JobKind) - set(SENDS)),
    "states that speak for an address": (set(RANKS) - {"", "suppressed"}, MembershipState, set()),
    "stored messages of the REST API": (get_args(Kind), MessageKind, {MessageKind.SEND}),
    "past jobs of a seed": (get_args(JobSeed.model_fields["state"].annotation), JobState, set(JobState) - set(ENDED)),
}


@pytest.mark.parametrize("terms", SETS, ids=lambda each: each.__name__)
def test_each_member_has_a_label_and_a_meaning(terms: type[Labelled]) -> None:
    for term in terms:
        assert term.label, term
        assert term.meaning.endswith("."), term
    assert len({term.meaning for term in terms}) == len(terms)


@pytest.mark.parametrize("name", MAPPINGS)
def test_each_mapping_is_complete(name: str) -> None:
    known, terms, left_out = MAPPINGS[name]
    assert set(known) == set(terms) - left_out


def test_each_kind_of_job_has_a_runner(database: Database, tmp_path: Path) -> None:
    product = Product.open(Settings(data_dir=tmp_path), database)
    # An entry of the upload queue is over when it is stored.
    assert set(runners(product)) == set(JobKind) - {JobKind.UPLOAD_ENTRY}
    assert set(IMPORTS).isdisjoint(SENDS)


def test_outcomes_are_taken_or_rejected_and_have_a_code_each() -> None:
    assert TAKEN.isdisjoint(REJECTED)
    assert len(TAKEN | REJECTED) == len(ImportOutcome)
    assert sorted(outcome.code for outcome in ImportOutcome) == list(range(1, len(ImportOutcome) + 1))


def test_a_member_is_the_text_that_is_stored() -> None:
    assert (f"{DeliveryState.SENT}", str(DeliveryState.SENT), DeliveryState("handed")) == ("handed", "handed", "handed")
