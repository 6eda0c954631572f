"""Places to send from whose mails go into the folder or into a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import LocalStore
from tests.sending.conftest import Office

from soapstone.accounts.account import Account
from soapstone.sending.folder.mail_store import BucketMailStore
from soapstone.sending.runner import SendRunner
from soapstone.store.blobs import Blobs
from soapstone.store.bucket import Bucket
from soapstone.store.database import Database


class BucketOffice(Office):
    """An office whose mails go into a bucket. Its store keeps objects as files, which the tests read."""

    def __init__(self, database: Database, blobs: Blobs, account: Account, folder: Path) -> None:
        super().__init__(database, blobs, account, folder)
        self.mail = folder / "bucket" / "mail"
        self.mail.mkdir(parents=True)
        self.bucket = Bucket(LocalStore(folder / "bucket"))
        self._folder, self._hosts = folder, 0
        self.change_host()

    def change_host(self) -> None:
        """Go on with a worker of another host, whose drafts are its own."""
        self._hosts += 1
        self.drafts = self._folder / f"drafts-{self._hosts}"
        mails = BucketMailStore(self._folder / "unused", self.bucket)
        self.sender = SendRunner(self.database, mails, self.drafts)


@pytest.fixture
def bucket_office(database: Database, blobs: Blobs, account: Account, tmp_path: Path) -> BucketOffice:
    """An office with a bucket, on either database."""
    return BucketOffice(database, blobs, account, tmp_path)


@pytest.fixture(params=["folder", "bucket", "hosts"])
def any_office(
    request: pytest.FixtureRequest, database: Database, blobs: Blobs, account: Account, tmp_path: Path
) -> Office:
    """An office with a folder, with a bucket, or with a bucket and workers on many hosts."""
    if request.param == "folder":
        return Office(database, blobs, account, tmp_path)
    office = BucketOffice(database, blobs, account, tmp_path)
    if request.param == "bucket":
        office.change_host = lambda: None  # type: ignore[method-assign]
    return office
