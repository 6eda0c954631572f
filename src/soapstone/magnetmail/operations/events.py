"""Events, and the membership system Personify."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Struct


@operation(result=t.PersonifySubscriptionMappingSearchResults | None)
class SearchPersonifySubscriptionMappings(Struct):
    """Lists which objects of the account stand for which ones in Personify."""

    criteria: t.PersonifySubscriptionMappingSearchCriteria | None


@operation(result=t.EventSignupResult | None)
class CreateEventSignUp(Struct):
    """Signs people up for an event, with their answers to its questions."""

    SignUp: t.EventSignUp | None
