/**
 * Bodies as clients and attackers send them. They are bounded before they are read, refused so that the client can read
 * the refusal, and leave nothing behind.
 */
import { execFile, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, map, text } from '../fixtures/cbor.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { type Answer, TestServer } from '../fixtures/server.ts';
import { postHead, RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

const run = promisify(execFile);

/** CBOR `{"x": [1]}` and its answer. */
const body = Buffer.from('a161788101', 'hex');
const answered = { status: 200, body: expect.objectContaining({ outputs: { version_offset: 1, y: [2] } }) };

const maxBody = 256 * 1024;
let repository: TestRepository;
let server: TestServer;

beforeAll(async () => {
  repository = await TestRepository.create('versioned', 'slow', 'identity');
  server = await TestServer.start({
    args: [
      ...['--model-path', repository.root, '--default-model', 'versioned', '--body-timeout', '1'],
      ...['--max-body-bytes', `${maxBody}`, '--max-inflight-bytes', `${4 * maxBody}`],
    ],
  });
});

afterAll(async () => {
  await server.stop();
  await repository.remove();
});

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-s', '-w', '\n%{http_code}', ...args], { encoding: 'utf8' });
  return stdout;
}

describe('a body', () => {
  it('of known length, in pieces of one byte each', async () => {
    const connection = await RawConnection.open(server.url);
    connection.send(postHead('/infer', `Content-Length: ${body.length}`));
    for (const byte of body) {
      connection.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => connection.statuses.length > 0, 'an answer');
    expect(connection.received).toContain('"y":[2.0]');
    connection.socket.destroy();
  });

  it('in chunks of unknown number', async () => {
    const response = await fetch(`${server.url}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/cbor', accept: 'application/json' },
      body: new ReadableStream({
        start(controller) {
          for (const byte of body) controller.enqueue(Uint8Array.of(byte));
          controller.close();
        },
      }),
      duplex: 'half',
    } as RequestInit);
    expect({ status: response.status, body: await response.json() }).toEqual(answered);
    await server.nothingIsLeft();
  });

  it('from curl that asks first (Expect: 100-continue)', async () => {
    const file = repository.path('.body.cbor');
    await writeFile(file, body);
    const output = await curl(
      '-H',
      'Expect: 100-continue',
      '-H',
      'content-type: application/cbor',
      '-H',
      'accept: application/json',
      '--data-binary',
      `@${file}`,
      `${server.url}/infer`,
    );
    expect(output).toMatch(/"y":\[2\.0\][\s\S]*\n200$/);
  });

  it('two requests sent at once on one connection are answered in order', async () => {
    const connection = await RawConnection.open(server.url);
    const one = Buffer.concat([Buffer.from(postHead('/infer', `Content-Length: ${body.length}`)), body]);
    connection.send(
      Buffer.concat([
        one,
        Buffer.from(postHead('/models/nothing/infer', `Content-Length: ${body.length}`)),
        body,
        one,
      ]),
    );
    await until(() => connection.statuses.length === 3 || connection.ended, 'three answers');
    expect(connection.statuses).toEqual([200, 404, 200]);
    connection.socket.destroy();
  });
});

describe('too large', () => {
  const tooLarge = {
    code: 'PAYLOAD_TOO_LARGE',
    message: `the body is larger than ${maxBody} bytes (--max-body-bytes)`,
  };

  it('announced: refused before it is read, and the client reads the answer', async () => {
    const big = Buffer.alloc(maxBody + 1);
    const { status, body: answer } = await server.infer('/infer', big);
    expect([status, answer.error]).toEqual([413, tooLarge]);
  });

  it('in chunks: refused once it is, and the client reads the answer', async () => {
    const response = await fetch(`${server.url}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/cbor', accept: 'application/json' },
      body: new ReadableStream({
        start(controller) {
          for (let i = 0; i < 8; i++) controller.enqueue(new Uint8Array(maxBody / 4));
          controller.close();
        },
      }),
      duplex: 'half',
    } as RequestInit);
    expect([response.status, ((await response.json()) as Answer['body']).error]).toEqual([413, tooLarge]);
  });

  it.each([
    [['-H', 'Expect: 100-continue']],
    [['-H', 'Expect:']],
    [['-H', 'Expect:', '-H', 'Transfer-Encoding: chunked']],
  ])('from curl %j: 413 and the reason, not a broken connection', async (flags) => {
    const file = repository.path('.big');
    await writeFile(file, Buffer.alloc(8 * maxBody));
    const output = await curl(
      ...flags,
      '-H',
      'content-type: application/cbor',
      '-H',
      'accept: application/json',
      '--data-binary',
      `@${file}`,
      `${server.url}/infer`,
    );
    expect(output).toMatch(/PAYLOAD_TOO_LARGE[\s\S]*\n413$/);
  });

  it('from Python: 413 and the reason', () => {
    const script = `
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[1])
connection.request('POST', '/infer', b'x' * ${4 * maxBody}, {'content-type': 'application/cbor', 'accept': 'application/json'})
response = connection.getresponse()
print(response.status, json.loads(response.read())['error']['code'])`;
    const output = execFileSync('python3', ['-c', script, new URL(server.url).host], { encoding: 'utf8' });
    expect(output.trim()).toBe('413 PAYLOAD_TOO_LARGE');
  });

  it('without end: the connection is closed after a while of it', async () => {
    const connection = await RawConnection.open(server.url);
    connection.send(postHead('/infer', 'Content-Length: 99999999999'));
    await until(() => connection.statuses[0] === 413, 'the answer');
    const chunk = Buffer.alloc(64 * 1024);
    await until(() => {
      connection.send(chunk);
      return connection.ended;
    }, 'the connection to be closed');
  });
});

