"""Imports: a file, by itself or as part of a form, becomes a job; outcomes of its rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BaseModel, Field
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartException

from soapstone.accounts.audit import AuditAction
from soapstone.api.authentication import Caller, Calling, CallingForAll, while_allowed
from soapstone.api.idempotency import Making, Once
from soapstone.api.jobs import JobOut, find
from soapstone.api.problems import ProblemError, not_found
from soapstone.api.values import PLAIN, Cursor, Limit, Number, Page, RowsForm, cursor_of, marked, storable, stripped
from soapstone.errors import InvalidError
from soapstone.http.attachment import attachment
from soapstone.imports.charsets import LONGEST_NAME
from soapstone.imports.columns import Headings, Plan
from soapstone.imports.opt_outs import is_opt_out
from soapstone.imports.rejects import rejects_file
from soapstone.imports.report import RowOutcome
from soapstone.imports.spec import (
    MOST_SKIPPED,
    Action,
    Blocked,
    Column,
    IdentifiedBy,
    ImportSpec,
    Known,
    OptOut,
    opt_outs_alone,
    opt_outs_of,
)
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList
from soapstone.product import ReceivedUpload
from soapstone.vocabulary.jobs import IMPORTS
from soapstone.vocabulary.rows import REJECTED, ImportOutcome

router = APIRouter(tags=["imports"])

REJECTS = 1000
# Programs name a file as the machine that they run on does: CSV is application/vnd.ms-excel where Excel is installed.
# So its content decides, and a media type is refused only if its body cannot be a file.
MEDIA = re.compile(
    r"(?:text/.+|multipart/form-data|binary/octet-stream|application/(?!x-www-form-urlencoded|json|.*\+json).+)?",
    re.ASCII,
)
FORM: dict[str, Any] = {
    "title": "ImportForm",
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
}
FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, also packed by gzip or zip, or a form with the file as part `file`. text/csv "
        "and text/plain are accepted too. The body may have Content-Encoding gzip.",
        "content": {
            # Generators of clients know these two; the media types of `MEDIA` are taken as well.
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {"schema": {"$ref": "#/components/schemas/ImportForm"}},
        },
    }
}

ImportMode = Literal["normal", "replace", "dry_run"]
OptOutColumns = Literal["respect", "ignore"]
Short = Annotated[str, Field(max_length=2), AfterValidator(storable)]
Charset = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(storable)]


class How(BaseModel):
    """How an import reads its file, and what it does with the people in it: see `ImportSpec`."""

    action: Action = "add"
    on_existing: Known = "overwrite"
    columns: Annotated[str, AfterValidator(storable)] = Field(
        "", max_length=4000, description="Fields of the columns, separated by commas; empty: the first row names them."
    )
    header: bool | None = Field(None, description="Whether the first row is a heading. Without columns it is.")
    default: list[Annotated[str, Field(max_length=2000), AfterValidator(storable)]] = Field(
        default_factory=list,
        max_length=100,
        description="FIELD=VALUE: the value of rows that have none in a column.",
    )
    delimiter: Short = Field("", description="Empty: detected (comma, semicolon, tab or `|`).")
    qualifier: Short = '"'
    encoding: Charset = Field("", description="Such as `windows-1252` or `shift_jis`. Empty: detected.")
    charset: Charset = Field(
        "", description="The same as `encoding`. Without both, the charset of the Content-Type counts."
    )
    skip: int = Field(0, ge=0, le=MOST_SKIPPED, description="Lines above the first row, such as a title.")
    blocked: Blocked = Field("keep", description="What to do with rows of suppressed or unsubscribed people.")
    identified_by: IdentifiedBy = "account"
    reject_roles: bool = Field(False, description="Refuse addresses such as info@.")
    opt_outs: OptOutColumns = Field(
        "respect", description="Opt-out columns: import these people as unsubscribed, or skip the columns."
    )
    make_attributes: bool = Field(False, description="Create profile attributes for unused columns. Needs a list.")
    split_names: bool = Field(False, description="Fill first and last name from a column of whole names.")
    mode: ImportMode = "normal"
    label: Annotated[str, AfterValidator(storable)] = Field("", max_length=255)

    def spec(
        self, caller: Caller, found: ContactList | None, upload: ReceivedUpload, charset: str
    ) -> tuple[ImportSpec, Mapping[int, str]]:
        """Return the requested import and the attributes that it creates, by column. Raises InvalidError.

        `charset` is that of the file's Content-Type.
        """
        delimiter = self.delimiter.replace(r"\t", "\t")
        if not self.columns and self.header is False:
            raise InvalidError("Without columns the first row must be a heading.")
        header = not self.columns if self.header is None else self.header
        told: list[str] = []
        encoding = self._encoding(charset)
        delimiter, skip = caller.product.imports.layout(
            upload, delimiter=delimiter, qualifier=self.qualifier, encoding=encoding, skip=self.skip, header=header
        )
        if header:
            told = caller.product.imports.header_names(
                upload, delimiter=delimiter, qualifier=self.qualifier, encoding=encoding, skip=skip
            )
        given = self.columns.split(",") if self.columns else []
        # A column may be named in both places, or in one of them.
        headings = {index: name for row in (given, told) for index, name in enumerate(row) if is_opt_out(name)}
        opt_outs = opt_outs_of(headings) if self.opt_outs == "respect" and "remove" not in self.action else ()
        plan = self._plan(caller, found, given, told, opt_outs)
        spec = ImportSpec(
            columns=plan.columns,
            opt_outs=opt_outs,
            unused=plan.told,
            header=header,
            delimiter=delimiter,
            qualifier=self.qualifier,
            encoding=encoding,
            skip=skip,
            action=self.action,
            known=self.on_existing,
            blocked=self.blocked,
            identified_by=self.identified_by,
            replace=self.mode == "replace",
            dry_run=self.mode == "dry_run",
            reject_roles=self.reject_roles,
            repair=True,
        )
        return spec, plan.new

    def _plan(
        self,
        caller: Caller,
        found: ContactList | None,
        given: list[str],
        told: list[str],
        opt_outs: tuple[OptOut, ...],
    ) -> Plan:
        """Return the plan of the columns that the caller names, or else the first row."""
        removes = "remove" in self.action
        if self.make_attributes and (found is None or removes):
            raise InvalidError("Only an import that adds people to a list, or changes its members, creates attributes.")
        headings = Headings(
            None if found is None else caller.product.profiles.attributes(found.id),
            may_make=not removes,
            splits_names=self.split_names,
        )
        if given:
            ignored = {index for index, name in enumerate(given) if is_opt_out(name)}
            plan = headings.named(dict(enumerate(given)), ignored, make_attributes=self.make_attributes)
        else:
            key = "email" if self.identified_by == "email" else caller.account.identifier
            plan = headings.read(
                dict(enumerate(told)), key, opt_outs_alone(opt_outs, make_attributes=self.make_attributes)
            )
            if self.make_attributes:
                plan = plan.making(plan.unused)
        return replace(plan, columns=self._with_defaults(plan.columns, headings))

    def _encoding(self, charset: str) -> str:
        if self.encoding and self.charset and self.encoding != self.charset:
            raise InvalidError("encoding and charset mean the same: give one of them.")
        return self.encoding or self.charset or charset

    def _with_defaults(self, columns: Iterable[Column], headings: Headings) -> tuple[Column, ...]:
        defaults: dict[str, str] = {}
        for given in self.default:
            name, equals, value = given.partition("=")
            column = headings.target(name)
            if not equals or column is None or column in defaults:
                raise InvalidError(f"A default is FIELD=VALUE with an existing field, once for each, not {given}.")
            defaults[column] = value
        served = tuple(replace(column, default=defaults.pop(column.target, "")) for column in columns)
        if defaults:
            raise InvalidError(f"The file has no column {next(iter(defaults))} for a default.")
        return served


class OutcomeOut(BaseModel):
    """The outcome of a row, by its first physical line; `text` says why it was rejected. `contact_id` is the row's
    contact, `number` the contact's list number, `email` their current address. Without a contact that the caller sees,
    `email` is the row's own."""

    line: int
    outcome: str
    text: str
    contact_id: int | None
    number: int | None
    email: str

    @classmethod
    def of(cls, row: RowOutcome) -> OutcomeOut:
        """Return the outcome as it is shown."""
        # Texts from files may hold halves of surrogate pairs, which no encoding takes.
        email = row.email.encode("utf-8", "replace").decode()
        return cls(
            **row.__dict__ | {"email": email},
            text=ImportOutcome(row.outcome).meaning if row.outcome in REJECTED else "",
        )


