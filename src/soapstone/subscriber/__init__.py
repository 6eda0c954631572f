"""Pages for subscribers, behind the links in their mails."""
