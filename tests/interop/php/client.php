<?php
// PHP's SoapClient, driven by tests/interop/conftest.py: client.php 1.1|1.2 ITEM,…
//
// ITEM,… are the names of elements that are the items of an array.
// Each line of standard input is one call, as JSON: wsdl, namespace, operation, header (an object or null), arguments.
// Each line of standard output is what came of it: answer or fault, and the SOAP version of what was sent.
// A response is given as the value of its one member; one with WSException, which goes in and out, as an object.
// Arrays are lists.
// ImportFileStream, the one member of type base64Binary, comes in base64.

// Warnings and notices are failures.
set_error_handler(function ($level, $message, $file, $line) {
    throw new ErrorException($message, 0, $level, $file, $line);
});

define('ITEMS', explode(',', $argv[2]));

function plain($value)
{
    if (!is_object($value)) {
        return is_array($value) ? array_map('plain', $value) : $value;
    }
    $members = get_object_vars($value);
    if (count($members) === 1 && in_array(key($members), ITEMS, true)) {
        $rows = reset($members);
        // By default, an array of one element arrives as that element; the option SOAP_SINGLE_ELEMENT_ITEMS is off by default.
        return array_map('plain', is_array($rows) ? $rows : [$rows]);
    }
    return $members ? array_map('plain', $members) : null;
}

$clients = [];
$options = [
    'soap_version' => $argv[1] === '1.2' ? SOAP_1_2 : SOAP_1_1,
    'cache_wsdl' => WSDL_CACHE_NONE,
    'trace' => true,
];

while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    // A connection keeps the time-out with which it was opened.
    ini_set('default_socket_timeout', (string) ($call['seconds'] ?? 60));
    $client = $clients["$call[wsdl] $call[seconds]"] ??= new SoapClient($call['wsdl'], $options);
    if (isset($call['arguments']['ImportFileStream'])) {
        // SoapClient encodes what is of type base64Binary by itself.
        $call['arguments']['ImportFileStream'] = base64_decode($call['arguments']['ImportFileStream'], true);
    }
    $headers = [];
    foreach ($call['header'] ?? [] as $name => $members) {
        $headers[] = new SoapHeader($call['namespace'], $name, $members);
    }
    $errors = [];
    for ($left = 1 + $call['retries']; $left > 0; $left--) {
        try {
            $response = $client->__soapCall($call['operation'], [$call['arguments']], null, $headers);
            $members = get_object_vars($response);
            $only = $members ? reset($members) : null;
            $result = ['answer' => plain(array_key_exists('WSException', $members) ? $response : $only)];
            break;
        } catch (SoapFault $fault) {
            // What is no fault of the server has the code HTTP, or Client.
            $result = ['fault' => ['code' => $fault->faultcode, 'text' => $fault->getMessage()]];
            $errors[] = "$fault->faultcode: {$fault->getMessage()}";
        } catch (ErrorException $warning) {
            $result = ['error' => $warning->getMessage()];
            $errors[] = $result['error'];
        }
    }
    $result['errors'] = $errors;
    $is12 = str_contains($client->__getLastRequest(), 'http://www.w3.org/2003/05/soap-envelope');
    $result['version'] = $is12 ? '1.2' : '1.1';
    echo json_encode($result, JSON_THROW_ON_ERROR), "\n";
}
