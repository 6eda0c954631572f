// The package `soap` of Node.js, driven by tests/interop/conftest.py: client.mjs 1.1|1.2 ITEM,…
//
// Arguments, lines in and lines out are those of ../php/client.php.

import { createInterface } from 'node:readline';
import soap from 'soap';

const version = process.argv[2];
const items = process.argv[3].split(',');
const options = {
  disableCache: true,
  forceSoap12Headers: version === '1.2',
  // Otherwise members that are nil are left out, and WSException cannot be told from one that the server forgot.
  handleNilAsNull: true,
  // Otherwise a dateTime becomes a Date, which takes a wall-clock time for one in this machine's zone.
  customDeserializer: { dateTime: (text) => text },
};

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  const names = Object.keys(value);
  if (names.length === 1 && items.includes(names[0])) return value[names[0]].map(plain);
  return Object.fromEntries(names.map((name) => [name, plain(value[name])]));
}

function fault(error) {
  const found = error.root?.Envelope?.Body?.Fault;
  if (!found) return null;
  // A fault is given as it is on the wire, so its shape tells the version.
  return found.faultcode
    ? { code: found.faultcode, text: found.faultstring }
    : { code: found.Code.Value, text: found.Reason.Text.$value };
}

const clients = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  if (!clients.has(call.wsdl)) clients.set(call.wsdl, await soap.createClientAsync(call.wsdl, options));
  const client = clients.get(call.wsdl);
  client.clearSoapHeaders();
  for (const [name, members] of Object.entries(call.header ?? {})) {
    client.addSoapHeader({ [name]: members }, '', 'tns', call.namespace);
  }
  const errors = [];
  let result = {};
  for (let left = 1 + call.retries; left > 0; left -= 1) {
    try {
      const limits = call.seconds === null ? {} : { timeout: 1000 * call.seconds };
      const [response] = await client[`${call.operation}Async`](call.arguments, limits);
      // Nothing is null here, and so is an object without members.
      const members = response ?? {};
      result = { answer: plain('WSException' in members ? members : (Object.values(members)[0] ?? null)) };
      break;
    } catch (error) {
      result = { fault: fault(error) };
      if (!result.fault) {
        // The error as it is would print the whole connection.
        console.error(error.message, error.response?.status, error.body);
        result.error = [error.code, error.response?.status].filter(Boolean).join(' ') || error.message;
      }
      errors.push(result.fault ? 'fault' : result.error);
    }
  }
  result.errors = errors;
  result.version = client.lastRequest.includes('http://www.w3.org/2003/05/soap-envelope') ? '1.2' : '1.1';
  console.log(JSON.stringify(result));
}
