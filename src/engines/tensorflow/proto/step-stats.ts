/** Reads what TensorFlow records of a traced run: which operation ran, when, and on which device. */
import { tensorflow } from '#proto/decoders.js';
import type { OperationRun } from '../../run-tracer.js';
import { readerOf } from './message-reader.js';

/**
 * @param metadata is a serialized `tensorflow.RunMetadata`
 * @param origin is when starts are counted from, in milliseconds since 1970
 * @throws Error if the metadata is damaged
 */
export function readOpRuns(metadata: Uint8Array, origin: number): OperationRun[] {
  const { stepStats } = tensorflow.RunMetadata.decode(readerOf(metadata));
  // The nanoseconds since 1970 are too large for an exact double.
  const originNanos = BigInt(origin) * 1_000_000n;
  return (stepStats?.devStats ?? []).flatMap(({ device, nodeStats }) =>
    nodeStats.map((node) => ({
      device,
      name: node.nodeName,
      op: opOf(node.timelineLabel),
      start: Number(nanos(node.allStartNanos, node.allStartMicros) - originNanos) / 1000,
      duration: Number(nanos(node.allEndRelNanos, node.allEndRelMicros)) / 1000,
    })),
  );
}

/** Some devices count in microseconds only. */
function nanos(inNanos: Int64, inMicros: Int64): bigint {
  return BigInt(inNanos.toString()) || BigInt(inMicros.toString()) * 1000n;
}

type Int64 = tensorflow.NodeExecStats['allStartNanos'];

/** The type in a label, which reads `name = Op(inputs)` after a note of what was allocated. */
function opOf(label: string): string {
  return /= (\w+)\(/.exec(label)?.[1] ?? '';
}
