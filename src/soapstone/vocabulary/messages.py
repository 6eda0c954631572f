"""Kinds of messages."""

from __future__ import annotations

from soapstone.vocabulary.labelled import Labelled


class MessageKind(Labelled):
    """What a stored message is for."""

    SAVED = "saved", "saved", "A message of a list, ready to be sent."
    TRANSACTIONAL = "transactional", "transactional", "A message that goes to one address at a time."
    MAGNETMAIL = "magnetmail", "MagnetMail", "A message of the MagnetMail contract."
    SEND = "send", "copy of a send", "The copy of a message that belongs to one send."
