"""Shadow: calls of the live service, played here as well and compared."""
