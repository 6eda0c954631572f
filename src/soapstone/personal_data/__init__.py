"""One person in all rooms: what the records hold of it, and how that goes."""
