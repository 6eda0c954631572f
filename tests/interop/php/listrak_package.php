<?php
// The package php-listrak, in a checkout: listrak_package.php CHECKOUT BASE
//
// Calls each method of the package with simple values, and prints a line for it: its name and `answer` or `fault` with
// the fault's text. The members of list 1 come first.

[, $checkout, $base] = $argv;
// The package is older than this PHP, which finds fault with how it is written.
error_reporting(E_ALL & ~E_DEPRECATED);
require "$checkout/vendor/autoload.php";

use WsdlToPhp\PackageBase\AbstractSoapClientBase as Client;

$options = [
    Client::WSDL_URL => "$base/v31/IntegrationService.asmx?WSDL",
    Client::WSDL_CLASSMAP => ClassMap::get(),
    Client::WSDL_CACHE_WSDL => WSDL_CACHE_NONE,
];

// A value for a parameter of a constructor or method, by the type that the package's comments give.
function value($class, $method, $name)
{
    $comment = (new ReflectionMethod($class, $method))->getDocComment();
    preg_match('/@param (\S+) \$' . $name . '\b/', $comment, $found);
    $type = ltrim($found[1] ?? 'string', '\\');
    if ($type === 'int' || $type === 'float') {
        return 1;
    }
    if ($type === 'bool') {
        return false;
    }
    if (preg_match('/^ArrayType|WSException$/', $type)) {
        return null;
    }
    if ($type !== 'string') {
        return str_ends_with($type, '[]') || $type === 'array' ? [] : filled($type);
    }
    $setter = 'set' . ucfirst($name);
    $uses = method_exists($class, $setter) ? (new ReflectionMethod($class, $setter))->getDocComment() : '';
    if (preg_match('/@uses \\\\(EnumType\\\\\w+)::getValidValues/', $uses, $enum)) {
        return $enum[1]::getValidValues()[0];
    }
    return preg_match('/date|time/i', $name) ? '2026-01-31T12:00:00' : 'x';
}

// An object of a class of the package with all its members.
function filled($class)
{
    $constructor = (new ReflectionClass($class))->getConstructor();
    $members = [];
    foreach ($constructor ? $constructor->getParameters() : [] as $parameter) {
        $members[] = value($class, '__construct', $parameter->getName());
    }
    return new $class(...$members);
}

function service($name)
{
    global $options;
    $class = "ServiceType\\$name";
    $service = new $class($options);
    $service->setSoapHeaderWSUser(new StructType\WSUser('demo', 'demo'));
    return $service;
}

$report = service('Report');
$page = $report->ReportSubscribedContacts(new StructType\ReportSubscribedContacts(1, 1, null));
$people = $page->getReportSubscribedContactsResult()->getWSContactSubscriptionInfo();
$addresses = array_map(fn ($each) => $each->getEmailAddress(), $people);
sort($addresses);
echo 'members ', implode(' ', $addresses), "\n";

$paths = glob("$checkout/src/ServiceType/*.php");
// What deletes comes last, so that list 1 is there for the others.
usort($paths, fn ($one, $other) => str_contains($one, 'Delete') <=> str_contains($other, 'Delete'));
foreach ($paths as $path) {
    $service = service(basename($path, '.php'));
    foreach ((new ReflectionClass($service))->getMethods(ReflectionMethod::IS_PUBLIC) as $method) {
        $parameters = $method->getParameters();
        $type = $parameters ? (string) $parameters[0]->getType() : '';
        if ($type !== "StructType\\{$method->getName()}") {
            continue;
        }
        $name = $method->getName();
        if ($service->$name(filled($type)) !== false) {
            echo "$name answer\n";
        } else {
            $errors = $service->getLastError();
            echo "$name fault ", reset($errors)->getMessage(), "\n";
        }
    }
}
