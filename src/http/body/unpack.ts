/** Unpacks compressed request bodies (RFC 9110, section 8.4) on zlib's threads, within the budget of all bodies. */
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { invalidArgument, messageOf, quoted, ServingError } from '../../errors.js';
import type { Claim } from '../../flow/steps.js';
import { pieceBytes } from '../../tensors/limits.js';

/** Makes a stream that unpacks. */
type Unpacker = () => Transform;

const chunkSize = pieceBytes;

const unpackers: Readonly<Record<string, Unpacker | undefined>> = {
  gzip: () => zlib.createGunzip({ chunkSize }),
  'x-gzip': () => zlib.createGunzip({ chunkSize }),
  deflate: () => zlib.createInflate({ chunkSize }),
  zstd: zstdUnpacker(),
};

/** Node has zstd from version 22.15 on. */
function zstdUnpacker(): Unpacker | undefined {
  const make: unknown = Reflect.get(zlib, 'createZstdDecompress');
  if (!isUnpackerMaker(make)) return undefined;
  // RFC 9659: content over HTTP needs no window of more than 8 MiB.
  const windowLogMax: unknown = Reflect.get(zlib.constants, 'ZSTD_d_windowLogMax');
  return () => make({ chunkSize, params: { [String(windowLogMax)]: 23 } });
}

function isUnpackerMaker(value: unknown): value is (options: object) => Transform {
  return typeof value === 'function';
}

/**
 * Finds what unpacks a body with this encoding; undefined if it is not compressed.
 *
 * @throws ServingError UNSUPPORTED_MEDIA_TYPE with the encodings there are
 */
export function unpackerOf(encoding: string | undefined): Unpacker | undefined {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return undefined;
  const unpacker = Object.hasOwn(unpackers, name) ? unpackers[name] : undefined;
  if (unpacker) return unpacker;
  const known = ['gzip', 'deflate', ...(unpackers['zstd'] ? ['zstd'] : [])];
  const why = name === 'zstd' ? ` (zstd needs Node 22.15 or newer, and this is ${process.version})` : '';
  throw new ServingError(
    'UNSUPPORTED_MEDIA_TYPE',
    `expected content-encoding ${known.join(', ')} or none, got ${quoted(name)}${why}`,
  );
}

/**
 * Unpacks a body into memory that is claimed before it is taken.
 *
 * @param maxBytes is the most that it may unpack to
 * @param tooLarge makes the error for more
 * @throws ServingError (rejects) INVALID_ARGUMENT if it is damaged, or what `claim` throws
 */
export async function unpack(
  packed: Uint8Array,
  unpacker: Unpacker,
  { maxBytes, claim, tooLarge }: { maxBytes: number; claim: Claim; tooLarge: () => ServingError },
): Promise<Uint8Array> {
  const stream = unpacker();
  let unpacked = claimed(Math.min(maxBytes, Math.max(2 * packed.length, chunkSize)), claim);
  let end = 0;
  try {
    stream.end(packed);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const needed = end + chunk.length;
      if (needed > maxBytes) throw tooLarge();
      if (needed > unpacked.length) {
        const larger = claimed(Math.min(maxBytes, Math.max(2 * unpacked.length, needed)), claim);
        larger.set(unpacked.subarray(0, end));
        unpacked = larger;
      }
      unpacked.set(chunk, end);
      end = needed;
    }
  } catch (error) {
    if (error instanceof ServingError) throw error;
    throw invalidArgument(`the body cannot be unpacked by its content-encoding: ${messageOf(error)}`);
  } finally {
    stream.destroy();
  }
  return unpacked.subarray(0, end);
}

/** Takes memory whose start is aligned for every dtype. */
function claimed(size: number, claim: Claim): Buffer {
  claim(size);
  return Buffer.allocUnsafeSlow(size);
}
