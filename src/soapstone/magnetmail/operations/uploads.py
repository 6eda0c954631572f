"""Importing recipients from a file."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, Double, Int, SpooledText, String, Struct


class _Upload(Struct, mixin=True):
    user_id: String
    groupid: Int
    csvData: SpooledText
    replace_group: Boolean
    update_dups: Boolean
    header_line: Boolean
    mapping_name: String
    MM_1: String
    MM_2: String
    MM_3: String
    MM_4: String
    MM_5: String
    MM_6: String
    MM_7: String
    MM_8: String
    MM_9: String
    MM_10: String
    MM_11: String
    MM_12: String
    MM_13: String
    MM_14: String
    MM_15: String
    MM_16: String
    MM_17: String
    MM_18: String
    MM_19: String
    MM_20: String
    MM_21: String
    MM_22: String
    MM_23: String
    MM_24: String
    MM_25: String
    MM_26: String
    MM_27: String
    MM_28: String
    MM_29: String
    MM_30: String
    MM_31: String
    MM_32: String
    MM_33: String
    MM_34: String
    MM_35: String
    MM_36: String
    MM_37: String
    MM_38: String
    MM_39: String
    MM_40: String
    MM_41: String
    MM_42: String

    def mapping(self) -> dict[int, str]:
        """Return column of the file (from 0) → field name, for the MM members that name one (mm-44)."""
        names = ((n, (getattr(self, f"MM_{n + 1}") or "").strip()) for n in range(42))
        return {n: name for n, name in names if name}


@operation(result=t.UploadListResult | None)
class uploadListQueue(_Upload):
    """Queues the import of a CSV file into a group and answers the job's record at once."""


# mm-52
@operation(result=t.UploadListResult | None)
class uploadListQueueTest(_Upload):
    """Queues a dry run of an upload: the file is read, checked and counted, but nothing is stored."""


@operation(result=t.UploadListResult | None)
class getUploadJobStatus(Struct):
    """Tells how far an upload job is, by its jobid; dates in the account's zone."""

    user_id: String
    jobid: Int


@operation(result=t.UploadListResult | None)
class getUploadJobStatusUTC(Struct):
    """Tells how far an upload job is, by its jobid; dates in UTC."""

    user_id: String
    jobid: Int


@operation(result=t.UploadInitialJob | None)
class UploadListInitialQueue(Struct):
    """Queues the import of a CSV file whose columns are mapped one by one, enhanced fields too."""

    Job: t.UploadInitialJob | None


@operation(result=t.UploadInitialQueueStatus | None)
class GetUploadInitialQueueJobStatus(Struct):
    """Tells which upload job an entry of the queue became, or why it was refused."""

    initialQueueId: Double
