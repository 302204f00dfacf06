/**
 * What TensorFlow records of a traced run: which operation ran when, and on which device.
 */
import protobuf from 'protobufjs';

// config.proto and step_stats.proto, less what is not needed here.
const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  message NodeExecStats {
    string node_name = 1;
    int64 all_start_micros = 2;
    int64 all_end_rel_micros = 5;
    string timeline_label = 8;
    int64 all_start_nanos = 13;
    int64 all_end_rel_nanos = 16;
  }
  message DeviceStepStats {
    string device = 1;
    repeated NodeExecStats node_stats = 2;
  }
  message StepStats { repeated DeviceStepStats dev_stats = 1; }
  message RunMetadata { StepStats step_stats = 1; }
`);
const RunMetadata = root.lookupType('tensorflow.RunMetadata');

/** The messages as protobufjs gives them under `{ defaults: true, arrays: true, longs: String }`. */
interface NodeExecStats {
  readonly nodeName: string;
  readonly allStartMicros: string;
  readonly allEndRelMicros: string;
  readonly timelineLabel: string;
  readonly allStartNanos: string;
  readonly allEndRelNanos: string;
}

interface DeviceStepStats {
  readonly device: string;
  readonly nodeStats: readonly NodeExecStats[];
}

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
  const options = { defaults: true, arrays: true, longs: String };
  const { stepStats } = RunMetadata.toObject(RunMetadata.decode(metadata), options);
  const devices: readonly DeviceStepStats[] = stepStats?.devStats ?? [];
  // Nanoseconds since 1970 are beyond what a number holds exactly.
  const originNanos = BigInt(origin) * 1_000_000n;
  return devices.flatMap(({ device, nodeStats }) =>
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
function nanos(inNanos: string, inMicros: string): bigint {
  return inNanos === '0' ? BigInt(inMicros) * 1000n : BigInt(inNanos);
}

/** Labels are written `name = Op(inputs)`, with what was allocated in front. */
function opOf(label: string): string {
  return /= (\w+)\(/.exec(label)?.[1] ?? '';
}
