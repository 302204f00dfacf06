/**
 * Bodies of the Open Inference Protocol that are small for what they ask for: JSON alone, or with binary tensors behind it.
 * Each is for `/v2/models/identity/infer`.
 */

export interface OipBody {
  readonly name: string;
  readonly make: () => Sent;
  /** So many are sent at once. */
  readonly times?: number;
  readonly statuses: readonly number[];
}

interface Sent {
  readonly body: Uint8Array;
  /** What the header says that the JSON has; undefined without the header. */
  readonly jsonLength?: number;
}

const parameters = '"parameters":{"signature":"string","binary_data_output":true}';

function json(text: string): Sent {
  return { body: Buffer.from(text) };
}

/** One input of strings, with its data as JSON has it. */
function texts(shape: string, data: string): Sent {
  return json(
    `{"inputs":[{"name":"x","datatype":"BYTES","shape":${shape},"data":${data}}],"parameters":{"signature":"string"}}`,
  );
}

/** One input of strings behind the JSON: each its length in 4 little-endian bytes, and its bytes. */
function framed(count: number, strings: Uint8Array): Required<Sent> {
  const input = `{"name":"x","datatype":"BYTES","shape":[${count}],"parameters":{"binary_data_size":${strings.length}}}`;
  const head = Buffer.from(`{"inputs":[${input}],${parameters}}`);
  return { body: Buffer.concat([head, strings]), jsonLength: head.length };
}

function longString(bytes: number): Uint8Array {
  const string = Buffer.alloc(4 + bytes, 'a');
  string.writeUInt32LE(bytes);
  return string;
}

/** Names that differ in their first characters. */
const longNames = (count: number) => Array.from({ length: count }, (_, i) => String(i).padEnd(4000, 'n'));

export const oipBodies: readonly OipBody[] = [
  {
    name: '4,000 inputs with names of 4,000 characters',
    make: () => {
      const inputs = longNames(4000).map(
        (name) => `{"name":"${name}","datatype":"FP32","shape":[1],"data":[0]}`,
      );
      return json(`{"inputs":[${inputs}]}`);
    },
    statuses: [400],
  },
  {
    name: '4,000 outputs asked for by names of 4,000 characters',
    make: () => {
      const x = '{"name":"x","datatype":"FP32","shape":[1],"data":[0]}';
      return json(`{"inputs":[${x}],"outputs":[${longNames(4000).map((name) => `{"name":"${name}"}`)}]}`);
    },
    statuses: [400],
  },
  {
    name: '131,072 strings of 480 bytes behind the JSON',
    make: () => {
      const strings = Buffer.alloc(131_072 * 484, 'a');
      for (let at = 0; at < strings.length; at += 484) strings.writeUInt32LE(480, at);
      return framed(131_072, strings);
    },
    statuses: [200],
  },
  {
    name: 'a string of 60 MiB behind the JSON, three at once',
    make: () => framed(1, longString(60 * 2 ** 20)),
    times: 3,
    statuses: [200],
  },
  {
    name: 'an id of 60 MiB that is not ASCII',
    make: () => json(`{"id":"${'é'.repeat(30 * 2 ** 20)}","inputs":[]}`),
    statuses: [400],
  },
  {
    name: '500,000 inputs',
    make: () => json(`{"inputs":[${'{},'.repeat(499_999)}{}]}`),
    statuses: [400],
  },
  {
    name: '500,000 outputs asked for',
    make: () => json(`{"inputs":[],"outputs":[${'{"name":"y"},'.repeat(499_999)}{}]}`),
    statuses: [400],
  },
  {
    name: 'an id of 60 MiB',
    make: () => json(`{"id":"${'7'.repeat(60 * 2 ** 20)}","inputs":[]}`),
    statuses: [400],
  },
  {
    name: 'a shape of two million dims',
    make: () => texts(`[${'1,'.repeat(1_999_999)}1]`, '["a"]'),
    statuses: [400],
  },
  {
    name: 'a text of 60 MiB',
    make: () => texts('[1]', `["${'a'.repeat(60 * 2 ** 20)}"]`),
    statuses: [200],
  },
  {
    name: 'a string of 60 MiB behind the JSON',
    make: () => framed(1, longString(60 * 2 ** 20)),
    statuses: [200],
  },
  {
    name: '131,072 empty texts',
    make: () => texts('[131072]', `[${'"",'.repeat(131_071)}""]`),
    statuses: [200],
  },
  {
    name: '131,072 empty strings behind the JSON',
    make: () => framed(131_072, new Uint8Array(4 * 131_072)),
    statuses: [200],
  },
  {
    name: '15 million empty strings behind the JSON',
    make: () => framed(15_000_000, new Uint8Array(4 * 15_000_000)),
    statuses: [400],
  },
  {
    name: '60 MB of [ as data',
    make: () => texts('[1]', '['.repeat(60_000_000)),
    statuses: [400],
  },
  {
    name: 'a header that says JSON of all 60 MiB of a binary string',
    make: () => {
      const { body } = framed(1, longString(60 * 2 ** 20));
      return { body, jsonLength: body.length };
    },
    statuses: [400],
  },
  {
    name: 'a header that says less JSON than there is, before 60 MiB',
    make: () => {
      const { body, jsonLength } = framed(1, longString(60 * 2 ** 20));
      return { body, jsonLength: jsonLength - 1 };
    },
    statuses: [400],
  },
  {
    name: 'a header that says more JSON than the body has',
    make: () => ({ ...json('{"inputs":[]}'), jsonLength: 999_999_999_999 }),
    statuses: [400],
  },
];
