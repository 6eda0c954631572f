"""Events, and the membership system Personify."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import Operation
from soapstone.wire.types import Struct


class SearchPersonifySubscriptionMappings(Struct):
    criteria: t.PersonifySubscriptionMappingSearchCriteria | None


class CreateEventSignUp(Struct):
    SignUp: t.EventSignUp | None


EVENT_OPERATIONS = (
    Operation(
        SearchPersonifySubscriptionMappings,
        "Lists which objects of the account stand for which ones in Personify.",
        result=t.PersonifySubscriptionMappingSearchResults | None,
    ),
    Operation(
        CreateEventSignUp,
        "Signs people up for an event, with their answers to its questions.",
        result=t.EventSignupResult | None,
    ),
)
