// The package `smtp-server` of Node.js with its defaults, run by ../mail_servers.py: smtp_server.mjs PORT LOG USER,…
//
// It asks for a login, which its defaults do, and takes any. Known are the users that are given. `full` in front of a
// number has no room, and `later` is refused once. Each reply about a recipient is a line of JSON in the log.

import { appendFileSync } from 'node:fs';
import { SMTPServer } from 'smtp-server';

const [port, log, users] = process.argv.slice(2);
const known = new Set(users.split(','));
const seen = new Set();

function refusal(code, text) {
  return Object.assign(new Error(text), { responseCode: code });
}

function note(to, reply, id = '') {
  appendFileSync(log, `${JSON.stringify({ to, reply, id })}\n`);
}

const server = new SMTPServer({
  onAuth: (auth, session, callback) => callback(null, { user: auth.username }),
  onRcptTo({ address }, session, callback) {
    const [user] = address.split('@');
    let error = null;
    if (/^later\d+$/.test(user) && !seen.has(user)) error = refusal(451, '4.7.1 Come back later');
    else if (!known.has(user) && !/^(full|later)\d+$/.test(user)) error = refusal(550, '5.1.1 No such user');
    seen.add(user);
    if (error) note(address, `${error.responseCode} ${error.message}`);
    callback(error);
  },
  onData(stream, session, callback) {
    const parts = [];
    stream.on('data', (part) => parts.push(part));
    stream.on('end', () => {
      const [{ address }] = session.envelope.rcptTo;
      const id = /^Message-ID: (\S+)/im.exec(Buffer.concat(parts).toString())[1];
      const error = address.startsWith('full') ? refusal(552, '5.2.2 The mailbox is full') : null;
      note(address, error ? `${error.responseCode} ${error.message}` : '250 OK: message queued', id);
      callback(error);
    });
  },
});
server.on('error', (error) => process.stderr.write(`${error}\n`));
server.listen(Number(port), '127.0.0.1');
