"""Plain HTTP that SOAP, REST and console share: client addresses, compression, unread bodies, file names."""
