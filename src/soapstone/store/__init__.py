"""Storage: a database (SQLite or PostgreSQL) and a folder of blobs."""
