/**
 * A request for any model, made from what the server says of it.
 */
interface Spec {
  readonly dtype: string;
  /** -1 where any size will do. */
  readonly shape: readonly number[];
}

/** The part of `/models/{name}` that is needed. */
interface Description {
  readonly signatures: Readonly<Record<string, { readonly inputs: Readonly<Record<string, Spec>> }>>;
}

/** The tags of RFC 8746 and the bytes of an element. */
const typedArrays: Readonly<Record<string, readonly [tag: number, bytes: number]>> = {
  uint8: [64, 1],
  int32: [78, 4],
  float32: [85, 4],
};

/** CBOR `{name: tag 40 [shape, typed array]}`: one sample of random values. */
export async function makeBody(serverUrl: string, model: string): Promise<Buffer> {
  const response = await fetch(`${serverUrl}/models/${model}`);
  const description = (await response.json()) as Description;
  const inputs = Object.entries(description.signatures['serving_default']?.inputs ?? {});
  return Buffer.concat([
    head(5, inputs.length),
    ...inputs.flatMap(([name, spec]) => [text(name), tensor(spec)]),
  ]);
}

function tensor({ dtype, shape }: Spec): Buffer {
  const [tag, width] = typedArrays[dtype] ?? [];
  if (tag === undefined || width === undefined) throw new Error(`no values of ${dtype}`);
  const dims = shape.slice(1);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const bytes = Buffer.alloc(count * width);
  for (let i = 0; i < count; i++) {
    // Integers may be places in a table.
    if (dtype !== 'float32') bytes[width * i] = Math.random() * 256;
    else bytes.writeFloatLE(Math.random(), 4 * i);
  }
  const sizes = Buffer.concat([head(4, dims.length), ...dims.map((dim) => head(0, dim))]);
  return Buffer.concat([head(6, 40), head(4, 2), sizes, head(6, tag), head(2, bytes.length), bytes]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([head(3, bytes.length), bytes]);
}

/** Major type and argument. */
function head(major: number, argument: number): Buffer {
  const initial = major << 5;
  if (argument < 24) return Buffer.of(initial | argument);
  const wide = Buffer.alloc(5);
  wide[0] = initial | 26;
  wide.writeUInt32BE(argument, 1);
  return wide;
}
