"""Contacts: the people of an account, what is known of them, and what changes them."""
