"""Imports: a file comes in as it is, or as a part of a form, and becomes a job; and what became of its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartException

from soapstone.api.access import Caller, Calling
from soapstone.api.idempotency import Making
from soapstone.api.jobs import JobOut, find
from soapstone.api.problems import Refused, not_found
from soapstone.api.values import Number
from soapstone.imports.imports import KINDS
from soapstone.imports.rejects import rejects_file
from soapstone.imports.spec import ATTRIBUTE, Column, ImportSpec, InvalidImport
from soapstone.jobs.job import Job
from soapstone.lists.contact_list import ContactList
from soapstone.lists.fields import field_column
from soapstone.product import ReceivedUpload

router = APIRouter(tags=["imports"])

REJECTS = 1000
Short = Annotated[str, Query(max_length=2)]


@router.post(
    "/lists/{list_id}/imports",
    status_code=202,
    response_model=JobOut,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The file as it is, also packed by gzip or zip, or a form whose part `file` it is.",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
            },
        }
    },
)
async def start(
    list_id: Number,
    request: Request,
    caller: Calling,
    action: Annotated[Literal["add", "update", "remove", "remove_with_profile"], Query()] = "add",
    known: Annotated[Literal["keep", "overwrite", "update", "append"], Query()] = "overwrite",
    columns: Annotated[
        str, Query(max_length=4000, description="Fields of the columns, commas between them; empty: the header line.")
    ] = "",
    delimiter: Short = ",",
    qualifier: Short = '"',
    mode: Annotated[Literal["normal", "replace", "dry_run"], Query()] = "normal",
    label: Annotated[str, Query(max_length=255)] = "",
    *,
    once: Making,
) -> Response:
    """Start an import into a list. Profile attributes are named by their names or as `attribute:N`."""
    found = await run_in_threadpool(caller.list, list_id)
    upload = caller.product.blobs.new()
    try:
        digest, name = await _receive(request, upload, caller.product.settings.max_upload_bytes)

        def make() -> Job:
            given = delimiter.replace(r"\t", "\t")
            try:
                spec = ImportSpec(
                    columns=_columns(caller, found, upload, columns, given, qualifier),
                    header=not columns,
                    delimiter=given,
                    qualifier=qualifier,
                    action=action,
                    known=known,
                    replace=mode == "replace",
                    dry_run=mode == "dry_run",
                )
                return caller.product.imports.submit(
                    account=caller.account,
                    login=caller.login,
                    contact_list=found,
                    upload=upload,
                    spec=spec,
                    label=label or name or "import",
                )
            except InvalidImport as refusal:
                raise Refused(422, str(refusal)) from None

        return await run_in_threadpool(once, digest.encode(), make, lambda job: JobOut.of(caller, job), status=202)
    finally:
        await run_in_threadpool(upload.discard)


@router.get(
    "/imports/{job_id}/rejects",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/x-ndjson": {}}, "description": "Rejected rows"}},
)
def rejects(job_id: Number, caller: Calling, form: Annotated[Literal["csv", "ndjson"], Query()] = "csv") -> Response:
    """The rows that were not taken: line, reason in words, and their fields."""
    job = find(caller, job_id)
    if job.kind not in KINDS:
        raise not_found("import")
    if form == "csv":
        file = rejects_file(caller.product.imports, caller.product.profiles, job)
        return StreamingResponse(file, media_type="text/csv; charset=utf-8")
    return StreamingResponse(_rejected(caller, job_id), media_type="application/x-ndjson")


def _rejected(caller: Caller, job_id: int) -> Iterator[str]:
    after = 0
    while rows := caller.product.imports.rejected(job_id, after_line=after, limit=REJECTS):
        after = rows[-1].line
        for row in rows:
            yield json.dumps({"line": row.line, "reason": row.reason, "text": row.words, "fields": row.fields}) + "\n"


def _columns(
    caller: Caller, found: ContactList, upload: ReceivedUpload, given: str, delimiter: str, qualifier: str
) -> tuple[Column, ...]:
    names = (
        given.split(",")
        if given
        else caller.product.imports.header_names(upload, delimiter=delimiter, qualifier=qualifier)
    )
    attributes = caller.product.profiles.attributes(found.id)
    by_name = {attribute.name.casefold(): f"{ATTRIBUTE}{attribute.id}" for attribute in attributes}
    columns = []
    for index, name in enumerate(map(str.strip, names)):
        if not name:
            continue
        target = name if name.startswith(ATTRIBUTE) else field_column(name) or by_name.get(name.casefold())
        if target is None and given:
            raise InvalidImport(f"There is no field {name}.")
        if target is not None:
            columns.append(Column(index=index, target=target))
    return tuple(columns)


async def _receive(request: Request, upload: ReceivedUpload, most: int) -> tuple[str, str]:
    """Take the file in; a digest of it and its name. Raises Refused."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    digest, size, name = hashlib.sha256(), 0, ""

    async def blocks() -> AsyncIterator[bytes]:
        if media != "multipart/form-data":
            async for block in request.stream():
                yield block
            return
        try:
            form = await request.form(max_files=1, max_fields=0)
        except (MultiPartException, KeyError):
            raise Refused(422, "The form has no part `file`, or more than that.") from None
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise Refused(422, "The form has no part `file`.")
        nonlocal name
        name = file.filename or ""
        while block := await file.read(1 << 20):
            yield block

    if media not in ("text/csv", "text/plain", "application/octet-stream", "multipart/form-data", "application/gzip"):
        raise Refused(415, "The file comes as text/csv, application/octet-stream or multipart/form-data.")
    async for block in blocks():
        size += len(block)
        if size > most:
            raise Refused(413, f"The file is larger than {most} bytes.")
        digest.update(block)
        await run_in_threadpool(upload.write, block)
    await run_in_threadpool(upload.close)
    return digest.hexdigest(), name[:255]
