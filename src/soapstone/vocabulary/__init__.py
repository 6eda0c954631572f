"""The closed sets of Soapstone: each value that is stored or shown is written once, with its label and its meaning."""
