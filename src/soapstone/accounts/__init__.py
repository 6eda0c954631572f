"""Accounts, logins, credentials and rights."""
