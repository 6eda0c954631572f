"""Moving an account here from another service, through that service's own operations."""
