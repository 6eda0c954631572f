"""Profile fields, their values, and filters over them."""

from soapstone.wire.types import Enumeration, Flat, Int, String, Struct


class DataTypeSettings(Enumeration):
    """The kind of an attribute (lk-45)."""

    RadioButton = "RadioButton"
    CheckBox = "CheckBox"
    TextArea = "TextArea"
    Numeric = "Numeric"
    Text = "Text"
    Date = "Date"
    ContentBlock = "ContentBlock"


class WSProfileAttribute(Struct):
    """A field of contacts (lk-45)."""

    AttributeID: Int
    HeaderID: Int
    Name: String
    DataType: DataTypeSettings
    MaxLength: Int
    Position: Int


class WSProfileHeader(Struct):
    """A heading with the attributes below it (lk-45)."""

    HeaderID: Int
    ListID: Int
    Name: String
    Position: Int
    WSProfileAttributes: Flat[WSProfileAttribute]


class WSProfileAttributeValue(Struct):
    """The value of one attribute (lk-46, lk-47)."""

    AttributeID: Int
    Value: String


class ProfileFitlerCompareTypes(Enumeration):
    """How a filter compares. The name is misspelt in the original (lk-124)."""

    EQUALS = "EQUALS"
    NOTEQUALS = "NOTEQUALS"
    CONTAINS = "CONTAINS"
    NOTCONTAINS = "NOTCONTAINS"
    CHECKED = "CHECKED"
    NOTCHECKED = "NOTCHECKED"
    RADIOON = "RADIOON"
    RADIOOFF = "RADIOOFF"
    ABOVE = "ABOVE"
    ABOVEOREQUAL = "ABOVEOREQUAL"
    BELOW = "BELOW"
    BELOWOREQUAL = "BELOWOREQUAL"
    INCOMMALIST = "INCOMMALIST"
    NOTINCOMMALIST = "NOTINCOMMALIST"
    ISEMPTY = "ISEMPTY"
    ISNOTEMPTY = "ISNOTEMPTY"


class JoinTypes(Enumeration):
    """How a term of a filter joins the next one."""

    AND = "AND"
    ANDNOT = "ANDNOT"
    OR = "OR"
    ORNOT = "ORNOT"
    END = "END"


class WSProfileFilter(Struct):
    """One term of a filter."""

    AttributeID: Int
    ProfileCompareType: ProfileFitlerCompareTypes
    Value: String
    JoinType: JoinTypes
