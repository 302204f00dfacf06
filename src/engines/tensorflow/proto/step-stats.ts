/**
 * What TensorFlow records of a traced run: which operation ran when, and on which device.
 */
import { tensorflow } from '#proto/decoders.js';
import { readerOf } from './message-reader.js';

/** One operation that ran. */
export interface OpRun {
  readonly device: string;
  /** The operation's name in the graph. */
  readonly name: string;
  /** Its type, for example `MatMul`; empty where TensorFlow does not tell. */
  readonly op: string;
  /** Microseconds since the origin, and from its start to its end. */
  readonly start: number;
  readonly duration: number;
}

/**
 * @param metadata a serialized `tensorflow.RunMetadata`
 * @param origin from when starts are counted, in milliseconds since 1970
 * @throws Error if it is none
 */
export function readOpRuns(metadata: Uint8Array, origin: number): OpRun[] {
  const { stepStats } = tensorflow.RunMetadata.decode(readerOf(metadata));
  // Nanoseconds since 1970 are beyond what a number holds exactly.
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

/** Not every device counts in nanoseconds. */
function nanos(inNanos: Int64, inMicros: Int64): bigint {
  return BigInt(inNanos.toString()) || BigInt(inMicros.toString()) * 1000n;
}

type Int64 = tensorflow.NodeExecStats['allStartNanos'];

/** Labels are written `name = Op(inputs)`, with what was allocated in front. */
function opOf(label: string): string {
  return /= (\w+)\(/.exec(label)?.[1] ?? '';
}
