<?php
// A small connector: uploads a file to a MagnetMail group and waits until it is imported.

class UploadFailed extends Exception
{
}

class Connector
{
    private const XMLNS = 'http://www.magnetmail.net/';
    private const COMPLETED = 2;
    // How often a poll is tried before the connector gives up.
    private const ATTEMPTS = 3;

    private SoapClient $client;

    public function __construct(
        string $wsdl,
        private string $username,
        private string $password,
        private float $pause = 5.0
    ) {
        $this->client = new SoapClient($wsdl, ['cache_wsdl' => WSDL_CACHE_NONE, 'keep_alive' => false]);
    }

    /** Returns the counters of the finished import; $progress is told each status that a poll brings. */
    public function upload(int $group, string $csv, ?callable $progress = null): object
    {
        $this->logOn();
        $job = (int) $this->client->uploadListQueue([
            'groupid' => $group,
            'csvData' => $csv,
            'replace_group' => false,
            'update_dups' => true,
            'header_line' => true,
        ])->uploadListQueueResult->jobid;
        do {
            $result = $this->poll($job);
            if ($progress) {
                $progress((int) $result->status);
            }
            if ($result->status > self::COMPLETED) {
                throw new UploadFailed("job $job ended with status $result->status");
            }
            usleep((int) (1e6 * $this->pause));
        } while ($result->status < self::COMPLETED);
        return $result;
    }

    private function logOn(): void
    {
        $this->client->__setSoapHeaders();
        $session = $this->client->Authenticate(['username' => $this->username, 'password' => $this->password])
            ->AuthenticateResult;
        if (!$session->authenticated) {
            throw new UploadFailed('the logon was refused');
        }
        $members = ['sessionId' => $session->sessionId, 'user_id' => $session->user_id];
        $this->client->__setSoapHeaders(new SoapHeader(self::XMLNS, 'mmAuthHeader', $members));
    }

    private function poll(int $job): object
    {
        for ($attempt = 1;; $attempt++) {
            try {
                return $this->client->getUploadJobStatus(['jobid' => $job])->getUploadJobStatusResult;
            } catch (SoapFault $fault) {
                if ($attempt === self::ATTEMPTS) {
                    throw $fault;
                }
                if ($fault->faultcode === 'HTTP') {
                    // No answer, or one that is no SOAP.
                    usleep((int) (1e6 * $this->pause));
                } elseif (str_contains($fault->getMessage(), 'InvalidSession')) {
                    $this->logOn();
                } else {
                    throw $fault;
                }
            }
        }
    }
}