describe('of the wrong kind', () => {
  it('compressed in a way that is not known: 415', async () => {
    const { status, body: answer } = await server.infer('/infer', body, { 'content-encoding': 'br' });
    expect([status, answer.error.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    expect(answer.error.message).toMatch(/^expected content-encoding gzip, deflate.* or none, got `br`/);
  });

  it('another type: 415, with a line that works when it is pasted', async () => {
    const output = await curl('-d', 'x=1', `${server.url}/infer`);
    expect(output).toMatch(/\n415$/);
    const { message, example } = JSON.parse(output.replace(/\n415$/, '')).error;
    expect(message).toMatch(/^expected JSON, got a form of the type `application\/x-www-form-urlencoded`/);
    const pasted = execFileSync('bash', ['-c', `${example} -s -o /dev/null -w '%{http_code}'`], {
      encoding: 'utf8',
    });
    expect(pasted).toBe('200');
  });

  it.each(['application/octet-stream', 'application/cbor', 'application/x-www-form-urlencoded'])(
    'a pickle sent as %s is named as one',
    async (type) => {
      const pickle = execFileSync('python3', [
        '-c',
        "import pickle, sys; sys.stdout.buffer.write(pickle.dumps({'state': [1.0]}, protocol=5))",
      ]);
      const { status, body: answer } = await server.infer('/infer', pickle, { 'content-type': type });
      expect(status).toBe(type === 'application/cbor' ? 400 : 415);
      expect(answer.error.message).toMatch(/^the body is a Python pickle, which this server never decodes/);
    },
  );

  it('empty: 400', async () => {
    expect((await server.infer('/infer', new Uint8Array())).body.error.message).toBe(
      'the body is empty: send a CBOR map from input names to tensors',
    );
  });
});

describe('slow, broken off, too many', () => {
  it('one that does not arrive in time: 408, and the connection is closed', async () => {
    const connection = await RawConnection.open(server.url);
    connection.send(`${postHead('/infer', 'Content-Length: 100')}abc`);
    await until(() => connection.ended, 'the connection to be closed');
    expect(connection.statuses).toEqual([408]);
    expect(connection.received).toContain('REQUEST_TIMEOUT');
    await server.nothingIsLeft();
  });

  it('a client that goes away while it sends leaves nothing', async () => {
    for (let i = 0; i < 20; i++) {
      const connection = await RawConnection.open(server.url);
      connection.send(`${postHead('/infer', 'Content-Length: 100000')}abc`);
      await new Promise((resolve) => setImmediate(resolve));
      connection.socket.destroy();
    }
    await server.nothingIsLeft();
  });

  it('a client that goes away while it waits leaves nothing once the run has ended', async () => {
    const steps = Buffer.from('a2617881016573746570731a00001000', 'hex');
    for (let i = 0; i < 5; i++) {
      const connection = await RawConnection.open(server.url);
      connection.send(
        Buffer.concat([
          Buffer.from(postHead('/models/slow/infer', `Content-Length: ${steps.length}`)),
          steps,
        ]),
      );
      await until(
        async () => ((await server.metric('tfjs_serving_native{kind="runsInFlight"}')) ?? 0) > 0,
        'the run to begin',
      );
      connection.socket.destroy();
    }
    await server.nothingIsLeft();
    await until(
      async () => (await server.metric('tfjs_serving_native{kind="runsInFlight"}')) === 0,
      'the runs to end',
    );
  });

  it('more bytes than the process may hold: 503 before they are read, with Retry-After, and room again afterwards', async () => {
    const holders = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(server.url)));
    for (const holder of holders) holder.send(postHead('/infer', `Content-Length: ${maxBody}`));
    await until(
      async () => (await server.metric('tfjs_serving_inflight_bytes')) === 4 * maxBody,
      'the budget to be spent',
    );
    const response = await server.fetch('/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/cbor', accept: 'application/json' },
      body,
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(((await response.json()) as Answer['body']).error.code).toBe('UNAVAILABLE');
    for (const holder of holders) holder.socket.destroy();
    await server.nothingIsLeft();
    expect(await server.infer('/infer', body)).toEqual(answered);
  });

  it('a thousand bad requests leave nothing, and the connection can be used on', async () => {
    const bad = [
      body.subarray(0, 3),
      Buffer.from('a1617801', 'hex'),
      Buffer.from('a1617882' + '8101' + '810201', 'hex'),
      Buffer.from('a0', 'hex'),
    ];
    const statuses = new Set<number>();
    for (let i = 0; i < 1000; i++)
      statuses.add((await server.infer('/infer', bad[i % bad.length] as Buffer)).status);
    expect([...statuses].sort()).toEqual([200, 400]);
    await server.nothingIsLeft();
    expect(await server.infer('/infer', body)).toEqual(answered);
  });
});

