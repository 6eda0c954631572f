"""The console: pages that let an operator see what the server does."""
