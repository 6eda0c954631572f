// Tests of the connector against `soapstone serve --test`.

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.xml.ws.soap.SOAPFaultException;
import listrak.StatusEnum;
import org.junit.Before;
import org.junit.BeforeClass;
import org.junit.Test;

public class ConnectorTest {
    private static final String BASE =
        Optional.ofNullable(System.getenv("TEST_SERVER_URL")).orElse("http://127.0.0.1:8080");
    private static final String FILE = "ann@example.org\nno address\n";

    private static Connector connector;

    private final HttpClient http = HttpClient.newHttpClient();
    private final List<StatusEnum> seen = new ArrayList<>();

    @BeforeClass
    public static void connect() throws Exception {
        connector = new Connector(BASE + "/v31/IntegrationService.asmx?WSDL", "demo", "demo", 0);
    }

    @Before
    public void reset() throws Exception {
        control("POST", "reset", null);
    }

    @Test
    public void itWaitsUntilTheFileIsImported() throws Exception {
        control("POST", "transitions", "{'start': {'after_polls': 1}, 'end': {'after_polls': 2}}");
        connector.upload(1, FILE, seen::add);
        StatusEnum waiting = StatusEnum.DATA_READY_FOR_PROCESSING;
        StatusEnum running = StatusEnum.PROCESSING_DATA;
        assertEquals(List.of(waiting, running, running, StatusEnum.PROCESSING_COMPLETED), seen);
        assertEquals(1, calls("BulkLoadContacts"));
        assertEquals(4, calls("GetProcessStatus"));
    }

    @Test
    public void itPollsAgainWhenTheServiceIsUnavailable() throws Exception {
        control("POST", "faults", "{'operation': 'GetProcessStatus', 'kind': 'status_503', 'times': 2}");
        connector.upload(1, FILE, seen::add);
        assertEquals(1, calls("BulkLoadContacts"));
    }

    @Test
    public void itGivesUpAtAFault() throws Exception {
        control("POST", "faults", "{'operation': 'GetProcessStatus', 'kind': 'soap_fault', 'message': 'Out of order'}");
        SOAPFaultException fault =
            assertThrows(SOAPFaultException.class, () -> connector.upload(1, FILE, seen::add));
        assertTrue(fault.getMessage(), fault.getMessage().contains("Out of order"));
        assertEquals(1, calls("GetProcessStatus"));
    }

    @Test
    public void itReportsAProcessThatFails() throws Exception {
        control("POST", "transitions", "{'end': {'after_polls': 1}, 'outcome': 'failed', 'reason': 'disk full'}");
        assertThrows(IllegalStateException.class, () -> connector.upload(1, FILE, seen::add));
    }

    private int calls(String operation) throws Exception {
        return control("GET", "calls?operation=" + operation, null).split("\"number\":", -1).length - 1;
    }

    /** Asks the control API; quotes in the JSON may be single ones. */
    private String control(String method, String path, String json) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(BASE + "/_test/" + path))
            .header("Content-Type", "application/json")
            .method(method, json == null ? BodyPublishers.noBody() : BodyPublishers.ofString(json.replace('\'', '"')))
            .build();
        var response = http.send(request, BodyHandlers.ofString());
        assertTrue(response.body(), response.statusCode() < 300);
        return response.body();
    }
}
