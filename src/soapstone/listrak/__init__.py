"""The Listrak v31 contract: its types, its operations, and their translation into the product's own calls."""
