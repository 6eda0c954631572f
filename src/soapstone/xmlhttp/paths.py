"""The paths of the calls, and the names of their processes."""

from __future__ import annotations

# Name of a call → name of its processes (lk-84).
PROCESS_TYPES = {"SendToList": "Send to List", "SendToFile": "Send to File"}
PATHS = {f"/xml/{call}": call for call in PROCESS_TYPES}

# Under this name the state of a request's scope holds the text of its refusal, for metrics.
REFUSED = "refused"
