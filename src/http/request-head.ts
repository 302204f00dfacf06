/**
 * Heads that are refused whatever they ask for.
 */
import type { IncomingMessage } from 'node:http';
import { invalidArgument, quoted, ServingError } from '../errors.js';
import { type Hosts, nameOf } from './hosts.js';

/** True if {@link checkHead} has nothing against it. */
export function isPlainHead(req: IncomingMessage, hosts: Hosts): boolean {
  const { headers } = req;
  return headers['transfer-encoding'] === undefined && hasOneHost(req) && hosts.answersTo(headers.host);
}

/**
 * @throws ServingError INVALID_ARGUMENT for none or several `Host`s (RFC 9112, section 3.2), UNIMPLEMENTED for a transfer coding
 * besides `chunked` (section 6.1), PERMISSION_DENIED for a host that is not this server's
 */
export function checkHead(req: IncomingMessage, hosts: Hosts): void {
  const { headers, httpVersion } = req;
  if (!hasOneHost(req)) throw invalidArgument('expected one Host header, got several');
  if (headers.host === undefined && httpVersion === '1.1')
    throw invalidArgument('expected a Host header, got none');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    throw new ServingError(
      'UNIMPLEMENTED',
      `expected the transfer coding \`chunked\`, got ${quoted(coding)}: say a compression as Content-Encoding`,
    );
  if (!hosts.answersTo(headers.host))
    throw new ServingError(
      'PERMISSION_DENIED',
      `expected a Host of this machine, such as \`localhost\`, got ${quoted(headers.host ?? '')}: a server on loopback without API keys takes another name only by --allow-host ${nameOf(headers.host ?? '')}`,
    );
}

/** Node keeps the first of several. */
function hasOneHost({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts <= 1;
}
