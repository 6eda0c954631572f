"""The REST API under /api/v1: the same calls of the product for programs of today."""
