/**
 * Requests byte for byte, as in h1spec, the tests of llhttp and studies of request smuggling. What RFC 9110 and 9112
 * allow is answered. Everything else is refused in the form of every error, and nothing after it is read.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpStatusOf, isErrorCode } from '../../src/errors.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;

beforeAll(async () => {
  repository = await TestRepository.create('identity');
  server = await TestServer.start({ args: ['--model-path', repository.root, '--settle', '0.1'] });
});

afterAll(async () => {
  await server?.stop();
  await repository?.remove();
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The answers in what came, as far as they are whole. */
function answersIn(text: string): Answer[] {
  const answers: Answer[] = [];
  for (let at = 0; at < text.length; ) {
    const head = text.indexOf('\r\n\r\n', at);
    if (head < 0) break;
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text.slice(at, head))?.[1]);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(at, head))?.[1] ?? 0);
    if (head + 4 + length > text.length) break;
    answers.push({ status, body: text.slice(head + 4, head + 4 + length) });
    at = head + 4 + length;
  }
  return answers;
}

/** @param count of the answers that are to come */
async function ask(
  request: string,
  count: number,
): Promise<{ answers: Answer[]; connection: RawConnection }> {
  const connection = await RawConnection.open(server.url);
  connection.send(Buffer.from(request, 'latin1'));
  await until(() => answersIn(connection.received).length >= count || connection.ended, 'an answer');
  return { answers: answersIn(connection.received), connection };
}

const lines = (...all: string[]) => [...all, '', ''].join('\r\n');
const get = (...headers: string[]) => lines('GET /health/live HTTP/1.1', 'Host: localhost', ...headers);
const body = '{"x": [1]}';
const post = (headers: readonly string[], content: string) =>
  lines('POST /infer HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', ...headers) + content;
const sized = (length: string) => post([`Content-Length: ${length}`], body);
const chunks = (text: string, ...headers: string[]) => post(['Transfer-Encoding: chunked', ...headers], text);
const coded = (coding: string, ...headers: string[]) =>
  post([`Transfer-Encoding: ${coding}`, ...headers], `a\r\n${body}\r\n0\r\n\r\n`);
const withHost = (host: string) => lines('GET /health/live HTTP/1.1', `Host: ${host}`);
const line = (first: string, ...headers: string[]) => lines(first, 'Host: localhost', ...headers);

/** With the statuses of all answers. */
const taken: readonly (readonly [what: string, request: string, statuses: readonly number[]])[] = [
  ['the least', get(), [200]],
  ['a length with a zero before', sized('010'), [200]],
  ['chunks', coded('chunked'), [200]],
  ['chunks in capitals', post(['Transfer-Encoding: Chunked'], `A\r\n${body}\r\n0\r\n\r\n`), [200]],
  ['a chunk whose size has zeros before', chunks(`0000a\r\n${body}\r\n0\r\n\r\n`), [200]],
  ['extensions of chunks', chunks(`a;b;c=d;e="f;g"\r\n${body}\r\n0\r\n\r\n`), [200]],
  ['fields behind the chunks', chunks(`a\r\n${body}\r\n0\r\nX: 1\r\n\r\n`, 'Trailer: X'), [200]],
  ['bytes of Latin-1 in a value', get('X: \xe9'), [200]],
  ['no space behind a colon, and tabs', get('X:a', 'Y:\t a \t'), [200]],
  ['3,000 headers', get(...new Array<string>(3000).fill('a:1')), [200]],
  ['empty lines before', `\r\n\r\n${get()}`, [200]],
  ['a whole address', line(`GET http://localhost/health/live HTTP/1.1`), [200]],
  [
    'a whole address with a query',
    line(
      'POST http://localhost/infer?signature=float32 HTTP/1.1',
      'Content-Type: application/json',
      'Content-Length: 10',
    ) + body,
    [200],
  ],
  ['HTTP/1.0 without Host', lines('GET /health/live HTTP/1.0'), [200]],
  ['a GET with a body', `${get('Content-Length: 3')}abc`, [200]],
  ['two requests at once', get() + get(), [200, 200]],
  ['a request behind a body', sized('10') + get(), [200, 200]],
  ['a wish to go on', post(['Content-Length: 10', 'Expect: 100-continue'], body), [100, 200]],
  ['an upgrade, which is not made', get('Connection: Upgrade', 'Upgrade: websocket'), [200]],
  [
    'an upgrade to HTTP/2, which is not made',
    get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'),
    [200],
  ],
];

