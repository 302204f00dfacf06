/**
 * Keeps the certificate that the server shows, its key, and the authorities whose certificates clients must have.
 *
 * They are read again when their files change. If the new files do not fit together, the log says so, and the
 * certificate in use stays.
 */
import { X509Certificate } from 'node:crypto';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { messageOf, ServingError } from '../../errors.js';
import { readAtStart, WatchedFiles } from '../../files/watched-files.js';
import type { Logger } from '../../telemetry/logger.js';

export interface CertificateFiles {
  /** The file with the certificate and those of the authorities between it and the root, in PEM. */
  readonly tlsCert: string;
  /** The file with its private key, in PEM. */
  readonly tlsKey: string;
  /** The file with the authorities, in PEM. Without it, clients need no certificate. */
  readonly tlsClientCa: string | undefined;
}

export class Certificate {
  private readonly names: readonly string[];
  private readonly contents: readonly Buffer[];
  private watched: WatchedFiles | undefined;

  /** @throws ServingError FAILED_PRECONDITION naming the file that cannot be read, or why the files do not fit together */
  constructor(
    { tlsCert, tlsKey, tlsClientCa }: CertificateFiles,
    private readonly logger: Logger,
  ) {
    const ca = tlsClientCa === undefined ? [] : [['--tls-client-ca', tlsClientCa] as const];
    const files = [['--tls-cert', tlsCert] as const, ['--tls-key', tlsKey] as const, ...ca];
    this.names = files.map(([, file]) => file);
    this.contents = files.map(([flag, file]) => readAtStart(flag, file));
    this.tell(contextOf(this.contents), 'TLS');
  }

  /** The options with which Node's server begins. */
  get options(): SecureContextOptions {
    return contextOf(this.contents);
  }

  get asksClients(): boolean {
    return this.names.length > 2;
  }

  /** Makes a server show the certificate that the files hold from now on. Open connections keep theirs. */
  keepCurrent(server: Server): void {
    this.watched = new WatchedFiles(
      {
        files: this.names,
        changed: (contents) => {
          const context = contextOf(contents);
          server.setSecureContext(context);
          this.tell(context, 'TLS: the files have changed; new connections get this');
        },
        failed: (error) =>
          this.logger.error(`TLS: the certificate that was in use stays: ${messageOf(error)}`),
      },
      this.contents,
    );
  }

  /** Reads the files at once. */
  async reload(): Promise<void> {
    await this.watched?.look();
  }

  close(): void {
    this.watched?.close();
  }

  private tell({ cert }: SecureContextOptions, what: string): void {
    const { subject, subjectAltName, validTo } = new X509Certificate(cert as Buffer);
    const names = subjectAltName ?? subject.replaceAll('\n', ', ');
    this.logger.info(`${what}: certificate for ${names}, valid until ${validTo}`);
    if (Date.parse(validTo) < Date.now()) this.logger.warn('TLS: this certificate has expired');
  }
}

/** @throws ServingError FAILED_PRECONDITION if the parts do not fit together */
function contextOf([cert, key, ca]: readonly Buffer[]): SecureContextOptions {
  const options: SecureContextOptions = { cert, key, ca, minVersion: 'TLSv1.2' };
  refuseUnless('--tls-cert and --tls-key do not hold a certificate in PEM and its key', () =>
    createSecureContext({ ...options, ca: undefined }),
  );
  // OpenSSL itself ignores authorities that it cannot read.
  if (ca) refuseUnless('--tls-client-ca holds no certificate in PEM', () => new X509Certificate(ca));
  return options;
}

function refuseUnless(why: string, works: () => unknown): void {
  try {
    works();
  } catch (error) {
    throw new ServingError('FAILED_PRECONDITION', `${why}: ${messageOf(error)}`, { cause: error });
  }
}
