"""Plain HTTP that SOAP, REST and console share: client addresses, compression, bodies that nobody reads."""
