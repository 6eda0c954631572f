"""Lists, which MagnetMail calls groups and Listrak contact lists, and what belongs to them."""
