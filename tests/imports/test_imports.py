"""Imports from submission to the end, on both databases."""

from __future__ import annotations

from soapstone.accounts.account import Account
from soapstone.imports.imports import KIND, Imports
from soapstone.imports.runner import run_import
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.queue import Jobs
from soapstone.jobs.worker import Worker
from soapstone.lists.contact_list import Lists
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database


def test_smoke(database: Database, blobs: Blobs, account: Account) -> None:
    jobs = Jobs(database)
    imports = Imports(database, blobs, jobs)
    here = Lists(database).create(account.id, "Newsletter")
    upload = blobs.new()
    upload.write(b"Email,First\r\na@example.com,Ann\r\nbad,x\r\n\r\nb@example.com,Bob\nA@example.com,Anna\n")
    spec = ImportSpec(columns=(Column(index=0, target="email"), Column(index=1, target="first_name")), header=True)
    job = imports.submit(account=account, login=None, contact_list=here, upload=upload, spec=spec, label="x")
    Worker(database, blobs, {KIND: run_import}, idle=0.01).run(until=lambda: all(j.over for j in jobs.find()))
    job = jobs.get(None, job.id)

    assert job.state == "completed"
