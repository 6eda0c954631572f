"""The test server: a whole server in one process, which tests set up, control and inspect."""
