"""Sends: messages with merge fields, the people they go to, and one mail for each of them."""
