"""Messages: what a send says, with its templates and links, before it is a mail."""
