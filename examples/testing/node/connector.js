// A small connector: uploads a file to a MagnetMail group and waits until it is imported.

import { setTimeout as sleep } from 'node:timers/promises';
import soap from 'soap';

const NAMESPACE = 'http://www.magnetmail.net/';
const COMPLETED = 2;
// How often a poll is tried before the connector gives up.
const ATTEMPTS = 3;

export class Connector {
  constructor(wsdl, username, password, { pause = 5000 } = {}) {
    Object.assign(this, { wsdl, username, password, pause });
  }

  // Returns the counters of the finished import; `progress` is told each status that a poll brings.
  async upload(group, csv, progress = () => {}) {
    this.client = await soap.createClientAsync(this.wsdl);
    await this.#logOn();
    const [{ uploadListQueueResult: job }] = await this.client.uploadListQueueAsync({
      groupid: group,
      csvData: csv,
      replace_group: false,
      update_dups: true,
      header_line: true,
    });
    for (;;) {
      const result = await this.#poll(Number(job.jobid));
      progress(result.status);
      if (result.status === COMPLETED) return result;
      if (result.status > COMPLETED) throw new Error(`job ${job.jobid} ended with status ${result.status}`);
      await sleep(this.pause);
    }
  }

  async #logOn() {
    const { username, password } = this;
    this.client.clearSoapHeaders();
    const [{ AuthenticateResult: session }] = await this.client.AuthenticateAsync({ username, password });
    if (!session.authenticated) throw new Error('the logon was refused');
    const header = { sessionId: session.sessionId, user_id: session.user_id };
    this.client.addSoapHeader({ mmAuthHeader: header }, '', 'tns', NAMESPACE);
  }

  async #poll(job) {
    for (let attempt = 1; ; attempt++) {
      try {
        const [answer] = await this.client.getUploadJobStatusAsync({ jobid: job });
        return answer.getUploadJobStatusResult;
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
        // A fault that the service answered, in contrast to a broken connection or a page of a proxy.
        const fault = error.root?.Envelope?.Body?.Fault;
        if (!fault) await sleep(this.pause);
        else if (fault.faultstring.includes('InvalidSession')) await this.#logOn();
        else throw error;
      }
    }
  }
}
