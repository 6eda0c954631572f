// Calls a test server by the proxies that Mono's wsdl made: Calls BASE 1.1|1.2
// Each line of input is a call: OPERATION SECONDS RETRIES. It is repeated RETRIES times when it fails.
// Each line of output is what came of it: the errors in Mono's own words with | between them, a tab, and the answer.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Reflection;
using System.Text;
using System.Web.Services.Protocols;

public static class Calls
{
    static readonly mm.MagnetMailWebService magnetmail = new mm.MagnetMailWebService();
    static readonly lk.IntegrationService listrak = new lk.IntegrationService();

    public static void Main(string[] arguments)
    {
        magnetmail.Url = arguments[0] + "/mmapi.asmx";
        listrak.Url = arguments[0] + "/v31/IntegrationService.asmx";
        foreach (SoapHttpClientProtocol proxy in new SoapHttpClientProtocol[] { magnetmail, listrak })
            proxy.SoapVersion = arguments[1] == "1.2" ? SoapProtocolVersion.Soap12 : SoapProtocolVersion.Soap11;
        listrak.WSUserValue = new lk.WSUser { UserName = "demo", Password = "demo" };
        string line;
        while ((line = Console.ReadLine()) != null)
        {
            string[] words = line.Split(' ');
            magnetmail.Timeout = listrak.Timeout = (int)(1000 * double.Parse(words[1]));
            var errors = new List<string>();
            string answer = "";
            for (int left = 1 + int.Parse(words[2]); left > 0; left--)
            {
                try
                {
                    answer = Call(words[0]);
                    break;
                }
                catch (SoapException fault)
                {
                    errors.Add("SoapException: " + fault.Message);
                }
                catch (WebException error)
                {
                    var response = error.Response as HttpWebResponse;
                    errors.Add("WebException " + error.Status + (response == null ? "" : " " + (int)response.StatusCode));
                }
                catch (InvalidOperationException error)
                {
                    // The answer cannot be read.
                    errors.Add("InvalidOperationException");
                    Console.Error.WriteLine(error);
                }
            }
            Console.WriteLine(string.Join("|", errors) + "\t" + answer);
        }
    }

    static string Call(string operation)
    {
        switch (operation)
        {
            case "Authenticate":
                mm.AuthenticationResult session = magnetmail.Authenticate("demo", "demo");
                magnetmail.mmAuthHeaderValue = new mm.mmAuthHeader { sessionId = session.sessionId };
                return session.authenticated.ToString();
            case "uploadListQueue":
                var upload = (mm.UploadListResult)Named("uploadListQueue", new Dictionary<string, object> {
                    { "groupid", 1 }, { "csvData", "ann@example.org\n" }, { "MM_1", "Email" } });
                return upload.jobid.ToString();
            case "BulkLoadContacts":
                var mapping = new lk.WSFileMappings { FileColumn = 1, IsEmailAddressColumn = true };
                var directives = new lk.WSImportDirectives { FileName = "retried.csv", HasColumnNames = false };
                byte[] file = Encoding.UTF8.GetBytes("ann@example.org\n");
                return listrak.BulkLoadContacts(1, directives, new[] { mapping }, file).ToString();
            case "ReportListImportHistory":
                lk.WSException failure = null;
                lk.WSImportHistory[] runs = listrak.ReportListImportHistory(1, 1, null, null, ref failure);
                return runs.Count(run => run.FileName == "retried.csv").ToString();
            default:
                throw new ArgumentException(operation);
        }
    }

    // Calls an operation of MagnetMail with some of its parameters; the others are nothing.
    static object Named(string operation, Dictionary<string, object> values)
    {
        MethodInfo method = magnetmail.GetType().GetMethod(operation);
        object[] arguments = method.GetParameters().Select(each =>
            values.ContainsKey(each.Name) ? values[each.Name]
            : each.ParameterType.IsValueType ? Activator.CreateInstance(each.ParameterType) : null).ToArray();
        try
        {
            return method.Invoke(magnetmail, arguments);
        }
        catch (TargetInvocationException error)
        {
            throw error.InnerException;
        }
    }
}
