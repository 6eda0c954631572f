// A small connector: uploads a file to a MagnetMail group and waits until it is imported.
//
// The classes of the package mm are made by wsimport from the service description.

import com.sun.xml.ws.client.ClientTransportException;
import java.net.URI;
import java.util.function.IntConsumer;
import javax.xml.ws.soap.SOAPFaultException;
import mm.AuthenticationResult;
import mm.MagnetMailX0020WebX0020Service;
import mm.MagnetMailX0020WebX0020ServiceSoap;
import mm.MmAuthHeader;
import mm.UploadListResult;

public class Connector {
    public static class UploadFailed extends Exception {
        UploadFailed(String message) {
            super(message);
        }
    }

    private static final int COMPLETED = 2;
    // How often a poll is tried before the connector gives up.
    private static final int ATTEMPTS = 3;

    private final MagnetMailX0020WebX0020ServiceSoap service;
    private final String username;
    private final String password;
    private final long pause;
    private MmAuthHeader header;

    /** Calls the service that the WSDL describes; the pause between polls is in milliseconds. */
    public Connector(String wsdl, String username, String password, long pause) throws Exception {
        this.service = new MagnetMailX0020WebX0020Service(URI.create(wsdl).toURL()).getMagnetMailX0020WebX0020ServiceSoap();
        this.username = username;
        this.password = password;
        this.pause = pause;
    }

    /** Returns the counters of the finished import; progress is told each status that a poll brings. */
    public UploadListResult upload(int group, String csv, IntConsumer progress) throws Exception {
        logOn();
        UploadListRequest request = new UploadListRequest(group, csv);
        int job = request.send(service, header);
        UploadListResult result = poll(job);
        while (true) {
            int status = (int) result.getStatus();
            progress.accept(status);
            if (status == COMPLETED) {
                return result;
            }
            if (status > COMPLETED) {
                throw new UploadFailed("job " + job + " ended with status " + status);
            }
            Thread.sleep(pause);
            result = poll(job);
        }
    }

    private void logOn() throws UploadFailed {
        AuthenticationResult session = service.authenticate(username, password);
        if (!session.isAuthenticated()) {
            throw new UploadFailed("the logon was refused");
        }
        header = new MmAuthHeader();
        header.setSessionId(session.getSessionId());
        header.setUserId(session.getUserId());
    }

    private UploadListResult poll(int job) throws Exception {
        for (int attempt = 1;; attempt++) {
            try {
                return service.getUploadJobStatus(null, job, header);
            } catch (SOAPFaultException fault) {
                if (attempt == ATTEMPTS || !fault.getMessage().contains("InvalidSession")) {
                    throw fault;
                }
                logOn();
            } catch (ClientTransportException broken) {
                if (attempt == ATTEMPTS) {
                    throw broken;
                }
                Thread.sleep(pause);
            }
        }
    }
}
