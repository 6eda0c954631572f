"""Accounts: who may do what, and who is asking."""
