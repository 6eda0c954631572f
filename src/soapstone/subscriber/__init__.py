"""Pages for the people that mail goes to: behind the links in their mails."""
