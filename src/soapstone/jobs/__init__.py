"""Jobs: the queue and the worker of all long work, of whatever kind."""
