"""A bucket: objects under keys, in a store that is compatible with Amazon S3.

Credentials, region and endpoint come from the usual `AWS_…` variables, which obstore reads itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from soapstone.store.transient_errors import RecordsUnavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Requests of one process at the same time that store or copy objects.
THREADS = 4
# A request that fails is repeated for this long: a caller waits for it, and a job goes on later anyhow.
RETRIES = 4
RETRY_TIMEOUT = timedelta(seconds=20)
CONNECT_TIMEOUT = "5s"
TIMEOUT = "60s"

NO_ANSWER = "The bucket with the files of the server does not answer."
REFUSED = "The bucket with the files of the server refuses access."
NO_BUCKET = "The bucket with the files of the server does not exist."
NO_LIBRARY = "a bucket needs the extra s3: pip install 'soapstone[s3]'"

_T = TypeVar("_T")


class StoredObject(NamedTuple):
    """An object of a bucket: its key, when it was stored, in seconds since 1970, and its size in bytes."""

    key: str
    stored: float
    size: int


class Bucket:
    """A bucket, or what lies under a prefix of one. An object is there in full, or not at all.

    All methods raise RecordsUnavailable if the bucket does not answer, and may be called from any thread.
    """

    def __init__(self, store: ObjectStore) -> None:
        import obstore.exceptions

        self._library, self._store = obstore, store
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        # Is told of each request, "answered" or "failed", by the thread that made it.
        self.on_request: Callable[[str], None] = lambda _: None

    @classmethod
    def of(cls, url: str) -> Bucket:
        """Open the bucket of a URL, s3://bucket or s3://bucket/prefix. Raises ValueError with the reason.

        Nothing is asked of the bucket yet.
        """
        try:
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError:
            raise ValueError(NO_LIBRARY) from None
        # Plain HTTP is used only where the operator has named such an endpoint.
        plain = _variable("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT").startswith("http://")
        try:
            store = from_url(
                url,
                client_options={"timeout": TIMEOUT, "connect_timeout": CONNECT_TIMEOUT, "allow_http": plain},
                retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_TIMEOUT},
            )
        except (BaseError, ValueError):
            # The library's message may show a value of the environment.
            raise ValueError("the AWS_… variables of the environment cannot be used") from None
        return cls(store)

    def put(self, key: str, data: bytes) -> None:
        """Store an object, in place of one with this key."""
        with self._asking():
            self._library.put(self._store, key, data, use_multipart=False)

    def get(self, key: str, most: int | None = None) -> tuple[bytes, int]:
        """Return the content of an object, or about its first `most` bytes, and its size. Raises FileNotFoundError."""
        with self._asking(reads=True):
            if most is not None:
                size = int(self._library.head(self._store, key)["size"])
                if size == 0:
                    return b"", 0
                return bytes(self._library.get_range(self._store, key, start=0, end=min(most, size))), size
            found = self._library.get(self._store, key)
            return bytes(found.bytes()), int(found.meta["size"])

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes; None if there is none with this key."""
        try:
            with self._asking(reads=True):
                return int(self._library.head(self._store, key)["size"])
        except FileNotFoundError:
            pass
        try:
            # An answer to HEAD has no body, which would say that the whole bucket is missing.
            return self.get(key)[1]
        except FileNotFoundError:
            return None

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, those that still exist."""
        with self._asking():
            for start in range(0, len(keys), 1000):
                self._library.delete(self._store, list(keys[start : start + 1000]))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a prefix, which ends with a slash, with their whole keys."""
        with self._asking():
            for page in self._library.list(self._store, prefix=prefix.rstrip("/")):
                for found in page:
                    yield StoredObject(found["path"], found["last_modified"].timestamp(), found["size"])

    def check(self) -> None:
        """Raise RecordsUnavailable unless an object can be stored."""
        self.put("check", b"")

    def submit(self, work: Callable[..., _T], *given: Any) -> Future[_T]:
        """Call a function in one of the bucket's threads."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, "bucket")
        return self._threads.submit(work, *given)

    @contextmanager
    def _asking(self, *, reads: bool = False) -> Iterator[None]:
        """Count a request and translate its error. A missing object stays a FileNotFoundError for those who read it."""
        exceptions, outcome = self._library.exceptions, "failed"
        try:
            yield
            outcome = "answered"
        except FileNotFoundError as error:
            # The code of S3 for a missing bucket, which is no missing file.
            if reads and "NoSuchBucket" not in str(error):
                outcome = "answered"
                raise
            raise RecordsUnavailable(NO_BUCKET) from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise RecordsUnavailable(REFUSED) from error
        except (exceptions.BaseError, OSError) as error:
            raise RecordsUnavailable(NO_ANSWER) from error
        finally:
            self.on_request(outcome)


def _variable(*names: str) -> str:
    variables = {name.upper(): value for name, value in os.environ.items()}
    return next((variables[name] for name in names if variables.get(name)), "")
