/**
 * Rewrites a protobuf message with some of its fields replaced. What stays is not copied, because a graph may hold
 * hundreds of megabytes of constants.
 */
import protobuf from 'protobufjs/minimal.js';
import type { Turns } from '../../../../flow/turns.js';
import { type Message, messageOf } from '../wire.js';

/** Bytes in pieces that follow each other. */
export interface Pieces {
  readonly chunks: readonly Message[];
  readonly length: number;
}

/**
 * @param replace is called with each string, bytes or message. It returns new values, each of which becomes a field
 * with that number, or undefined to keep the field
 */
export async function rewrite(
  message: Message,
  turns: Turns,
  replace: (
    field: number,
    value: Message,
  ) => readonly Pieces[] | undefined | Promise<readonly Pieces[] | undefined>,
): Promise<Pieces> {
  const chunks: Message[] = [];
  let kept = 0;
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const pausing = turns.pause();
    if (pausing) await pausing;
    const start = reader.pos;
    const head = reader.uint32();
    if ((head & 7) !== 2) {
      reader.skipType(head & 7);
      continue;
    }
    const replaced = await replace(head >>> 3, messageOf(reader.bytes()));
    if (!replaced) continue;
    if (start > kept) chunks.push(message.subarray(kept, start));
    for (const { chunks: values, length } of replaced)
      chunks.push(messageOf(protobuf.Writer.create().uint32(head).uint32(length).finish()), ...values);
    kept = reader.pos;
  }
  if (kept < message.length) chunks.push(message.subarray(kept));
  return { chunks, length: chunks.reduce((sum, chunk) => sum + chunk.length, 0) };
}
