/** Refuses heads that are wrong, whatever they ask for. */
import type { IncomingMessage } from 'node:http';
import { invalidArgument, quoted, ServingError } from '../../errors.js';
import { type Hosts, isHost, nameOf } from '../access/hosts.js';

/** True for a common head, which {@link checkHead} would accept. */
export function needsNoCheck(req: IncomingMessage, hosts: Hosts): boolean {
  const { headers } = req;
  return (
    req.httpVersionMajor === 1 &&
    req.url?.startsWith('/') === true &&
    headers['transfer-encoding'] === undefined &&
    headers.expect === undefined &&
    // Which pages may ask is checked behind Koa.
    headers.origin === undefined &&
    hasOneHost(req) &&
    hosts.answersTo(headers.host)
  );
}

/**
 * @throws ServingError INVALID_ARGUMENT for a version other than HTTP/1, for no, several or damaged `Host` headers (RFC
 * 9112, section 3.2) and for an unknown expectation, UNIMPLEMENTED for a transfer coding other than `chunked` (section
 * 6.1), PERMISSION_DENIED for a host that is not this server's
 */
export function checkHead(req: IncomingMessage, hosts: Hosts): void {
  const { headers, httpVersion, url = '' } = req;
  if (req.httpVersionMajor !== 1) throw invalidArgument(`expected HTTP/1.1, got HTTP/${httpVersion}`);
  if (!hasOneHost(req)) throw invalidArgument('expected one Host header, got several');
  if (headers.host === undefined && httpVersion === '1.1')
    throw invalidArgument('expected a Host header, got none');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    throw new ServingError(
      'UNIMPLEMENTED',
      `expected the transfer coding \`chunked\`, got ${quoted(coding)}: say a compression as Content-Encoding`,
    );
  const { expect } = headers;
  if (expect !== undefined && expect.trim().toLowerCase() !== '100-continue')
    throw invalidArgument(`expected \`Expect: 100-continue\` or none, got ${quoted(expect)}`);
  checkHost(headers.host, hosts);
  // A request to a proxy has a whole address, which takes precedence over Host.
  if (!url.startsWith('/')) checkHost(authorityOf(url), hosts);
}

function checkHost(host: string | undefined, hosts: Hosts): void {
  if (hosts.answersTo(host)) return;
  // What stands before it is a name and a password.
  const text = host?.includes('@') ? 'one with an `@`' : quoted(host ?? '');
  if (!isHost(host ?? '')) throw invalidArgument(`expected a name and a port as Host, got ${text}`);
  throw new ServingError(
    'PERMISSION_DENIED',
    `expected a Host of this machine, such as \`localhost\`, got ${text}: a server on loopback without API keys takes another name only by --allow-host ${nameOf(host ?? '')}`,
  );
}

/** `http://localhost:50000/infer` becomes `localhost:50000`. It is undefined for `*`. */
function authorityOf(url: string): string | undefined {
  return /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1];
}

/** True if there is one Host header. Node keeps only the first of several, so this reads the raw headers. */
function hasOneHost({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts <= 1;
}
