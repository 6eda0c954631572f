"""How far work in the background is."""

from soapstone.wire.types import DateTime, Enumeration, Int, String, Struct


class StatusEnum(Enumeration):
    """State of a process (lk-79)."""

    DataActivelyUploading = "DataActivelyUploading"
    DataUploaded = "DataUploaded"
    DataReadyForProcessing = "DataReadyForProcessing"
    ProcessingData = "ProcessingData"
    ProcessingCompleted = "ProcessingCompleted"
    ProcessingFailed = "ProcessingFailed"


class WSProcessStatus(Struct):
    """How far a process is (lk-79 to lk-81)."""

    ProcessID: Int
    ListID: Int
    ProcessName: String
    ProcessStartTime: DateTime
    ProcessCompleteTime: DateTime
    Status: StatusEnum


class WSLegacyProcessStatus(Struct):
    """How far a process of the XML over HTTP interface is (lk-83, lk-84)."""

    StatusID: Int
    ListID: Int
    ProcessType: String
    CurrentStep: Int
    MaxStep: Int
    ProcessStartTime: DateTime
    ProcessCompleteTime: DateTime
