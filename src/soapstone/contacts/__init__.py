"""Contacts of an account: reading, changing and searching them."""
