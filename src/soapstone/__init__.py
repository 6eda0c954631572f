"""A self-hosted e-mail list server that speaks the MagnetMail and Listrak v31 SOAP contracts."""
