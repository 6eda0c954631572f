"""Imports: a file of contacts becomes rows, the rows are checked and merged into contacts and memberships."""
