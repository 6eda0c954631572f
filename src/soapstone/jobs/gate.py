"""A gate before the worker: which jobs may not begin yet, and which of those that began only wait for their end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from soapstone.jobs.job import Job


class JobGate(Protocol):
    """Holds jobs back. A worker without a gate takes every job that may run; the test server has one with rules."""

    @property
    def resting(self) -> int:
        """How many running jobs have done their work and wait for their end: they need no slot."""

    def attach(self, wake: Callable[[], None]) -> None:
        """Call `wake` from now on whenever a job that was held back may begin."""

    def closed_to(self) -> Collection[int]:
        """Return the numbers of the jobs that may not begin now. Called before each claim."""

    def may_begin(self, job: Job) -> bool:
        """Return whether a job that was just claimed may begin. If not, the claim is undone before it shows."""
