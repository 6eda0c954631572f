"""The part of the control API that sets transitions."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from soapstone.api.values import Number
from soapstone.testing.transition_forms import TransitionIn
from soapstone.testing.transitions import Transition, Transitions


class TransitionOut(TransitionIn):
    """A transition with its number, and the jobs that it applied to so far."""

    number: int
    applied_to: list[int]


class TransitionsOut(BaseModel):
    """All transitions, oldest first."""

    transitions: list[TransitionOut]


class Advanced(BaseModel):
    """The new state of an advanced job."""

    job: int
    state: str


def _shown(made: Transition) -> TransitionOut:
    return TransitionOut(
        **{name: getattr(made.asked, name) for name in TransitionIn.model_fields},
        number=made.number,
        applied_to=list(made.jobs),
    )


def router(transitions: Transitions) -> APIRouter:
    """Return the part of the control API that sets transitions."""
    routes = APIRouter(tags=["transitions"])

    @routes.post("/transitions", status_code=201)
    def add_transition(given: TransitionIn) -> TransitionOut:
        """Set when jobs begin and end, and how."""
        return _shown(transitions.add(given))

    @routes.get("/transitions")
    def list_transitions() -> TransitionsOut:
        """List the transitions that were set, oldest first."""
        return TransitionsOut(transitions=[_shown(each) for each in transitions.all()])

    @routes.delete("/transitions", status_code=204, response_class=Response)
    def delete_transitions() -> None:
        """Remove all transitions: jobs that they hold go on by themselves."""
        transitions.clear()

    @routes.post("/jobs/{number}/advance")
    def advance_job(number: Number) -> Advanced:
        """Bring a job that a transition holds into its next state, and answer when it is there."""
        job = transitions.advance(number)
        return Advanced(job=job.id, state=job.state)

    return routes
