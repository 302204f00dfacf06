/** Splits a body that has been read into the parts of a form. No part becomes a file on disk. */
import { once } from 'node:events';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import type { FormPart } from '../../codec/form/decode.js';
import { invalidArgument, messageOf, quoted, ServingError } from '../../errors.js';
import type { Claim } from '../../flow/steps.js';
import { Turns } from '../../flow/turns.js';
import { bounds } from '../../tensors/limits.js';

/** The bytes that the parser gets at a time. They hold at most a thousand parts, however many the form has. */
const chunkBytes = 4 * 1024;

/**
 * Reads the parts of a multipart body. Most are views on it.
 *
 * @param contentType includes the boundary
 * @param claim is called before parts are copied
 * @throws ServingError (rejects) INVALID_ARGUMENT if the body is damaged or has too many parts
 */
export async function readForm(contentType: string, bytes: Uint8Array, claim: Claim): Promise<FormPart[]> {
  // For an empty form, some clients send only the end, or nothing. The parser would take that for a form that is cut
  // short.
  if (isEmptyForm(bytes)) return [];
  const form = new FormReader(contentType, claim);
  await form.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  return form.parts;
}

function isEmptyForm(bytes: Uint8Array): boolean {
  if (bytes.length > 100) return false;
  return /^(\r\n)?(--[^\r\n]*--)?(\r\n)?$/.test(Buffer.from(bytes).toString('latin1'));
}

class FormReader {
  readonly parts: FormPart[] = [];
  private readonly parser: BusboyInstance;
  private problem: unknown;

  constructor(
    contentType: string,
    private readonly claim: Claim,
  ) {
    this.parser = openParser(contentType);
    this.parser
      .on('file', (name, stream, fileName, encoding, mediaType) => {
        if (!plainEncodings.has(encoding.toLowerCase())) this.fail(encoded(encoding));
        const chunks: Buffer[] = [];
        stream
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('end', () => this.add(name, fileName, mediaType, chunks))
          .on('error', this.fail);
      })
      .on('partsLimit', () =>
        this.fail(invalidArgument(`the form has more than ${bounds.formParts.most} parts`)),
      )
      .on('error', this.fail);
  }

  async read(bytes: Buffer): Promise<void> {
    const { parser } = this;
    const finished = once(parser, 'finish').catch(this.fail);
    const turns = new Turns();
    for (let at = 0; at < bytes.length && this.problem === undefined; at += chunkBytes) {
      if (!parser.write(bytes.subarray(at, at + chunkBytes)))
        await Promise.race([once(parser, 'drain'), finished]).catch(this.fail);
      const pausing = turns.pause();
      if (pausing) await pausing;
    }
    if (this.problem === undefined) {
      parser.end();
      await finished;
    }
    if (this.problem === undefined) return;
    parser.destroy();
    throw damaged(this.problem);
  }

  /** Adds a part that is over. Its chunks follow each other in the body, unless the parser had to copy one. */
  private add(
    name: string | undefined,
    fileName: string | undefined,
    mediaType: string,
    chunks: Buffer[],
  ): void {
    try {
      if (name === undefined)
        throw invalidArgument('a part has no name: expected content-disposition: form-data; name="…"');
      if (Buffer.byteLength(name) > bounds.nameBytes.most)
        throw invalidArgument(`the name of a part has more than ${bounds.nameBytes.most} bytes`);
      this.parts.push({
        name,
        fileName,
        mediaType: mediaType === '' ? undefined : mediaType,
        bytes: joined(chunks, this.claim),
      });
    } catch (error) {
      this.fail(error);
    }
  }

  private readonly fail = (error: unknown): void => {
    this.problem ??= error;
  };
}

function openParser(contentType: string): BusboyInstance {
  if (!/;\s*boundary=/i.test(contentType))
    throw invalidArgument('the form cannot be read: its content-type has no boundary');
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: { parts: bounds.formParts.most, headerSize: bounds.formHeaderBytes.most },
      // Values count as files too, so that they stay bytes until they are checked for UTF-8.
      isPartAFile: () => true,
      preservePath: true,
      // The whole body is there, so a part need not wait for its reader.
      fileHwm: Number.MAX_SAFE_INTEGER,
    });
  } catch (error) {
    throw damaged(error);
  }
}

/** The encodings of RFC 7578, section 4.7: parts are sent as they are. Any other adds bytes. */
const plainEncodings: ReadonlySet<string> = new Set(['7bit', '8bit', 'binary']);

function encoded(encoding: string): ServingError {
  return invalidArgument(
    `expected parts of the form as they are, got one with content-transfer-encoding ${quoted(encoding)}`,
  );
}

function damaged(error: unknown): unknown {
  if (error instanceof ServingError) return error;
  const message = messageOf(error);
  const reason = message.startsWith('Unexpected end')
    ? 'it ends before the line of two dashes, the boundary and two dashes'
    : message;
  return invalidArgument(`the form cannot be read: ${reason}`);
}

/** The bytes of a part. If its chunks follow each other in one buffer, the result is a view. */
function joined(chunks: readonly Buffer[], claim: Claim): Uint8Array {
  const [first] = chunks;
  const last = chunks.at(-1);
  if (!first || !last) return new Uint8Array(0);
  const size = last.byteOffset + last.length - first.byteOffset;
  let end = first.byteOffset;
  for (const { buffer, byteOffset, length } of chunks) {
    if (buffer !== first.buffer || byteOffset !== end) return copied(chunks, claim);
    end += length;
  }
  return new Uint8Array(first.buffer, first.byteOffset, size);
}

function copied(chunks: readonly Buffer[], claim: Claim): Uint8Array {
  claim(chunks.reduce((sum, { length }) => sum + length, 0));
  return Buffer.concat(chunks);
}