@router.post("/imports", status_code=202, response_model=JobOut, openapi_extra=FILE)
async def create_import(
    request: Request, caller: CallingForAll, how: Annotated[How, Query()], once: Making
) -> Response:
    """Start an import of contacts without a list."""
    return await _start(request, caller, None, how, once)


@router.post("/lists/{list_id}/imports", status_code=202, response_model=JobOut, openapi_extra=FILE)
async def create_list_import(
    list_id: Number, request: Request, caller: Calling, how: Annotated[How, Query()], once: Making
) -> Response:
    """Start an import into a list. Profile attributes are given by name or as `attribute:N`."""
    return await _start(request, caller, await run_in_threadpool(caller.list, list_id), how, once)


async def _start(request: Request, caller: Caller, found: ContactList | None, how: How, once: Once) -> Response:
    upload = caller.product.blobs.new()
    try:
        digest, name, charset = await _receive(request, upload, caller.product.settings.max_upload_bytes)

        def make() -> Job:
            spec, new_attributes = how.spec(caller, found, upload, charset)
            return caller.product.imports.submit(
                account=caller.account,
                login=caller.login,
                contact_list=found,
                upload=upload,
                spec=spec,
                label=how.label or name or "import",
                new_attributes=new_attributes,
            )

        return await run_in_threadpool(
            once, digest.encode(), make, lambda job: JobOut.of(caller.product, job), status=202
        )
    finally:
        await run_in_threadpool(upload.discard)


