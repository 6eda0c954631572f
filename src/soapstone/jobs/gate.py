"""A gate before the worker, which holds back jobs and knows the running ones that only wait for their end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from soapstone.jobs.job import Job


class JobGate(Protocol):
    """Holds jobs back. A worker without a gate takes every runnable job; the test server has one with rules."""

    @property
    def resting(self) -> int:
        """Return the number of running jobs that only wait for their end: they need no slot."""

    def attach(self, wake: Callable[[], None]) -> None:
        """Call `wake` from now on whenever a held job may begin."""

    def closed_to(self) -> Collection[int]:
        """Return the numbers of the jobs that may not begin now. Called before each claim."""

    def may_begin(self, job: Job) -> bool:
        """Return whether a job that was just claimed may begin. If not, the claim is rolled back."""
