"""Importing recipients from a file."""

from soapstone.magnetmail import types as t
from soapstone.wire.contract import operation
from soapstone.wire.types import Boolean, Double, Int, SpooledText, String, Struct


class _Upload(Struct, mixin=True, numbered={"MM_": 42}):
    user_id: String
    groupid: Int
    csvData: SpooledText
    replace_group: Boolean
    update_dups: Boolean
    header_line: Boolean
    mapping_name: String

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