describe('the memory of bodies', () => {
  /** What `identity` gives back as it came. */
  const image = (seed: number) => Uint8Array.from({ length: 100_000 }, (_, i) => (i * seed + (i >> 8)) % 251);

  const bodyOf = (values: Uint8Array) =>
    map({ signature: text('uint8'), inputs: map({ x: array([values.length], 64, values) }) });

  it.each([
    ['the fast entrance', 'application/cbor'],
    ['the general way', 'application/cbor, text/plain;q=0.1'],
  ])('is used again, and nobody reads what is another’s, by %s', async (_, accept) => {
    for (let round = 0; round < 10; round++) {
      const sent = await Promise.all(
        Array.from({ length: 8 }, async (_each, client) => {
          const values = image(8 * round + client + 1);
          const body = bodyOf(values);
          const connection = await RawConnection.open(server.url);
          const head = [
            'POST /models/identity/infer HTTP/1.1',
            'Host: localhost',
            'Content-Type: application/cbor',
          ];
          const more = [`Accept: ${accept}`, `Content-Length: ${body.length}`, 'Connection: close', '', ''];
          connection.send([...head, ...more].join('\r\n'));
          connection.send(body.subarray(0, 70_000));
          return { values, body, connection, goesAway: (round + client) % 4 === 0 };
        }),
      );
      // All of them are being read now.
      await until(
        async () => (await server.metric('tfjs_serving_inflight_bytes')) === 8 * (sent[0]?.body.length ?? 0),
        'eight bodies under way',
      );
      for (const { connection, body, goesAway } of sent) {
        if (goesAway) connection.socket.destroy();
        else connection.send(body.subarray(70_000));
      }
      for (const { connection, values, goesAway } of sent) {
        await until(() => connection.ended, 'the answer');
        if (goesAway) continue;
        expect(connection.statuses).toEqual([200]);
        expect(connection.received.includes(Buffer.from(values).toString('latin1'))).toBe(true);
      }
    }
    await server.nothingIsLeft();
  });
});
