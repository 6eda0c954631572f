"""The pages of jobs, and what an operator may do with a job."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from soapstone.accounts.audit import AuditAction
from soapstone.accounts.logon import Identity
from soapstone.console.job_view import JobViews, is_import
from soapstone.console.ledger import Ledger
from soapstone.console.message_pages import LINKS_SHOWN, mail_figures, visible_message
from soapstone.console.paging import page_of, record_number
from soapstone.console.rejects import rejects_page
from soapstone.console.render import Renderer
from soapstone.console.visible_jobs import VisibleJobs
from soapstone.http.attachment import attachment
from soapstone.imports.rejects import rejects_file
from soapstone.jobs.job import Job
from soapstone.product import Product
from soapstone.vocabulary.deliveries import DeliveryState, SkipReason
from soapstone.vocabulary.jobs import SENDS

JOBS_SHOWN = 25
ROWS_SHOWN = 50


class JobPages:
    """Pages about jobs."""

    def __init__(self, product: Product, renderer: Renderer) -> None:
        self._product = product
        self._renderer = renderer
        self._views = JobViews(product)
        self._ledger = Ledger(product.database)

    def index(self, request: Request, identity: Identity) -> Response:
        """Return the jobs, newest first."""
        return self._index(request, identity, "jobs.html")

    def index_live(self, request: Request, identity: Identity) -> Response:
        """Return the part of the list that updates itself."""
        return self._index(request, identity, "jobs_live.html")

    def page(self, request: Request, identity: Identity) -> Response:
        """Return one job: how far it is, its figures, its rejected rows or its ledger."""
        job = self._job(request, identity)
        values = self._values(job, identity)
        if is_import(job):
            after = record_number(request.query_params.get("after", "")) or 0
            values["rejected"] = rejects_page(self._product, job, after=after, size=ROWS_SHOWN)
        elif job.kind in SENDS:
            state = request.query_params.get("state")
            values["state"] = state = state if state in tuple(DeliveryState) else None
            reason = request.query_params.get("reason") if state == "skipped" else None
            values["reason"] = reason = reason if reason in tuple(SkipReason) else None
            values["ledger"] = page_of(
                request,
                lambda offset, limit: self._ledger.page(job.id, state=state, reason=reason, offset=offset, limit=limit),
                ROWS_SHOWN,
            )
        return self._renderer.page(request, "job.html", identity, **values)

    def live(self, request: Request, identity: Identity) -> Response:
        """Return the part that updates itself."""
        job = self._job(request, identity)
        # Buttons and rows change with the end of the job, and they stand outside of this part.
        headers = {"X-Page-Changed": "yes"} if job.over else None
        return self._renderer.page(request, "job_live.html", identity, headers=headers, **self._values(job, identity))

    def rejects(self, request: Request, identity: Identity) -> Response:
        """Return the rejected rows as a CSV file: line, reason, and the fields as they stood in the input."""
        job = self._job(request, identity)
        if not is_import(job):
            raise HTTPException(404)
        told = f"rejected rows of job {job.id}"
        self._product.audit.add(identity.account.id, identity.login.actor, AuditAction.EXPORT, told)
        return StreamingResponse(
            rejects_file(self._product.imports, self._product.profiles, job),
            media_type="text/csv; charset=utf-8",
            headers=attachment(f"job-{job.id}-rejects.csv"),
        )

    def cancel(self, request: Request, identity: Identity) -> Response:
        """Ask the job to end."""
        job = self._job(request, identity)
        self._product.jobs.cancel([job.account_id], job.id)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    def retry(self, request: Request, identity: Identity) -> Response:
        """Queue the failed job again."""
        job = self._job(request, identity)
        self._product.jobs.retry([job.account_id], job.id)
        return RedirectResponse(f"/jobs/{job.id}", 303)

    def _job(self, request: Request, identity: Identity) -> Job:
        job = VisibleJobs(self._product, identity).get(record_number(request.path_params["job_id"]) or 0)
        if job is None:
            raise HTTPException(404)
        return job

    def _index(self, request: Request, identity: Identity, template: str) -> Response:
        visible = VisibleJobs(self._product, identity)
        page = page_of(
            request, lambda offset, limit: [self._views.of(job) for job in visible.page(offset, limit)], JOBS_SHOWN
        )
        lists = self._product.lists.all(identity.account.id, identity.login)
        names = {contact_list.id: contact_list.name for contact_list in lists}
        return self._renderer.page(request, template, identity, page=page, list_names=names)

    def _values(self, job: Job, identity: Identity) -> dict[str, Any]:
        contact_list = None
        if job.list_id is not None:
            contact_list = self._product.lists.get(job.account_id, job.list_id, identity.login)
        events = self._product.jobs.events(job.id)
        entry = self._product.initial_queue.get(job.account_id, job.id)
        return {
            "view": self._views.of(job),
            "job": job,
            "contact_list": contact_list,
            "events": events,
            # The import that an entry of the upload queue turned into.
            "became": entry.job_id if entry else None,
            **(self._of_send(job, identity) if job.kind in SENDS else {}),
        }

    def _of_send(self, job: Job, identity: Identity) -> dict[str, Any]:
        """Return what became of the mails of a send."""
        record = self._product.reports.of_job(job.account_id, job.id)
        if record is None:
            return {}
        found = self._product.message_figures.of_sends(job.account_id, [job.id])[job.id]
        links = self._product.message_figures.links(job.account_id, record.message_id, job_id=job.id, limit=LINKS_SHOWN)
        message = visible_message(self._product, identity, record.message_id)
        return {
            "mails": mail_figures(found),
            "links": links,
            "most_links": LINKS_SHOWN,
            "message_id": message.id if message else None,
        }
