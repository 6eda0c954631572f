"""Signing people up for an event."""

from soapstone.wire.types import Boolean, Double, Nillable, String, Struct


class PaidItem(Struct):
    """Something to be paid for, and how often."""

    ClientReferenceId: String
    Quantity: Nillable[Double]
    RMPaidItemReferenceId: Nillable[Double]


class CreditCardBillingInfo(Struct):
    """The address behind a card."""

    BillToAddress: String
    BillToCity: String
    BillToCountry: String
    BillToPhone: String
    BillToState: String
    BillToZip: String


class CreditCardInfo(Struct):
    """A card."""

    CardExpiry: String
    CardIndentificationNumber: String
    CardName: String
    CardNumber: String
    CardType: String
    CreditCardBillingInfo: CreditCardBillingInfo | None


class PaymentInfo(Struct):
    """How the sign-up is paid."""

    CreditCardInfo: CreditCardInfo | None
    Mode: String


class QuestionItem(Struct):
    """The answer to one question of the event's form."""

    QuestionItemData: String
    QuestionItemId: Nillable[Double]
    QuestionItemOtherOptionData: String


class Registrant(Struct):
    """A person to sign up. `QuestionItem` holds elements of its own name (mm-128)."""

    ClientReferenceId: String
    EmailAddress: String
    FirstName: String
    IncludePaymentDetailsInConfirmationEmail: Nillable[Boolean]
    LastName: String
    Payer: Nillable[Boolean]
    QuestionItem: list[QuestionItem] | None
    SendConfirmationEmail: Nillable[Boolean]


class EventSignUp(Struct):
    """A sign-up of one or more people."""

    EventId: Double
    IsMultipleRegistration: Boolean
    IsSignupModeLive: Boolean
    LoginId: Double
    PaidItems: list[PaidItem] | None
    PaymentInfo: PaymentInfo | None
    Registrants: list[Registrant] | None
    UserId: String


class PaidItemAPISignupValidationStatusResult(Struct):
    """Whether an item could be had."""

    APISignupFailureReason: String
    APISignupStatus: Nillable[Boolean]
    PaidItem: PaidItem | None
    Title: String


class PaidItemSignupResult(Struct):
    """What became of an item of one person."""

    AmountCharged: String
    ClientReferenceId: String
    ItemPrice: String
    Quantity: Nillable[Double]
    RMPaidItemReferenceId: Nillable[Double]
    SignupFailureReason: String
    SignupStatus: Nillable[Boolean]


class RegistrantSignupResult(Struct):
    """What became of one person."""

    ClientReferenceId: String
    ConfirmationEmailStatus: Nillable[Boolean]
    EmailAddress: String
    FirstName: String
    LastName: String
    PaidItemSignupResult: list[PaidItemSignupResult] | None
    PaymentMode: String
    RMRegistrantId: String
    RMSignupReferenceId: String
    RegistrantSignupOverallFailureReason: String
    RegistrantSignupOverallResult: Nillable[Boolean]
    TotalAmountCharged: String


class EventSignupResult(Struct):
    """What became of a sign-up."""

    PaidItemAPISignupValidationStatusResult: list[PaidItemAPISignupValidationStatusResult] | None
    RegistrantSignupResult: list[RegistrantSignupResult] | None
    ResultCode: Nillable[Double]
    ResultFailureReasonCode: String
    ResultFailureReasonText: String
