// Apache Axis 1.4, with the stubs of its WSDL2Java: java AxisWalk BASE listrak 1.1
import java.io.PrintStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import lk.ImportProfileTypeEnum;
import lk.ImportTypeEnum;
import lk.IntegrationServiceLocator;
import lk.IntegrationServiceSoap_BindingStub;
import lk.StatusEnum;
import lk.WSContactList;
import lk.WSContactSubscriptionInfo;
import lk.WSFileMappings;
import lk.WSImportDirectives;
import lk.WSLegacyProcessStatus;
import lk.WSProcessStatus;
import lk.holders.WSExceptionHolder;
import org.apache.axis.AxisFault;
import org.apache.axis.message.SOAPHeaderElement;

public class AxisWalk {
    static final String NAMESPACE = "http://webservices.listrak.com/v31/";
    static final String CSV =
        "Id,Mail\nZo\u00eb,zoe@walk.example\nAnn,ann@walk.example\nBob,bob@walk.example\nNobody,nobody\n";

    // Returns a stub whose calls have this password in their header, which Axis does not make from the description.
    static IntegrationServiceSoap_BindingStub stub(String base, String password) throws Exception {
        IntegrationServiceLocator locator = new IntegrationServiceLocator();
        URL url = new URL(base + "/v31/IntegrationService.asmx");
        IntegrationServiceSoap_BindingStub made = (IntegrationServiceSoap_BindingStub) locator.getIntegrationServiceSoap(url);
        SOAPHeaderElement header = new SOAPHeaderElement(NAMESPACE, "WSUser");
        header.addChildElement("UserName", "", NAMESPACE).addTextNode("demo");
        header.addChildElement("Password", "", NAMESPACE).addTextNode(password);
        made.setHeader(header);
        return made;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        IntegrationServiceSoap_BindingStub listrak = stub(arguments[0], "demo");
        WSContactList list = listrak.createContactList(
            "K\u00fcche", null, null, false, false, 1, false, false, 0, false, false, 3, null, null, false, false, null,
            false, false, false);
        out.println("list " + list.getListName());
        WSImportDirectives directives = new WSImportDirectives();
        directives.setImportTypeEnum(ImportTypeEnum.AddSubscribers);
        directives.setImportProfileTypeEnum(ImportProfileTypeEnum.Update);
        directives.setFileName("walk.csv");
        directives.setHasColumnNames(true);
        directives.setFileDelimiter(",");
        directives.setTextQualifier("\"");
        WSFileMappings mapping = new WSFileMappings();
        mapping.setFileColumn(1);
        mapping.setIsEmailAddressColumn(true);
        int process = listrak.bulkLoadContacts(
            list.getListID(), directives, new WSFileMappings[] {mapping}, CSV.getBytes(StandardCharsets.UTF_8));
        WSProcessStatus status;
        do {
            Thread.sleep(50);
            status = listrak.getProcessStatus(process);
        } while (status.getStatus() != StatusEnum.ProcessingCompleted);
        out.println("process " + status.getProcessName() + " " + status.getStatus());
        WSContactSubscriptionInfo[] found =
            listrak.reportSubscribedContacts(list.getListID(), 1, new WSExceptionHolder());
        String[] members = new String[found.length];
        for (int place = 0; place < found.length; place++) members[place] = found[place].getEmailAddress();
        Arrays.sort(members);
        out.println("members " + String.join(" ", members));
        StringBuilder legacy = new StringBuilder("legacy");
        for (WSLegacyProcessStatus row : listrak.getLegacyProcessStatus(1))
            legacy.append(" " + row.getProcessType() + ":" + row.getCurrentStep() + "/" + row.getMaxStep());
        out.println(legacy);
        out.println("unknown " + (listrak.getProcessStatus(987654) == null ? "None" : "something"));
        try {
            stub(arguments[0], "wrong").getProcessStatus(1);
        } catch (AxisFault fault) {
            out.println("refused " + fault.getFaultString());
        }
    }
}
