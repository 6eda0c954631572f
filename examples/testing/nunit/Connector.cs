// A small connector: imports addresses into a Listrak list and waits until the process is over.
//
// Listrak.cs, with the class IntegrationService, is made by wsdl from the service description.

using System;
using System.Net;
using System.Text;
using System.Threading;

public class Connector
{
    // How often a poll is tried before the connector gives up.
    private const int Attempts = 3;

    private readonly IntegrationService service;
    private readonly TimeSpan pause;

    public Connector(string url, string userName, string password, TimeSpan pause)
    {
        this.pause = pause;
        service = new IntegrationService {
            Url = url,
            WSUserValue = new WSUser { UserName = userName, Password = password },
        };
    }

    // Imports a file of addresses; returns the finished process. Progress is told each status that a poll brings.
    public WSProcessStatus Upload(int list, string file, Action<StatusEnum> progress)
    {
        var directives = new WSImportDirectives {
            ImportTypeEnum = ImportTypeEnum.AddSubscribers,
            ImportProfileTypeEnum = ImportProfileTypeEnum.NotDefined,
        };
        var columns = new[] { new WSFileMappings { IsEmailAddressColumn = true } };
        int process = service.BulkLoadContacts(list, directives, columns, Encoding.UTF8.GetBytes(file));
        while (true) {
            WSProcessStatus status = Poll(process);
            progress(status.Status);
            switch (status.Status) {
                case StatusEnum.ProcessingCompleted:
                    return status;
                case StatusEnum.ProcessingFailed:
                    throw new InvalidOperationException("process " + process + " failed");
                default:
                    Thread.Sleep(pause);
                    break;
            }
        }
    }

    private WSProcessStatus Poll(int process)
    {
        for (int attempt = 1; ; attempt++) {
            try {
                return service.GetProcessStatus(process);
            } catch (WebException) when (attempt < Attempts) {
                // No answer, or one that is no SOAP. A fault of the service is a SoapException.
                Thread.Sleep(pause);
            }
        }
    }
}
