/**
 * Reads `variables.index`, TensorFlow's table of what each variables shard holds: a sorted-string table in LevelDB's
 * format (`tensorflow/core/lib/io/format.h`) from tensor names to BundleEntryProto (tensor_bundle.proto).
 */
import protobuf from 'protobufjs';
import { ServingError } from '../errors.js';
import { dtypeOf } from '../runtime/dtypes.js';
import { tensorShapeSchema } from '../runtime/tensor-proto.js';

const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  ${tensorShapeSchema}
  message BundleHeaderProto { int32 num_shards = 1; }
  message BundleEntryProto {
    int32 dtype = 1;
    TensorShapeProto shape = 2;
    int32 shard_id = 3;
    int64 offset = 4;
    int64 size = 5;
    repeated bytes slices = 7;
  }
`);
const BundleHeader = root.lookupType('tensorflow.BundleHeaderProto');
const BundleEntry = root.lookupType('tensorflow.BundleEntryProto');

export interface VariablesIndex {
  /** For each shard, the length in bytes that its file must have at least. */
  readonly shardBytes: readonly number[];
  /** Numbers in all variables together. */
  readonly parameterCount: number;
}

const footerBytes = 48;
const magic = 0xdb4775248b80fb57n;
const trailerBytes = 5;

/**
 * @param file the whole of `variables.index`
 * @throws ServingError DATA_LOSS if it is cut short or no such table
 */
export function readVariablesIndex(file: Uint8Array): VariablesIndex {
  try {
    return summarize(entries(file));
  } catch (error) {
    if (error instanceof ServingError) throw error;
    throw new ServingError('DATA_LOSS', 'variables.index is damaged or not complete');
  }
}

function summarize(table: Iterable<readonly [key: string, value: Uint8Array]>): VariablesIndex {
  const shardBytes: number[] = [];
  let parameterCount = 0;
  for (const [key, value] of table) {
    if (key === '') {
      const header = BundleHeader.toObject(BundleHeader.decode(value), { defaults: true });
      for (let shard = 0; shard < header['numShards']; shard++) shardBytes.push(shardBytes[shard] ?? 0);
      continue;
    }
    const entry = BundleEntry.toObject(BundleEntry.decode(value), {
      defaults: true,
      arrays: true,
      longs: Number,
    });
    const shard: number = entry['shardId'];
    shardBytes[shard] = Math.max(shardBytes[shard] ?? 0, entry['offset'] + entry['size']);
    // A partitioned variable has an entry for the whole, without data, beside those of its slices.
    if (entry['slices'].length > 0 || !isParameter(key, entry['dtype'])) continue;
    const dims: { size: number }[] = entry['shape']?.dim ?? [];
    parameterCount += dims.reduce((count, { size }) => count * size, 1);
  }
  if (shardBytes.length === 0) throw new ServingError('DATA_LOSS', 'variables.index has no header');
  return { shardBytes, parameterCount };
}

/** Not what Keras and tf.train keep beside the weights: the object graph (a string) and the save counter. */
function isParameter(key: string, dtype: number): boolean {
  return dtypeOf(dtype) !== 'string' && !key.startsWith('save_counter/');
}

/** Every key and value, in order. */
function* entries(file: Uint8Array): Generator<readonly [string, Uint8Array]> {
  if (file.length < footerBytes) throw new RangeError('no footer');
  const footer = file.subarray(file.length - footerBytes);
  const view = new DataView(footer.buffer, footer.byteOffset, footer.byteLength);
  if (view.getBigUint64(footerBytes - 8, true) !== magic) throw new RangeError('no table');
  const reader = protobuf.Reader.create(footer);
  readHandle(reader); // the meta index, which TensorFlow leaves empty
  for (const [, handle] of blockEntries(file, readHandle(reader))) {
    for (const [key, value] of blockEntries(file, readHandle(protobuf.Reader.create(handle))))
      yield [key, value];
  }
}

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

function readHandle(reader: protobuf.Reader): BlockHandle {
  return { offset: Number(reader.uint64()), size: Number(reader.uint64()) };
}

/** The entries of one block: keys share prefixes with the key before; the restart points at the end are not needed to read on. */
function* blockEntries(
  file: Uint8Array,
  { offset, size }: BlockHandle,
): Generator<readonly [string, Uint8Array]> {
  if (offset + size + trailerBytes > file.length) throw new RangeError('block out of range');
  if (file[offset + size] !== 0) throw new ServingError('UNIMPLEMENTED', 'variables.index is compressed');
  const block = file.subarray(offset, offset + size);
  const restarts = new DataView(block.buffer, block.byteOffset, block.byteLength).getUint32(size - 4, true);
  const end = size - 4 - 4 * restarts;
  const reader = protobuf.Reader.create(block);
  let key = Buffer.alloc(0);
  while (reader.pos < end) {
    const shared = reader.uint32();
    const added = reader.uint32();
    const valueBytes = reader.uint32();
    if (reader.pos + added + valueBytes > end) throw new RangeError('entry out of range');
    key = Buffer.concat([key.subarray(0, shared), block.subarray(reader.pos, reader.pos + added)]);
    reader.pos += added;
    yield [key.toString('latin1'), block.subarray(reader.pos, reader.pos + valueBytes)];
    reader.pos += valueBytes;
  }
}
