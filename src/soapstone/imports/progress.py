"""The progress of an import."""

from __future__ import annotations

from dataclasses import dataclass

from soapstone.jobs.job import Job


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of an import.

    `read`: data rows read so far by the first pass over the file. `done`: rows that have their outcome. `rows`: all
    data rows of the file, None until the first pass ends. `rate`: rows done per second in the present attempt, 0.0
    while unknown. `seconds_left`: at this rate; None while unknown, 0.0 at the end.
    """

    read: int
    done: int
    rows: int | None
    rate: float
    seconds_left: float | None

    @classmethod
    def of(cls, job: Job) -> Progress:
        """Read the progress from the job's checkpoint."""
        checkpoint = job.checkpoint
        done = int(checkpoint.get("done", 0))
        rows = int(checkpoint["rows"]) if "rows" in checkpoint else None
        read = int(checkpoint.get("read", 0)) if rows is None else rows
        # `since` and `at` are seconds since 1970: when this attempt began to merge and when its last chunk ended.
        seconds = checkpoint.get("at", 0.0) - checkpoint.get("since", 0.0)
        rate = (done - checkpoint.get("done_before", 0)) / seconds if seconds > 0 else 0.0
        left = None
        if job.over:
            left = 0.0
        elif rows is not None and rate > 0:
            left = (rows - done) / rate
        return cls(read=read, done=done, rows=rows, rate=rate, seconds_left=left)
