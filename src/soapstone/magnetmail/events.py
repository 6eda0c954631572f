"""Events that people sign up for, and mappings of another system's objects (mm-127 to mm-129)."""

from __future__ import annotations

from typing import Any

from soapstone.addresses import is_address
from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE, Call, whole
from soapstone.wire.faults import Fault


def create_event_sign_up(call: Call, request: op.CreateEventSignUp) -> t.EventSignupResult:
    """Sign people up, all or none; card data is refused and kept nowhere (mm-127)."""
    given = request.SignUp
    if given is None:
        raise Fault("[InvalidRequest] SignUp is missing.")
    call = call.for_account(given.UserId)
    if given.PaymentInfo is not None and given.PaymentInfo.CreditCardInfo is not None:
        return _refused("PAYMENT_NOT_SUPPORTED", "Card data is not taken here. Sign up without it.")
    occasion = call.product.event_sign_ups.get(call.account.id, whole(given.EventId))
    if occasion is None:
        return _refused("NOT_FOUND", "There is no such event.")
    if not occasion.open:
        return _refused("INVALID_ARGUMENT", "Nobody can sign up for this event any more.")
    people = [each for each in given.Registrants or [] if each is not None]
    if not people:
        return _refused("INVALID_ARGUMENT", "Registrants are missing.")
    for person in people:
        if not is_address((person.EmailAddress or "").strip()):
            return _refused("INVALID_ARGUMENT", "The e-mail address of a registrant is missing or none.")
    made = call.product.event_sign_ups.sign_up(
        occasion, [_person(each) for each in people], live=given.IsSignupModeLive
    )
    return t.EventSignupResult(
        PaidItemAPISignupValidationStatusResult=[],
        RegistrantSignupResult=[
            t.RegistrantSignupResult(
                ClientReferenceId=each.reference,
                ConfirmationEmailStatus=False,
                EmailAddress=each.email,
                FirstName=each.first_name,
                LastName=each.last_name,
                PaidItemSignupResult=[],
                PaymentMode="",
                RMRegistrantId=str(each.id),
                RMSignupReferenceId=str(each.call_id),
                RegistrantSignupOverallFailureReason="",
                RegistrantSignupOverallResult=True,
                TotalAmountCharged="0",
            )
            for each in made
        ],
        ResultCode=0,
        ResultFailureReasonCode="",
        ResultFailureReasonText="",
    )


def search_personify_subscription_mappings(
    call: Call, request: op.SearchPersonifySubscriptionMappings
) -> t.PersonifySubscriptionMappingSearchResults:
    """Return mappings whose type and identifier are the given ones; empty is any (mm-129)."""
    wanted = request.criteria.ObjectInPersonify if request.criteria else None
    found = call.product.mappings.find(
        call.account.id,
        object_type=(wanted.ObjectType or "") if wanted else "",
        identifier=(wanted.Identifier or "") if wanted else "",
        login=call.login,
    )
    rows = [
        t.PersonifySubscriptionMapping(
            ID=each.id,
            MailUserId=call.account.name,
            RealMagnetObjectId=each.own_id,
            RealMagnetObjectName=each.own_name,
            RealMagnetType=each.own_type,
            PersonifyId=each.identifier,
            PersonifyType=each.object_type,
            CreatedBy=each.login_id or 0,
            DateCreated=call.local(each.created_at) or NO_DATE,
        )
        for each in found
    ]
    return t.PersonifySubscriptionMappingSearchResults(Count=len(rows), data=rows)


def _person(given: t.Registrant) -> dict[str, Any]:
    answers = {
        str(int(each.QuestionItemId or 0)): [each.QuestionItemData or "", each.QuestionItemOtherOptionData or ""]
        for each in given.QuestionItem or []
        if each is not None
    }
    return {
        "email": (given.EmailAddress or "").strip(),
        "first_name": given.FirstName or "",
        "last_name": given.LastName or "",
        "reference": given.ClientReferenceId or "",
        "answers": answers,
    }


def _refused(code: str, sentence: str) -> t.EventSignupResult:
    return t.EventSignupResult(
        PaidItemAPISignupValidationStatusResult=[],
        RegistrantSignupResult=[],
        ResultCode=1,
        ResultFailureReasonCode=code,
        ResultFailureReasonText=sentence,
    )
