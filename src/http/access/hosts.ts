/**
 * Knows the names of this server, which `Host` and `Origin` may have.
 *
 * A web page can make its own name point at 127.0.0.1 (DNS rebinding). The browser then takes its requests for requests
 * to its own origin. So a server that only this machine can reach, and that asks for no key, answers only to this
 * machine's names.
 */
import { isIP } from 'node:net';

export interface HostOptions {
  /** The address that the server listens on; undefined for one without a port of its own. */
  readonly listensOn: string | undefined;
  readonly hasKeys: boolean;
  /** More names that it answers to. `*` means any. */
  readonly allowed: readonly string[];
}

export class Hosts {
  private readonly allowed: ReadonlySet<string>;
  private readonly takesAny: boolean;
  /** Values of `Host` that were checked and found right. Clients send the same ones again and again. */
  private readonly known = new Set<string>();

  constructor({ listensOn, hasKeys, allowed }: HostOptions) {
    this.allowed = new Set(allowed.map((name) => nameOf(name)));
    this.takesAny =
      hasKeys || listensOn === undefined || !isLoopback(nameOf(listensOn)) || allowed.includes('*');
  }

  /** True if a request with this `Host` may be answered. HTTP/1.0 may have none. */
  answersTo(host: string | undefined): boolean {
    if (host === undefined || this.known.has(host)) return true;
    if (!isHost(host) || !(this.takesAny || this.isOwn(nameOf(host)))) return false;
    if (this.known.size < mostKnown) this.known.add(host);
    return true;
  }

  /** True for a name of this machine, and for an allowed name. */
  isOwn(name: string): boolean {
    return isLoopback(name) || this.allowed.has(name);
  }
}

const mostKnown = 64;

/**
 * True for a name or an address, with or without a port (RFC 9110, section 7.2, and RFC 3986, section 3.2.2). It may be
 * empty.
 */
export function isHost(text: string): boolean {
  return text.length <= longestHost && /^(?:\[[\w.:%]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/.test(text);
}

/** The longest name in the DNS, with room for a port. */
const longestHost = 300;

/** `LOCALHOST:50000` becomes `localhost`, and `[::1]:50000` becomes `::1`. */
export function nameOf(host: string): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host.toLowerCase()) ?? [];
  if (isIP(host) === 6) return host.toLowerCase();
  return bracketed ?? plain.replace(/\.$/, '');
}

/** @param name is in the form that {@link nameOf} returns */
export function isLoopback(name: string): boolean {
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d+){3}$/.test(name)
  );
}
