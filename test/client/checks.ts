/** The checks of the client. They run in Node and, unchanged, in a browser. */
import type * as Client from '../../src/client/index.ts';

/** A value as clients/vectors.json has it. */
export type Note =
  | { tensor: { dtype: Client.Dtype; shape: number[]; bytes?: string; strings?: string[] } }
  | { map: [string, Note][] }
  | { list: Note[] }
  | { text: string }
  | { bytes: string }
  | { int: string }
  | { float: string }
  | { bool: boolean }
  | { null: true };

export interface Vector {
  readonly name: string;
  readonly value: Note;
  readonly cbor: string;
}

/** Vectors both ways, and every tensor through the `identity` model. @returns what fails, and how much was tried */
export async function runChecks(client: typeof Client, vectors: readonly Vector[], url: string) {
  const failures: string[] = [];
  let tried = 0;
  const expectSame = (what: string, got: string, wanted: string) => {
    tried += 1;
    if (got !== wanted) failures.push(`${what}: ${got} instead of ${wanted}`);
  };
  for (const { name, value, cbor } of vectors) {
    // Only a map is a body; other values are held in one. {"": …} is a1 60 ….
    const wrapped = 'map' in value ? cbor : `a160${cbor}`;
    const encoded = client.dictToBinary(
      'map' in value ? (fromNote(client, value) as Client.EncodableDict) : { '': fromNote(client, value) },
    );
    expectSame(`${name}, written`, toHex(encoded), wrapped);
    const decoded = client.binaryToDict(fromHex(wrapped));
    const noted = toNote(client, 'map' in value ? decoded : (decoded[''] as Client.Value));
    expectSame(`${name}, read`, JSON.stringify(noted), JSON.stringify(value));
  }
  const server = new client.Client(url);
  for (const { name, value } of vectors) {
    if (!('tensor' in value)) continue;
    const { dtype } = value.tensor;
    const x = fromNote(client, value);
    const { outputs } = await server.infer({ x }, { model: 'identity', signature: dtype });
    expectSame(
      `${name}, answered`,
      JSON.stringify(toNote(client, outputs['y'] as Client.Tensor)),
      JSON.stringify(value),
    );
  }
  const refused = await server.infer({ x: [[1], [2, 3]] }).catch((error: unknown) => error);
  const { name, code, status, requestId = '' } = refused as Client.RequestError;
  expectSame(
    'a refusal',
    [name, code, status, requestId !== ''].join(),
    'RequestError,INVALID_ARGUMENT,400,true',
  );
  return { failures, tried };
}

export function fromNote(client: typeof Client, note: Note): Client.Encodable {
  if ('tensor' in note) {
    const { dtype, shape, bytes = '', strings } = note.tensor;
    if (strings) return { dtype: 'string', shape, data: strings.map(fromHex) };
    return client.tensor(arrayOf(dtype, fromHex(bytes)), shape, dtype);
  }
  if ('map' in note) return new Map(note.map.map(([key, value]) => [key, fromNote(client, value)]));
  if ('list' in note) return note.list.map((each) => fromNote(client, each));
  if ('text' in note) return note.text;
  if ('bytes' in note) return fromHex(note.bytes);
  if ('int' in note) {
    const value = BigInt(note.int);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if ('float' in note) return Number(note.float);
  return 'bool' in note ? note.bool : null;
}

export function toNote(client: typeof Client, value: Client.Value): Note {
  if (client.isTensor(value)) {
    const { dtype, shape, data } = value;
    if (dtype === 'string') return { tensor: { dtype, shape: [...shape], strings: data.map(toHex) } };
    return { tensor: { dtype, shape: [...shape], bytes: toHex(bytesOf(data)) } };
  }
  if (Array.isArray(value)) return { list: value.map((each) => toNote(client, each)) };
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  switch (typeof value) {
    case 'string':
      return { text: value };
    case 'bigint':
      return { int: String(value) };
    case 'boolean':
      return { bool: value };
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return { int: String(value) };
      return { float: Object.is(value, -0) ? '-0.0' : String(value) };
    default:
      if (value === null || value === undefined) return { null: true };
      return { map: Object.entries(value).map(([key, each]) => [key, toNote(client, each as Client.Value)]) };
  }
}

const arrays: Readonly<Record<string, new (buffer: ArrayBuffer) => ArrayBufferView>> = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  complex64: Float32Array,
  complex128: Float64Array,
};

function arrayOf(dtype: string, bytes: Uint8Array<ArrayBuffer>): ArrayBufferView {
  const View = arrays[dtype] ?? Uint8Array;
  return new View(bytes.buffer);
}

export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
