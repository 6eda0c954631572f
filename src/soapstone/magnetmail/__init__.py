"""The MagnetMail contract: its types, its operations, and their translation into the product's own calls."""
