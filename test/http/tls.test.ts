/**
 * TLS: what clients must show, and certificates that are replaced while the server runs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Certificates, type Pair } from '../fixtures/certificates.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [1, 2]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x82, 0x01, 0x02);

let repository: TestRepository;
let certificates: Certificates;
let server: TestServer | undefined;

beforeAll(async () => {
  repository = await TestRepository.create('versioned');
});

afterAll(() => repository.remove());

afterEach(async () => {
  await server?.stop('SIGKILL');
  certificates.remove();
});

function flags(): string[] {
  return [
    '--model-path',
    repository.root,
    '--tls-cert',
    certificates.certFile,
    '--tls-key',
    certificates.keyFile,
  ];
}

async function start(...args: string[]): Promise<TestServer> {
  certificates = new Certificates();
  server = await TestServer.start({ args: [...flags(), ...args] });
  return server;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One prediction. @param agent holds what the client trusts and shows */
function infer(agent: Agent): Promise<Answer> {
  const headers = { 'content-type': 'application/cbor', accept: 'application/json' };
  return new Promise((resolve, reject) => {
    const asked = request(`${server?.url}/infer`, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

function client(shown?: Pair): Agent {
  return new Agent({ ca: certificates.authorityCert, keepAlive: true, ...shown });
}

/** The serial number of the certificate that a new connection is shown. */
async function serial(): Promise<string> {
  const { hostname, port } = new URL(server?.url ?? '');
  const socket = connect({ host: hostname, port: Number(port), ca: certificates.authorityCert });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

/** How a handshake ends: the version that both agreed on, or the reason. */
async function handshake(version: SecureVersion): Promise<string | null> {
  const { hostname, port } = new URL(server?.url ?? '');
  const versions = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
  const socket: TLSSocket = connect({
    ...{ host: hostname, port: Number(port), ca: certificates.authorityCert },
    ...versions,
  });
  try {
    await once(socket, 'secureConnect');
    return socket.getProtocol();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

describe('a server with a certificate', () => {
  it('answers predictions over TLS, and says https in its log', async () => {
    const { url, log } = await start();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(log).toMatch(/TLS: certificate for DNS:localhost, IP Address:127\.0\.0\.1, valid until/);
    const agent = client();
    const { status, text } = await infer(agent);
    agent.destroy();
    expect([status, JSON.parse(text).outputs.y]).toEqual([200, [2, 3]]);
    expect(await server?.stop()).toBe(0);
  });

  it('takes TLS 1.2 and 1.3, and nothing older', async () => {
    await start();
    expect(await handshake('TLSv1.3')).toBe('TLSv1.3');
    expect(await handshake('TLSv1.2')).toBe('TLSv1.2');
    expect(await handshake('TLSv1.1')).toMatch(/PROTOCOL_VERSION|ECONNRESET/);
  });

  it('is what OpenSSL verifies by name and chain', async () => {
    const { url } = await start();
    const asked = [
      '-connect',
      new URL(url).host,
      '-servername',
      'localhost',
      '-verify_hostname',
      'localhost',
    ];
    const { stdout } = spawnSync('openssl', ['s_client', ...asked, '-CAfile', certificates.authorityFile], {
      input: '',
      encoding: 'utf8',
    });
    expect(stdout).toContain('Verify return code: 0 (ok)');
  });

  it('goes on serving after plain HTTP, noise and connections that say nothing', async () => {
    const { url } = await start();
    const plain = url.replace('https', 'http');
    await expect(fetch(`${plain}/health/live`)).rejects.toThrow();
    const { host } = new URL(url);
    const [name = '', port = ''] = host.split(':');
    for (const noise of ['', '\\x16\\x03\\x01\\x02\\x00\\x01', 'GET / HTTP/1.1\\r\\n\\r\\n'])
      execFileSync('bash', ['-c', `exec 3<>/dev/tcp/${name}/${port}; printf '${noise}' >&3; exec 3>&-`]);
    const agent = client();
    expect((await infer(agent)).status).toBe(200);
    agent.destroy();
  });
});

describe('certificates that are replaced', () => {
  it('are shown to new connections, and no request fails meanwhile', async () => {
    await start();
    let isOver = false;
    const failures: string[] = [];
    let answered = 0;
    // One client keeps its connections, the other opens one for each request.
    const clients = [true, false].map(async (keepAlive) => {
      const agent = new Agent({ ca: certificates.authorityCert, keepAlive });
      while (!isOver) {
        const { status } = await infer(agent).catch((error: unknown) => ({ status: String(error) }));
        if (status === 200) answered += 1;
        else failures.push(String(status));
      }
      agent.destroy();
    });
    for (let round = 0; round < 5; round++) {
      const before = await serial();
      certificates.mount(certificates.issue('localhost'));
      server?.child.kill('SIGHUP');
      await until(async () => (await serial()) !== before, 'the new certificate');
    }
    isOver = true;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(10);
  });

  it('are noticed without a signal', async () => {
    await start();
    const before = await serial();
    certificates.mount(certificates.issue('localhost'));
    await until(async () => (await serial()) !== before, 'the new certificate');
  });

  it('stay if the new files do not fit together, which is told once', async () => {
    await start();
    const before = await serial();
    const [one, other] = [certificates.issue('localhost'), certificates.issue('localhost')];
    certificates.mount({ cert: one.cert, key: other.key });
    server?.child.kill('SIGHUP');
    await until(() => server?.log.includes('the certificate that was in use stays'), 'the refusal');
    server?.child.kill('SIGHUP');
    expect(await serial()).toBe(before);
    certificates.mount(other);
    server?.child.kill('SIGHUP');
    await until(async () => (await serial()) !== before, 'the next certificate');
    expect(server?.log.match(/the certificate that was in use stays/g)).toHaveLength(1);
  });
});

describe('a server that asks clients for certificates', () => {
  it('takes those of its authority, and nobody else', async () => {
    certificates = new Certificates();
    server = await TestServer.start({ args: [...flags(), '--tls-client-ca', certificates.authorityFile] });
    const known = client(certificates.issue('client'));
    expect((await infer(known)).status).toBe(200);
    known.destroy();
    for (const shown of [undefined, certificates.selfSigned('stranger')]) {
      const agent = client(shown);
      await expect(infer(agent)).rejects.toThrow(
        /certificate required|unknown ca|handshake|ECONNRESET|hang up/i,
      );
      agent.destroy();
    }
  });
});

describe('the start is refused', () => {
  it.each([
    [
      'a certificate without its key',
      () => ['--tls-cert', certificates.certFile],
      /^--tls-cert needs --tls-key/,
    ],
    [
      'a key without its certificate',
      () => ['--tls-key', certificates.keyFile],
      /^--tls-key needs --tls-cert/,
    ],
    [
      'authorities without a certificate',
      () => ['--tls-client-ca', certificates.authorityFile],
      /^--tls-client-ca needs --tls-cert/,
    ],
    [
      'a file that is not there',
      () => ['--tls-cert', '/nowhere.crt', '--tls-key', certificates.keyFile],
      /^--tls-cert cannot be read: ENOENT/,
    ],
    [
      'a key in place of the certificate',
      () => ['--tls-cert', certificates.keyFile, '--tls-key', certificates.keyFile],
      /^--tls-cert and --tls-key do not hold a certificate in PEM and its key/,
    ],
    [
      'authorities that are none',
      () => [...flags().slice(2), '--tls-client-ca', certificates.keyFile],
      /^--tls-client-ca holds no certificate in PEM/,
    ],
  ])('for %s', async (_, args, message) => {
    certificates = new Certificates();
    const { code, output } = await runProgram([
      'serve',
      '--port',
      '0',
      '--model-path',
      repository.root,
      ...args(),
    ]);
    expect(output.trim().split('\n').at(-1)?.replace('tfjs-serving: ', '')).toMatch(message);
    expect(code).not.toBe(0);
  });
});
