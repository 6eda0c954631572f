"""The test server: a whole server in one process, which tests set up, steer and ask what happened."""
