<?php
// Tests of the connector against `soapstone serve --test`.

require_once __DIR__ . '/Connector.php';

use PHPUnit\Framework\TestCase;

class ConnectorTest extends TestCase
{
    private const CSV = "Email,First_Name\nann@example.org,Ann\nno address,Nobody\n";

    private string $base;
    private Connector $connector;

    protected function setUp(): void
    {
        $this->base = getenv('TEST_SERVER_URL') ?: 'http://127.0.0.1:8080';
        $this->control('POST', 'reset');
        $this->connector = new Connector("$this->base/mmapi.asmx?WSDL", 'demo', 'demo', 0);
    }

    public function testItWaitsUntilTheUploadIsImported(): void
    {
        $polls = ['start' => ['after_polls' => 1], 'end' => ['after_polls' => 2]];
        $this->control('POST', 'transitions', $polls);
        $seen = [];
        $result = $this->connector->upload(1, self::CSV, function (int $status) use (&$seen) {
            $seen[] = $status;
        });
        $this->assertSame([0, 1, 1, 2], $seen);
        $this->assertEquals([2, 1, 1], [$result->total_records, $result->good_records, $result->new_added]);
        $this->assertCount(1, $this->calls('uploadListQueue'));
    }

    public function testItPollsAgainWhenTheServiceIsUnavailable(): void
    {
        $fault = ['operation' => 'getUploadJobStatus', 'kind' => 'status_503', 'times' => 2];
        $this->control('POST', 'faults', $fault);
        $this->assertEquals(1, $this->connector->upload(1, self::CSV)->good_records);
        $this->assertCount(1, $this->calls('uploadListQueue'));
    }

    public function testItLogsOnAgainWhenTheSessionHasExpired(): void
    {
        $this->control('POST', 'faults', ['operation' => 'getUploadJobStatus', 'kind' => 'expired_session']);
        $this->assertEquals(1, $this->connector->upload(1, self::CSV)->good_records);
        $this->assertCount(2, $this->calls('Authenticate'));
    }

    public function testItReportsAnUploadThatFails(): void
    {
        $failure = ['end' => ['after_polls' => 1], 'outcome' => 'failed', 'reason' => 'disk full'];
        $this->control('POST', 'transitions', $failure);
        $this->expectException(UploadFailed::class);
        $this->expectExceptionMessage('ended with status 3');
        $this->connector->upload(1, self::CSV);
    }

    private function calls(string $operation): array
    {
        return $this->control('GET', "calls?operation=$operation")->calls;
    }

    private function control(string $method, string $path, ?array $document = null): ?object
    {
        $options = ['method' => $method, 'header' => 'Content-Type: application/json'];
        if ($document !== null) {
            $options['content'] = json_encode($document);
        }
        // A refusal is a warning, and PHPUnit makes an error of it.
        $answer = file_get_contents("$this->base/_test/$path", false, stream_context_create(['http' => $options]));
        return json_decode($answer);
    }
}
