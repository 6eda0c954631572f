// A small connector: imports addresses into a Listrak list and waits until the process is over.
//
// The classes of the package listrak are made by wsimport from the service description.

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import javax.xml.ws.WebServiceException;
import javax.xml.ws.soap.SOAPFaultException;
import listrak.ArrayOfWSFileMappings;
import listrak.ImportProfileTypeEnum;
import listrak.ImportTypeEnum;
import listrak.IntegrationService;
import listrak.IntegrationServiceSoap;
import listrak.StatusEnum;
import listrak.WSFileMappings;
import listrak.WSImportDirectives;
import listrak.WSProcessStatus;
import listrak.WSUser;

public class Connector {
    // How often a poll is tried before the connector gives up.
    private static final int ATTEMPTS = 3;

    private final IntegrationServiceSoap service;
    private final WSUser user = new WSUser();
    private final long pause;

    /** Calls the service that the WSDL describes; the pause between polls is in milliseconds. */
    public Connector(String wsdl, String userName, String password, long pause) throws Exception {
        service = new IntegrationService(URI.create(wsdl).toURL()).getIntegrationServiceSoap();
        user.setUserName(userName);
        user.setPassword(password);
        this.pause = pause;
    }

    /** Imports a file of addresses; returns the finished process. Progress is told each status that a poll brings. */
    public WSProcessStatus upload(int list, String file, Consumer<StatusEnum> progress) throws Exception {
        WSImportDirectives directives = new WSImportDirectives();
        directives.setImportTypeEnum(ImportTypeEnum.ADD_SUBSCRIBERS);
        directives.setImportProfileTypeEnum(ImportProfileTypeEnum.NOT_DEFINED);
        WSFileMappings column = new WSFileMappings();
        column.setIsEmailAddressColumn(true);
        ArrayOfWSFileMappings columns = new ArrayOfWSFileMappings();
        columns.getWSFileMappings().add(column);
        byte[] data = file.getBytes(StandardCharsets.UTF_8);
        int process = service.bulkLoadContacts(list, directives, columns, data, user);
        while (true) {
            WSProcessStatus status = poll(process);
            progress.accept(status.getStatus());
            switch (status.getStatus()) {
                case PROCESSING_COMPLETED:
                    return status;
                case PROCESSING_FAILED:
                    throw new IllegalStateException("process " + process + " failed");
                default:
                    Thread.sleep(pause);
            }
        }
    }

    private WSProcessStatus poll(int process) throws InterruptedException {
        for (int attempt = 1;; attempt++) {
            try {
                return service.getProcessStatus(process, user);
            } catch (SOAPFaultException fault) {
                // The service has answered; it will say the same again.
                throw fault;
            } catch (WebServiceException broken) {
                if (attempt == ATTEMPTS) {
                    throw broken;
                }
                Thread.sleep(pause);
            }
        }
    }
}
