"""How a member of an answer here compares with that of the live service."""

from __future__ import annotations

from soapstone.vocabulary.labelled import Labelled


class Agreement(Labelled):
    """What a member of an answer is beside the live service's."""

    SAME = "same", "same", "Both services gave the same value."
    RENUMBERED = "renumbered", "renumbered", "Each service has its own number for the same object."
    TIME = "time", "time", "The values differ as the clocks, zones or progress of the two services do."
    OURS = "ours", "ours", "The contract leaves the value to the service, such as the text of a fault."
    DIFFERENT = "different", "different", "The values differ, and nothing explains it."
