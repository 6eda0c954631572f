"""The status call of the MagnetMail contract on spyne, for uwsgi: it reads header and body and answers from memory.

ANSWER names a JSON file with the members of the answer. Values are converted once, at the start.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from spyne import Application, ComplexModel, DateTime, Double, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

NAMESPACE = "http://www.magnetmail.net/"
GIVEN = json.loads(Path(os.environ["ANSWER"]).read_text())


class mmAuthHeader(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = (("sessionId", Unicode), ("user_id", Unicode))


class Error(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = (
        ("errorCode", Unicode),
        ("errorDetails", Unicode),
        ("errorMessage", Unicode),
        ("errorNumber", Double),
        ("errorType", Unicode),
    )


class UploadListResult(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = (
        ("complete_date", DateTime),
        ("error", Double),
        ("errorObj", Error),
        ("good_records", Double),
        ("group_count", Double),
        ("groupid", Double),
        ("header", Double),
        ("jobid", Double),
        ("loginid", Double),
        ("mm_filename", Unicode),
        ("msg", Unicode),
        ("new_added", Double),
        ("old_updated", Double),
        ("replace_group", Double),
        ("status", Double),
        ("total_records", Double),
        ("update_dups", Double),
        ("upload_date", DateTime),
        ("user_filename", Unicode),
        ("user_id", Unicode),
    )


def made(model, members):
    """The given members as an instance of the model."""
    values = {}
    for name, kind in model._type_info.items():
        given = members.get(name)
        if isinstance(given, dict):
            values[name] = made(kind, given)
        elif given is not None:
            values[name] = (
                float(given) if kind is Double else datetime.fromisoformat(given) if kind is DateTime else given
            )
    return model(**values)


RESULT = made(UploadListResult, GIVEN)


class MagnetMail(ServiceBase):
    __in_header__ = mmAuthHeader

    @rpc(Unicode, Double, _returns=UploadListResult)
    def getUploadJobStatus(ctx, user_id, jobid):
        return RESULT


application = WsgiApplication(
    Application([MagnetMail], tns=NAMESPACE, in_protocol=Soap11(validator=None), out_protocol=Soap11())
)
