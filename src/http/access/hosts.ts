/**
 * Which names this server is called by: what `Host` and `Origin` may say.
 *
 * A page on the web can have its own name point at 127.0.0.1 (DNS rebinding), and its requests are then no foreign ones for the
 * browser. So a server that only this machine can reach, and that asks for no key, answers to this machine's names alone.
 */
import { isIP } from 'node:net';

export interface HostOptions {
  /** What the server listens on; undefined for one without a port of its own. */
  readonly listensOn: string | undefined;
  readonly hasKeys: boolean;
  /** More names that it answers to, `*` for any. */
  readonly allowed: readonly string[];
}

export class Hosts {
  private readonly allowed: ReadonlySet<string>;
  private readonly takesAny: boolean;
  /** Heads that were found to be right: clients send the same ones again and again. */
  private readonly known = new Set<string>();

  constructor({ listensOn, hasKeys, allowed }: HostOptions) {
    this.allowed = new Set(allowed.map((name) => nameOf(name)));
    this.takesAny =
      hasKeys || listensOn === undefined || !isLoopback(nameOf(listensOn)) || allowed.includes('*');
  }

  /** Whether to answer a request with this `Host`. HTTP/1.0 may have none. */
  answersTo(host: string | undefined): boolean {
    if (host === undefined || this.known.has(host)) return true;
    if (!isHost(host) || !(this.takesAny || this.isOwn(nameOf(host)))) return false;
    if (this.known.size < mostKnown) this.known.add(host);
    return true;
  }

  /** Whether a name is this machine's, or was allowed. */
  isOwn(name: string): boolean {
    return isLoopback(name) || this.allowed.has(name);
  }
}

const mostKnown = 64;

/** True for a name or an address, with a port or without: RFC 9110, section 7.2, and RFC 3986, section 3.2.2. It may be empty. */
export function isHost(text: string): boolean {
  return text.length <= longestHost && /^(?:\[[\w.:%]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/.test(text);
}

/** Of names in the DNS, with room for a port. */
const longestHost = 300;

/** `LOCALHOST:50000` → `localhost`, `[::1]:50000` → `::1` */
export function nameOf(host: string): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host.toLowerCase()) ?? [];
  if (isIP(host) === 6) return host.toLowerCase();
  return bracketed ?? plain.replace(/\.$/, '');
}

/** @param name as {@link nameOf} gives it */
export function isLoopback(name: string): boolean {
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d+){3}$/.test(name)
  );
}
