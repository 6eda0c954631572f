"""Jobs: one record for every long work, whatever its kind."""
