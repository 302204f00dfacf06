/**
 * The one table of what a body may hold, besides the limits that a flag sets. It bounds the work on the event loop and the
 * memory of one request. `docs/bodies.md` lists it, and a test holds the two together.
 */

interface Bound {
  readonly most: number;
  /** What is counted, for people. */
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

/** Bytes that a decoder copies or checks between two looks at the clock. */
export const pieceBytes = 2 ** 18;

/** Bytes that are copied or checked in the time of one small thing, as a `Meter` counts them. */
export const bytesPerWork = 2 ** 8;

/** Estimates of what V8 takes for a value, for claims of memory. */
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
