"""Jobs: kinds of work, and states."""

from __future__ import annotations

from soapstone.vocabulary.labelled import Labelled


class JobKind(Labelled):
    """What a job does."""

    IMPORT = "import", "Import", "Adds, updates or removes the people of a file."
    TRIAL_IMPORT = "trial_import", "Import", "A dry run of an import, which changes nothing."
    UPLOAD_ENTRY = (
        "upload_entry",
        "Queued upload",
        "A file that is uploaded first and imported when a call asks for it.",
    )
    ATTRIBUTE_UPDATE = "attribute_update", "Attribute update", "Sets a profile attribute of many members of a list."
    ATTRIBUTE_REMOVAL = "attribute_removal", "Attribute removal", "Removes the values of a deleted profile attribute."
    SEND_TO_LIST = "send_to_list", "Send to list", "Sends a message to the subscribed members of a list."
    SEND_TO_FILE = "send_to_file", "Send to file", "Sends a message to the people of a supplied file."
    SEND = "send", "Send", "Any other send, such as one to single contacts, a test or a notice."


IMPORTS = (JobKind.IMPORT, JobKind.TRIAL_IMPORT)
SENDS = (JobKind.SEND_TO_LIST, JobKind.SEND_TO_FILE, JobKind.SEND)


class JobState(Labelled):
    """How far a job is."""

    QUEUED = "queued", "queued", "The job waits for a worker or for its time."
    RUNNING = "running", "running", "A worker runs the job."
    COMPLETED = "completed", "completed", "The job has done its work."
    FAILED = "failed", "failed", "The job ended without success; its error says why, and it may be retried."
    CANCELLED = "cancelled", "cancelled", "The job ended because someone asked for it."


# The states in which a job has ended.
ENDED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
