"""What becomes of sent mails: events, bounces, links, figures, and their reports."""
