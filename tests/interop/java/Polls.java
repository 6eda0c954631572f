// Polls a demo server with the proxies that wsimport made: java Polls JOB LIST. Prints one line for each call.
import java.io.Closeable;
import lk.IntegrationService;
import lk.IntegrationServiceSoap;
import lk.WSLegacyProcessStatus;
import lk.WSProcessStatus;
import lk.WSUser;
import mm.AuthenticationResult;
import mm.MagnetMailX0020WebX0020Service;
import mm.MagnetMailX0020WebX0020ServiceSoap;
import mm.MmAuthHeader;
import mm.UploadListResult;

public class Polls {
    public static void main(String[] arguments) throws Exception {
        int job = Integer.parseInt(arguments[0]);
        int list = Integer.parseInt(arguments[1]);
        MagnetMailX0020WebX0020ServiceSoap magnetmail =
            new MagnetMailX0020WebX0020Service().getMagnetMailX0020WebX0020ServiceSoap();
        AuthenticationResult session = magnetmail.authenticate("demo", "demo");
        MmAuthHeader header = new MmAuthHeader();
        header.setSessionId(session.getSessionId());
        header.setUserId(session.getUserId());
        UploadListResult upload = magnetmail.getUploadJobStatus("DEMO", job, header);
        System.out.printf(
            "upload %s %s %s %s%n",
            upload.getStatus(), upload.getTotalRecords(), upload.getGoodRecords(), upload.getCompleteDate() != null);
        try {
            header.setSessionId("unknown");
            magnetmail.getUploadJobStatus("DEMO", job, header);
        } catch (javax.xml.ws.soap.SOAPFaultException fault) {
            System.out.println("fault " + fault.getMessage());
        }
        IntegrationServiceSoap listrak = new IntegrationService().getIntegrationServiceSoap();
        WSUser user = new WSUser();
        user.setUserName("demo");
        user.setPassword("demo");
        WSProcessStatus process = listrak.getProcessStatus(job, user);
        System.out.printf("process %s %s%n", process.getProcessName(), process.getStatus());
        for (WSLegacyProcessStatus row : listrak.getLegacyProcessStatus(list, user).getWSLegacyProcessStatus()) {
            System.out.printf("legacy %s %d %d%n", row.getProcessType(), row.getCurrentStep(), row.getMaxStep());
        }
        System.out.println("unknown " + (listrak.getProcessStatus(987654, user) == null));
        ((Closeable) magnetmail).close();
        ((Closeable) listrak).close();
    }
}
