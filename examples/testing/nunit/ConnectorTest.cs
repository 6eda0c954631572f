// Tests of the connector against `soapstone serve --test`.

using System;
using System.Collections.Generic;
using System.Net;
using System.Text.RegularExpressions;
using System.Web.Services.Protocols;
using NUnit.Framework;

[TestFixture]
public class ConnectorTest
{
    private const string File = "ann@example.org\nno address\n";

    private readonly string url = Environment.GetEnvironmentVariable("TEST_SERVER_URL") ?? "http://127.0.0.1:8080";
    private List<StatusEnum> seen;
    private Connector connector;

    [SetUp]
    public void SetUp()
    {
        Control("reset", "");
        seen = new List<StatusEnum>();
        connector = new Connector(url + "/v31/IntegrationService.asmx", "demo", "demo", TimeSpan.Zero);
    }

    [Test]
    public void WaitsUntilTheFileIsImported()
    {
        Control("transitions", "{'start': {'after_polls': 1}, 'end': {'after_polls': 2}}");
        connector.Upload(1, File, seen.Add);
        Assert.AreEqual(
            new[] {
                StatusEnum.DataReadyForProcessing,
                StatusEnum.ProcessingData,
                StatusEnum.ProcessingData,
                StatusEnum.ProcessingCompleted,
            },
            seen);
        Assert.AreEqual(1, Calls("BulkLoadContacts"));
        Assert.AreEqual(4, Calls("GetProcessStatus"));
    }

    [Test]
    public void PollsAgainWhenTheServiceIsUnavailable()
    {
        Control("faults", "{'operation': 'GetProcessStatus', 'kind': 'status_503', 'times': 2}");
        connector.Upload(1, File, seen.Add);
        Assert.AreEqual(1, Calls("BulkLoadContacts"));
    }

    [Test]
    public void GivesUpAtAFault()
    {
        Control("faults", "{'operation': 'GetProcessStatus', 'kind': 'soap_fault', 'message': 'Out of order'}");
        var fault = Assert.Throws<SoapException>(() => connector.Upload(1, File, seen.Add));
        StringAssert.Contains("Out of order", fault.Message);
        Assert.AreEqual(1, Calls("GetProcessStatus"));
    }

    [Test]
    public void ReportsAProcessThatFails()
    {
        Control("transitions", "{'end': {'after_polls': 1}, 'outcome': 'failed', 'reason': 'disk full'}");
        Assert.Throws<InvalidOperationException>(() => connector.Upload(1, File, seen.Add));
    }

    private int Calls(string operation)
    {
        using (var client = new WebClient())
            return Regex.Matches(client.DownloadString(url + "/_test/calls?operation=" + operation), "\"number\":")
                .Count;
    }

    // Posts to the control API; quotes in the JSON may be single ones.
    private void Control(string path, string json)
    {
        using (var client = new WebClient()) {
            client.Headers[HttpRequestHeader.ContentType] = "application/json";
            client.UploadString(url + "/_test/" + path, json.Replace('\'', '"'));
        }
    }
}
