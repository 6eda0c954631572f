"""The contract's operations without a wire: fast enough for reports of many rows, and for many questions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from soapstone.listrak.operations import CONTRACT
from soapstone.listrak.service import ListrakService
from soapstone.listrak.types import WSUser
from soapstone.product import Product
from soapstone.wire.service import Caller
from soapstone.wire.types import Struct

CALLER = Caller(peer="127.0.0.1", base_url="http://localhost:8080", soap_version="1.1")


class Desk:
    """Operations by their names for one login; answers are dictionaries, with None for what is empty, as zeep's."""

    def __init__(self, product: Product, login: str, password: str = "secret") -> None:
        self._service = ListrakService(product)
        self._user = WSUser(UserName=login, Password=password)
        operation = CONTRACT.operations_by_name["ReportMessageContactSent"]
        self._call = self._service.authorise(operation, self._user, CALLER)

    def live_in(self, zone: str) -> None:
        """Let the account have another time zone from now on."""
        self._call = replace(self._call, account=replace(self._call.account, time_zone=zone))

    def __getattr__(self, name: str) -> Any:
        operation = CONTRACT.operations_by_name[name]

        def call(**members: Any) -> Any:
            answer = self._service.handle(operation, self._call, operation.request(**members), CALLER)
            return as_read(answer)

        return call


def as_read(value: Any) -> Any:
    """What a client makes of a value."""
    if isinstance(value, Struct):
        return {name: as_read(member) for name, member in vars(value).items()}
    if isinstance(value, list):
        return [as_read(each) for each in value] or None
    return None if value == "" else value
