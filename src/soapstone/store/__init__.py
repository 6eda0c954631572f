"""Where records and files are kept: a database (SQLite or PostgreSQL) and a place for blobs."""
