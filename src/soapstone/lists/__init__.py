"""Lists and the people on them: what one contract calls a group and the other a contact list."""
