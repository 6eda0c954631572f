"""XML over HTTP: Send to List and Send to File (lk-85 to lk-91)."""
