"""Mails: a message merged for one recipient, as the bytes that go out."""