/** Of each, the answer closes the connection: what follows may be anything. */
const unreadable: readonly (readonly [what: string, request: string])[] = [
  ['two lengths', post(['Content-Length: 10', 'Content-Length: 10'], body)],
  ['two different lengths', post(['Content-Length: 10', 'Content-Length: 11'], body)],
  ...[
    '10, 10',
    '+10',
    '-1',
    '0x0A',
    '1e1',
    '10 10',
    '',
    '1_0',
    '18446744073709551616',
    `1${'0'.repeat(30)}`,
  ].map((length) => [`the length ${JSON.stringify(length)}`, sized(length)] as const),
  ['a length and chunks', coded('chunked', 'Content-Length: 10')],
  [
    'chunks and a length',
    post(['Content-Length: 10', 'Transfer-Encoding: chunked'], `a\r\n${body}\r\n0\r\n\r\n`),
  ],
  ['chunks twice', coded('chunked', 'Transfer-Encoding: chunked')],
  ...['chunked, gzip', 'chunked, chunked', 'xchunked', '\x0bchunked', 'chunked;q=1', '"chunked"', ''].map(
    (coding) => [`the transfer coding ${JSON.stringify(coding)}`, coded(coding)] as const,
  ),
  ['identity as a transfer coding', post(['Transfer-Encoding: identity', 'Content-Length: 10'], body)],
  ['a space before the colon of it', post(['Transfer-Encoding : chunked'], `a\r\n${body}\r\n0\r\n\r\n`)],
  ...['0xa', '-1', '+a', 'g', '', 'a ', ' a', 'fffffffffffffffff', '9', 'a;b\nc'].map(
    (size) => [`the chunk size ${JSON.stringify(size)}`, chunks(`${size}\r\n${body}\r\n0\r\n\r\n`)] as const,
  ),
  ['a bare LF behind a chunk size', chunks(`a\n${body}\n0\n\n`)],
  ['a bare LF behind a chunk', chunks(`a\r\n${body}\n0\r\n\r\n`)],
  ['a bare CR behind a chunk size', chunks(`a\r${body}\r\n0\r\n\r\n`)],
  ['a body that no header announces', post([], body)],
  ['a folded line', get('X: a\r\n b')],
  ['a folded line with a tab', get('X: a\r\n\tb')],
  ['a first line that is folded', lines('GET /health/live HTTP/1.1', ' Host: localhost')],
  ['bare LFs', 'GET /health/live HTTP/1.1\nHost: localhost\n\n'],
  ['one bare LF', get('X: a\nY: b')],
  ['a bare CR in a value', get('X: a\rb')],
  ...['\0', '\x01', '\x7f'].map(
    (sign) => [`${JSON.stringify(sign)} in a value`, get(`X: a${sign}b`)] as const,
  ),
  ...['X\0', 'X ', '', 'X Y', 'X\xe9', '"X"', 'X(', 'X\t'].map(
    (name) => [`a header called ${JSON.stringify(name)}`, get(`${name}: a`)] as const,
  ),
  ['a header without a colon', get('X')],
  ['NUL in the path', line('GET /health/live\0 HTTP/1.1')],
  ['a space in the path', line('GET /health/ live HTTP/1.1')],
  ['a tab for a space', line('GET /health/live\tHTTP/1.1')],
  ['bytes of Latin-1 in the path', line('GET /models/\xe9 HTTP/1.1')],
  ['a path that begins with no slash', line('GET health/live HTTP/1.1')],
  ['no path', line('GET  HTTP/1.1')],
  ['a method that there is none of', line('FROB /health/live HTTP/1.1')],
  ['a method in small letters', line('get /health/live HTTP/1.1')],
  ...['HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/11', 'http/1.1', 'HTTP/1.1x', 'RTSP/1.0'].map(
    (version) => [`the version ${version}`, line(`GET /health/live ${version}`)] as const,
  ),
  ['HTTP/0.9 as it was', 'GET /health/live\r\n\r\n'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['the hello of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['a space before all', ` ${get()}`],
];

const refused: readonly (readonly [what: string, request: string, status: number])[] = [
  ['a body over the limit', sized('99999999999'), 413],
  ['extensions of a chunk without an end', chunks(`a;${'x'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`), 413],
  ['a compression as a transfer coding', coded('gzip, chunked'), 501],
  ['a long header', get(`X: ${'a'.repeat(20_000)}`), 431],
  ['a long path', line(`GET /${'a'.repeat(20_000)} HTTP/1.1`), 431],
  ['no Host', lines('GET /health/live HTTP/1.1'), 400],
  ['two Hosts', get('Host: localhost'), 400],
  ['a second Host behind 2,500 headers', get(...new Array<string>(2500).fill('a:1'), 'Host: localhost'), 400],
  ...['localhost, localhost', 'a@localhost', 'localhost/x', 'localhost:abc', 'local host', '[::1', '<>'].map(
    (host) => [`the Host ${host}`, withHost(host), 400] as const,
  ),
  ['a Host that is not ours', withHost('evil.example'), 403],
  ['a whole address that is not ours', line('GET http://evil.example/health/live HTTP/1.1'), 403],
  [
    'a whole address of ours with a Host that is not',
    lines('GET http://localhost/health/live HTTP/1.1', 'Host: evil.example'),
    403,
  ],
  ['a wish that there is none of', post(['Content-Length: 10', 'Expect: 200-ok'], body), 400],
  ['OPTIONS of everything', line('OPTIONS * HTTP/1.1'), 404],
  ['GET of everything', line('GET * HTTP/1.1'), 404],
  ['CONNECT', lines('CONNECT localhost:80 HTTP/1.1', 'Host: localhost:80'), 405],
  ['TRACE', line('TRACE /health/live HTTP/1.1'), 405],
  ['a path of another host', line('GET //evil.example/health/live HTTP/1.1'), 404],
  ...['%zz', '%ff', '%00', '..%2f..', '%2e%2e'].map(
    (name) => [`a model called ${name}`, line(`GET /models/${name} HTTP/1.1`), 404] as const,
  ),
];

function checkError({ status, body: text }: Answer): void {
  const { status: word, error } = JSON.parse(text);
  expect([word, isErrorCode(error.code)]).toEqual(['error', true]);
  expect(httpStatusOf[error.code as keyof typeof httpStatusOf]).toBe(status);
  expect(error.message).not.toBe('');
}

it.each(taken)('%s is answered', async (_, request, statuses) => {
  const { answers, connection } = await ask(request, statuses.length);
  connection.socket.destroy();
  expect(answers.map(({ status }) => status)).toEqual(statuses);
});

it.each(unreadable)('%s is refused, and ends the connection', async (_, request) => {
  const { answers, connection } = await ask(request + get(), 1);
  await until(() => connection.ended, 'the end of the connection');
  expect(answersIn(connection.received).map(({ status }) => status)).toEqual([400]);
  checkError(answers[0] as Answer);
});

it.each(refused)('%s is refused', async (_, request, status) => {
  const { answers, connection } = await ask(request, 1);
  connection.socket.destroy();
  expect(answers.map((answer) => answer.status)).toEqual([status]);
  checkError(answers[0] as Answer);
});

describe('a client that closes its side', () => {
  it.each([
    ['within the head', get().slice(0, -4), [400]],
    ['within the body', sized('20'), [400]],
    ['behind a request that is answered at once', get(), [200]],
  ])('%s', async (_, request, statuses) => {
    const connection = await RawConnection.open(server.url);
    connection.socket.end(Buffer.from(request, 'latin1'));
    await until(() => connection.ended, 'the end of the connection');
    expect(answersIn(connection.received).map(({ status }) => status)).toEqual(statuses);
  });
});

it('whatever was refused, the server answers the next', async () => {
  expect((await server.fetch('/health/live')).status).toBe(200);
  expect((await server.fetch('/infer', { method: 'POST', body })).status).toBe(415);
});
