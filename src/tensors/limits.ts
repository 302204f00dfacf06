/**
 * The table of what a body may hold. Limits that have a flag of their own are not in it.
 *
 * It bounds the work on the event loop and the memory of one request. `docs/bodies.md` lists it, and a test compares
 * the two.
 */

interface Bound {
  readonly most: number;
  /** What is counted, in words for people. */
  readonly of: string;
}

export const bounds = {
  names: { most: 4096, of: 'names in one CBOR map, JSON object or form' },
  nameBytes: { most: 4096, of: 'bytes of one name in CBOR, JSON, a form or a .npz file' },
  outputs: { most: 4096, of: 'names of outputs that are asked for' },
  objects: { most: 4096, of: 'objects in `inputs`, or in `outputs`, of a request below `/v2`' },
  cborValues: { most: 2 ** 21, of: 'values in a CBOR body outside typed arrays' },
  jsonValues: { most: 2 ** 21, of: 'numbers and texts in a JSON body' },
  jsonLists: { most: 2 ** 19, of: 'lists and objects in a JSON body' },
  jsonText: { most: 2 ** 21, of: 'bytes of one JSON text with escapes' },
  jsonSpaces: { most: 2 ** 16, of: 'spaces in a row in a JSON body' },
  arrays: { most: 2 ** 15, of: 'typed arrays within the lists of a body' },
  strings: { most: 2 ** 17, of: 'elements of one string tensor' },
  formParts: { most: 1000, of: 'parts of a form' },
  formHeaderBytes: { most: 16 * 1024, of: 'bytes of the headers of one part of a form' },
  npzArrays: { most: 1024, of: 'arrays in a .npz file' },
  npyHeaderBytes: { most: 10_000, of: 'bytes of the header of a .npy file' },
  jpegScans: { most: 64, of: 'scans of a JPEG' },
  imageSegments: { most: 2 ** 16, of: 'segments of a JPEG, or chunks of a PNG' },
  gifBlocks: { most: 2 ** 18, of: 'blocks of a GIF, with the sub-blocks of each' },
} as const satisfies Record<string, Bound>;

/** The number of bytes that a decoder copies or checks between two looks at the clock. */
export const pieceBytes = 2 ** 18;

/** The number of bytes that take as long to copy or check as one unit of work of a `Meter`. */
export const bytesPerWork = 2 ** 8;

/** Estimates of the bytes that V8 takes for a value. Claims of memory use them. */
export const valueBytes = {
  /** A number in a list. */
  number: 16,
  /** A text or byte string and the object around it. */
  string: 128,
  /** A list. */
  list: 64,
  /** A typed array with its shape. */
  array: 512,
} as const;
