"""Creation with an `Idempotency-Key`: a repeated request gets the same answer."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from soapstone.accounts.idempotency_keys import Answer
from soapstone.api.authentication import Calling
from soapstone.api.problems import MEDIA_TYPE, answer
from soapstone.api.values import Numbered
from soapstone.errors import ForbiddenError, SoapstoneError
from soapstone.store.transient_errors import RecordsUnavailable

log = logging.getLogger(__name__)

Made = TypeVar("Made")

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]

# Guessing a password from its request's digest costs 16 MiB a guess, about as for a hashed password.
_SLOWLY: dict[str, Any] = {"n": 1 << 14, "r": 8, "p": 1}


class Once:
    """Creates what a request asks for, once for each key."""

    def __init__(self, request: Request, caller: Calling, key: Key = None) -> None:
        self._request = request
        self._caller = caller
        self._key = key

    def __call__(
        self,
        given: BaseModel | bytes,
        make: Callable[[], Made],
        show: Callable[[Made], Any] = lambda made: made,
        *,
        status: int = 201,
        told_once: Callable[[Made], str] | None = None,
        secret: bool = False,
    ) -> Response:
        """Create something and show it, or repeat the answer of the same request.

        `given` tells requests apart, by a slow digest if it holds a secret. A refusal by `make` says that nothing was
        made: the request may be made again with its key. Any other fault, also of `show`, may have come after the
        commit, so it is the answer to the key from then on. `told_once` is the refusal of a request whose answer must
        not be repeated.

        Raises InvalidError for a key of another request, ConflictError for one whose request is still being answered
        and for a number that is taken, and ForbiddenError for one that the login may not choose.
        """
        if isinstance(given, Numbered) and given.chooses() and not self._caller.login.may_choose_numbers:
            raise ForbiddenError("This login may not choose numbers.")
        if self._key is None:
            return Response(to_json(show(make())), status, media_type="application/json")
        answers, login, key = self._caller.product.idempotency_keys, self._caller.login, self._key
        before = answers.begin(login, key, self._digest(key, given, secret))
        if before is not None:
            media = "application/json" if before.status < 400 else MEDIA_TYPE
            return Response(before.body, before.status, {"Idempotent-Replayed": "true"}, media)
        try:
            made = make()
        except SoapstoneError:
            answers.end(login, key, None)
            raise
        except RecordsUnavailable as error:
            if not error.undone:
                self._failed(key)
                raise
            answers.release(login, key)
            raise
        except Exception:
            self._failed(key)
            raise
        try:
            body = to_json(show(made)).decode()
            kept = Answer(status, body) if told_once is None else _problem(409, told_once(made))
        except Exception as fault:
            self._failed(key)
            raise RuntimeError("what was made cannot be shown") from fault
        try:
            answers.end(login, key, kept)
        except RecordsUnavailable as reason:
            # It is made, so this is no failure. The key stays in the state "being answered": it makes nothing again.
            log.warning("the answer to an idempotency key cannot be kept: %s", reason)
        return Response(body, status, media_type="application/json")

    def _failed(self, key: str) -> None:
        detail = "The first request met an internal error of the server. It may have taken effect."
        try:
            self._caller.product.idempotency_keys.end(self._caller.login, key, _problem(500, detail))
        except Exception:
            # The key stays in the state "being answered".
            log.exception("the answer to an idempotency key cannot be kept")

    def _digest(self, key: str, given: BaseModel | bytes, secret: bool) -> str:
        content = given if isinstance(given, bytes) else given.model_dump_json().encode()
        url = self._request.url
        content = f"{self._request.method} {url.path}?{url.query}\n".encode() + content
        if secret:
            return hashlib.scrypt(content, salt=key.encode(), **_SLOWLY).hex()
        return hashlib.sha256(content).hexdigest()


Making = Annotated[Once, Depends(Once)]


def _problem(status: int, detail: str) -> Answer:
    return Answer(status, bytes(answer(status, detail).body).decode())