@router.get("/imports/{job_id}/outcomes")
def list_import_outcomes(
    job_id: Number,
    caller: Calling,
    outcome: Annotated[list[ImportOutcome], Query(description="Outcomes to return; none: all.")] = [],  # noqa: B006
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[OutcomeOut]:
    """Return the outcome of each row so far, in file order."""
    _import(caller, job_id)
    after = marked(cursor, 0)
    rows = caller.product.imports.outcomes(
        job_id, set(outcome) or None, offset=after, limit=limit + 1, login=caller.login
    )
    following = cursor_of(after + limit) if len(rows) > limit else None
    return Page(items=[OutcomeOut.of(row) for row in rows[:limit]], next=following)


@router.get(
    "/imports/{job_id}/rejects",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": PLAIN, "application/x-ndjson": PLAIN}, "description": "Rejected rows"}},
)
def get_import_rejects(job_id: Number, caller: Calling, form: Annotated[RowsForm, Query()] = "csv") -> Response:
    """Return the rejected rows: line, reason in words, and fields."""
    job = _import(caller, job_id)
    told = f"rejected rows of job {job.id} as {form}"
    caller.product.audit.add(caller.account.id, caller.login.actor, AuditAction.EXPORT, told)
    pieces: Iterator[bytes | str]
    if form == "csv":
        pieces, media = rejects_file(caller.product.imports, caller.product.profiles, job), "text/csv; charset=utf-8"
    else:
        pieces, media = _rejected(caller, job_id), "application/x-ndjson"
    allowed: Iterator[bytes | str] = while_allowed(caller, lambda now: find(now, job_id), pieces)
    return StreamingResponse(allowed, headers=attachment(f"job-{job_id}-rejects.{form}"), media_type=media)


def _rejected(caller: Caller, job_id: int) -> Iterator[str]:
    after = 0
    while rows := caller.product.imports.rejected(job_id, after_line=after, limit=REJECTS):
        after = rows[-1].line
        for row in rows:
            yield json.dumps({"line": row.line, "reason": row.reason, "text": row.words, "fields": row.fields}) + "\n"


def _import(caller: Caller, job_id: int) -> Job:
    job = find(caller, job_id)
    if job.kind not in IMPORTS:
        raise not_found("import")
    return job


async def _receive(request: Request, upload: ReceivedUpload, most: int) -> tuple[str, str, str]:
    """Store the file; return a digest of it and its charset, its name and its charset. Raises SoapstoneError."""
    media, charset = _content_type(request.headers.get("content-type", ""))
    digest, size, name = hashlib.sha256(), 0, ""

    async def blocks() -> AsyncGenerator[bytes, None]:
        if media != "multipart/form-data":
            async for block in request.stream():
                yield block
            return
        try:
            form = await request.form(max_files=1, max_fields=0)
        except (MultiPartException, KeyError):
            raise InvalidError("The form must have one part `file` and no other.") from None
        nonlocal name, charset
        try:
            file = form.get("file")
            if file is None or isinstance(file, str):
                raise InvalidError("The form has no part `file`.")
            name = stripped(file.filename or "")
            charset = _content_type(file.content_type or "")[1]
            while block := await file.read(1 << 20):
                yield block
        finally:
            await form.close()

    if not MEDIA.fullmatch(media):
        raise ProblemError(
            415, f"A file must be text/csv, application/octet-stream or multipart/form-data, not {media[:100]}."
        )
    async with aclosing(blocks()) as file_blocks:
        async for block in file_blocks:
            size += len(block)
            if size > most:
                raise ProblemError(413, f"The file is larger than {most} bytes.")
            digest.update(block)
            await run_in_threadpool(upload.write, block)
    await run_in_threadpool(upload.close)
    return digest.hexdigest() + charset, name[:255], charset


def _content_type(value: str) -> tuple[str, str]:
    """Return the media type in lower case, and the charset or ""."""
    media, parameters = parse_options_header(value)
    return media.decode("latin-1").strip().lower(), parameters.get(b"charset", b"").decode("latin-1")[:LONGEST_NAME]
