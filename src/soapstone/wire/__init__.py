"""SOAP as the original ASP.NET ASMX runtime spoke it: declared types, streaming reader, writer, WSDL, help pages."""
