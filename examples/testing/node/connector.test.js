// Tests of the connector against `soapstone serve --test`.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Connector } from './connector.js';

const BASE = process.env.TEST_SERVER_URL ?? 'http://127.0.0.1:8080';
const CSV = 'Email,First_Name\nann@example.org,Ann\nno address,Nobody\n';

async function control(method, path, document) {
  const answer = await fetch(`${BASE}/_test/${path}`, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: document && JSON.stringify(document),
  });
  const text = await answer.text();
  assert.ok(answer.ok, text);
  return text ? JSON.parse(text) : null;
}

async function calls(operation) {
  return (await control('GET', `calls?operation=${operation}`)).calls;
}

const connector = () => new Connector(`${BASE}/mmapi.asmx?WSDL`, 'demo', 'demo', { pause: 0 });

beforeEach(() => control('POST', 'reset'));

test('it waits until the upload is imported', async () => {
  await control('POST', 'transitions', { start: { after_polls: 1 }, end: { after_polls: 2 } });
  const seen = [];
  const result = await connector().upload(1, CSV, (status) => seen.push(status));
  assert.deepEqual(seen, [0, 1, 1, 2]);
  assert.deepEqual([result.total_records, result.good_records, result.new_added], [2, 1, 1]);
  assert.equal((await calls('uploadListQueue')).length, 1);
});

test('it polls again when the service is unavailable', async () => {
  await control('POST', 'faults', { operation: 'getUploadJobStatus', kind: 'status_503', times: 2 });
  assert.equal((await connector().upload(1, CSV)).good_records, 1);
  assert.equal((await calls('uploadListQueue')).length, 1);
});

test('it logs on again when the session has expired', async () => {
  await control('POST', 'faults', { operation: 'getUploadJobStatus', kind: 'expired_session' });
  assert.equal((await connector().upload(1, CSV)).good_records, 1);
  assert.equal((await calls('Authenticate')).length, 2);
});

test('it reports an upload that fails', async () => {
  await control('POST', 'transitions', { end: { after_polls: 1 }, outcome: 'failed', reason: 'disk full' });
  await assert.rejects(connector().upload(1, CSV), /ended with status 3/);
});
