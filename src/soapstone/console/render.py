"""Renders templates: every value is escaped, every time is in the account's zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from soapstone.accounts.logon import Identity
from soapstone.console.number_format import number, size, span
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.vocabulary.deliveries import DeliveryState, SkipReason
from soapstone.vocabulary.tracking import BounceClass, TrackingMode

# Closed sets whose words the templates use.
_SETS = (AttributeKind, BounceClass, DeliveryState, SkipReason, TrackingMode)


class Renderer:
    """Renders the package's templates."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("soapstone.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "number": number,
            "size": size,
            "span": span,
        }
        self._templates.globals |= {each.__name__: each for each in _SETS}
        self._templates.globals["version"] = version("soapstone")

    def page(
        self,
        request: Request,
        template: str,
        identity: Identity | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Return an answer made from a template. `identity` is None for those who are not logged in."""
        zone = identity.account.zone if identity else UTC
        values |= {
            "identity": identity,
            "zone_name": identity.account.time_zone if identity else "UTC",
            "path": request.url.path,
            "when": lambda moment: when(moment, zone),
        }
        text = self._templates.get_template(template).render(values)
        # Texts from files and mails may hold halves of surrogate pairs, which no encoding takes.
        return HTMLResponse(text.encode("utf-8", "replace"), status, headers)


def when(moment: datetime | None, zone: tzinfo) -> Markup:
    """Return a moment in a zone, to the second, with the zone's short name; a dash for none."""
    if moment is None:
        return Markup("–")
    local = moment.astimezone(zone)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), local.strftime("%Y-%m-%d %H:%M:%S %Z")
    )
