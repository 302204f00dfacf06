/** Makes a request for any model from what the server says of it. */
interface Spec {
  readonly dtype: string;
  /** The shape, with -1 for any size. */
  readonly shape: readonly number[];
}

/** The part of `/models/{name}` that is used. */
interface Description {
  readonly signatures: Readonly<Record<string, { readonly inputs: Readonly<Record<string, Spec>> }>>;
}

interface Values {
  readonly name: string;
  readonly dtype: string;
  /** The dims of one sample. */
  readonly dims: readonly number[];
  /** The values, little-endian. */
  readonly bytes: Buffer;
}

/** A request with the headers that it needs. */
export interface Request {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** For each dtype: its name in the Open Inference Protocol, its tag in RFC 8746, and the bytes of an element. */
const dtypes: Readonly<Record<string, readonly [oip: string, tag: number, bytes: number]>> = {
  uint8: ['UINT8', 64, 1],
  int32: ['INT32', 78, 4],
  float32: ['FP32', 85, 4],
};

/** Writes CBOR `{name: tag 40 [shape, typed array]}` with one sample of random values. */
export async function makeBody(serverUrl: string, model: string): Promise<Buffer> {
  return cborRequest(await sampleOf(serverUrl, model)).body;
}

/** Writes the same sample in every protocol. */
export async function makeRequests(serverUrl: string, model: string) {
  const sample = await sampleOf(serverUrl, model);
  return { cbor: cborRequest(sample), oipBinary: oipBinaryRequest(sample), oipJson: oipJsonRequest(sample) };
}

async function sampleOf(serverUrl: string, model: string): Promise<readonly Values[]> {
  const response = await fetch(`${serverUrl}/models/${model}`);
  const description = (await response.json()) as Description;
  const inputs = description.signatures['serving_default']?.inputs ?? {};
  return Object.entries(inputs).map(([name, spec]) => randomValues(name, spec));
}

function randomValues(name: string, { dtype, shape }: Spec): Values {
  const [, , width] = typeOf(dtype);
  const dims = shape.slice(1);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const bytes = Buffer.alloc(count * width);
  for (let i = 0; i < count; i++) {
    // Integers may be indices into a table, so they stay 0.
    if (dtype !== 'float32') bytes[width * i] = Math.random() * 256;
    else bytes.writeFloatLE(Math.random(), 4 * i);
  }
  return { name, dtype, dims, bytes };
}

function typeOf(dtype: string): readonly [oip: string, tag: number, bytes: number] {
  const found = dtypes[dtype];
  if (found === undefined) throw new Error(`no values of ${dtype}`);
  return found;
}

function cborRequest(sample: readonly Values[]): Request {
  const inputs = sample.flatMap((values) => [text(values.name), cborTensor(values)]);
  return {
    body: Buffer.concat([head(5, sample.length), ...inputs]),
    headers: { 'content-type': 'application/cbor' },
  };
}

function cborTensor({ dtype, dims, bytes }: Values): Buffer {
  const [, tag] = typeOf(dtype);
  const sizes = Buffer.concat([head(4, dims.length), ...dims.map((dim) => head(0, dim))]);
  return Buffer.concat([head(6, 40), head(4, 2), sizes, head(6, tag), head(2, bytes.length), bytes]);
}

/** A batch of one, with the binary tensor data extension for the request and the answer. */
function oipBinaryRequest(sample: readonly Values[]): Request {
  const inputs = sample.map(({ name, dtype, dims, bytes }) => ({
    ...{ name, datatype: typeOf(dtype)[0], shape: [1, ...dims] },
    parameters: { binary_data_size: bytes.length },
  }));
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  return {
    body: Buffer.concat([json, ...sample.map(({ bytes }) => bytes)]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.length),
    },
  };
}

function oipJsonRequest(sample: readonly Values[]): Request {
  const inputs = sample.map(({ name, dtype, dims, bytes }) => ({
    ...{ name, datatype: typeOf(dtype)[0], shape: [1, ...dims] },
    data: numbersOf(dtype, bytes),
  }));
  return { body: Buffer.from(JSON.stringify({ inputs })), headers: { 'content-type': 'application/json' } };
}

function numbersOf(dtype: string, { buffer, byteOffset, length }: Buffer): number[] {
  if (dtype === 'float32') return [...new Float32Array(buffer.slice(byteOffset, byteOffset + length))];
  if (dtype === 'int32') return [...new Int32Array(buffer.slice(byteOffset, byteOffset + length))];
  return [...new Uint8Array(buffer, byteOffset, length)];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([head(3, bytes.length), bytes]);
}

/** Writes a major type and an argument. */
function head(major: number, argument: number): Buffer {
  const initial = major << 5;
  if (argument < 24) return Buffer.of(initial | argument);
  const wide = Buffer.alloc(5);
  wide[0] = initial | 26;
  wide.writeUInt32BE(argument, 1);
  return wide;
}
