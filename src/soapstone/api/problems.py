"""Problems: every refusal is `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from soapstone.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    SoapstoneError,
    UnavailableError,
)
from soapstone.store.transient_errors import RecordsUnavailable

log = logging.getLogger(__name__)

Found = TypeVar("Found")

MEDIA_TYPE = "application/problem+json"
BROKEN = "soapstone.broken"
"""Key of a request's scope, for a list of whether each failure was a connection to the database that broke."""
INTERNAL = "The server met an internal error. Its log has the details."


class Problem(BaseModel):
    """What was wrong: `detail` is a sentence; `errors` says which parts of a malformed request are wrong and why."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[dict[str, str]] = Field(default_factory=list)


class ProblemError(SoapstoneError):
    """A refusal by the rules of HTTP; its message is a sentence for the caller."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def not_found(what: str) -> NotFoundError:
    """Return the error for a number that does not exist or that the caller may not see."""
    return NotFoundError(f"There is no such {what}.")


def existing(found: Found | None, what: str) -> Found:
    """Return what was found. Raises NotFoundError for None."""
    if found is None:
        raise not_found(what)
    return found


# Errors of the product → HTTP status.
STATUSES: dict[type[SoapstoneError], int] = {
    NotFoundError: 404,
    ForbiddenError: 403,
    ConflictError: 409,
    InvalidError: 422,
    UnavailableError: 503,
}


def translated(error: SoapstoneError) -> HTTPException:
    """Return the error as the framework knows it: status, detail and headers."""
    if isinstance(error, ProblemError):
        return HTTPException(error.status, str(error), error.headers)
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 400)
    retry = {"Retry-After": str(error.retry_seconds)} if isinstance(error, UnavailableError) else None
    return HTTPException(status, str(error), retry)


# The refusals of any operation, for `description`.
REFUSALS = (400, 401, 403, 404, 409, 413, 415, 422, 503)
RESPONSES: dict[int | str, dict[str, Any]] = {status: {"description": HTTPStatus(status).phrase} for status in REFUSALS}


def answer(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """Return a problem's answer."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, **more)
    body = json.dumps(problem.model_dump(exclude_defaults=True) | {"title": problem.title, "status": status})
    return Response(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make all errors of an app problems."""

    @app.exception_handler(SoapstoneError)
    def refused(request: Request, error: SoapstoneError) -> Response:
        return raised(request, translated(error))

    @app.exception_handler(HTTPException)
    def raised(request: Request, error: HTTPException) -> Response:
        return answer(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        errors = [{"where": ".".join(map(str, each["loc"])), "what": str(each["msg"])} for each in error.errors()]
        # The framework takes a body without the media type of JSON for a text, as `curl -d` sends it.
        whole = any(tuple(each["loc"]) == ("body",) for each in error.errors())
        is_json = "json" in request.headers.get("content-type", "").lower()
        hint = " Send JSON with Content-Type: application/json." if whole and not is_json else ""
        return answer(422, f"The request is malformed.{hint}", errors=errors)

    @app.exception_handler(RecordsUnavailable)
    def unavailable(request: Request, error: RecordsUnavailable) -> Response:
        log.warning("%s %s failed: %s", request.method, request.url.path, error.told)
        request.scope.get(BROKEN, []).append(error.broken)
        return answer(503, error.sentence, {"Retry-After": str(error.retry_seconds)})

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> Response:
        log.error("%s %s failed by a fault of the server", request.method, request.url.path, exc_info=error)
        return answer(500, INTERNAL)
