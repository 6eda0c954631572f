"""The paths of the calls, and how their processes are called."""

from __future__ import annotations

# Name of a call → how its processes are called (lk-84).
PROCESS_TYPES = {"SendToList": "Send to List", "SendToFile": "Send to File"}
PATHS = {f"/xml/{call}": call for call in PROCESS_TYPES}
