/**
 * Reads `variables.index`, TensorFlow's table of what each variables shard holds. It is a sorted-string table in
 * LevelDB's format (`tensorflow/core/lib/io/format.h`), from tensor names to BundleEntryProto (tensor_bundle.proto).
 */
import protobuf from 'protobufjs/minimal.js';
import { ServingError } from '../../../errors.js';
import type { Turns } from '../../../flow/turns.js';
import { dtypeOf } from '../../../tensors/dtypes.js';
import { bytesField, bytesFields, integerField, type Message, messageOf } from '../graph/wire.js';

export interface VariablesIndex {
  /** For each shard, the least number of bytes that its file must have. */
  readonly shardBytes: readonly number[];
  /** The number of values in all variables together. */
  readonly parameterCount: number;
}

const footerBytes = 48;
const magic = 0xdb4775248b80fb57n;
const trailerBytes = 5;

/**
 * The most bytes of a key. The names of tensors are paths through the objects of a model, and usually have a few
 * hundred.
 */
const longestKey = 2 ** 16;

/** The most bytes of an entry. It has a few dozen, and a few more for each slice of a partitioned variable. */
const largestEntry = 2 ** 18;

/** The most files of variables. TensorFlow gives their names five digits. */
const mostShards = 99_999;

/** The prefix of a counter that Keras and tf.train keep beside the weights. */
const saveCounter = 'save_counter/';

/**
 * Reads the index, with pauses for the event loop.
 *
 * @param file is the whole of `variables.index`
 * @throws ServingError DATA_LOSS if it is cut short or no such table; FAILED_PRECONDITION if a key, an entry or the
 * number of shards is larger than a server takes
 */
export async function readVariablesIndex(file: Uint8Array, turns: Turns): Promise<VariablesIndex> {
  const summary = new Summary();
  try {
    await readTable(messageOf(file), turns, (entry) => summary.add(entry));
    return summary.finish();
  } catch (error) {
    if (error instanceof ServingError) throw error;
    throw new ServingError('DATA_LOSS', 'variables.index is damaged or not complete');
  }
}

class Summary {
  private shardBytes: number[] | undefined;
  private parameterCount = 0;

  add({ isHeader, isCounter, value }: TableEntry): void {
    if (isHeader) {
      const shards = integerField(value, 1);
      if (shards > mostShards) throw tooLarge(`${shards} shards`, mostShards);
      this.shardBytes = new Array<number>(shards).fill(0);
      return;
    }
    const shard = integerField(value, 3);
    const needed = this.shardBytes?.[shard];
    if (!this.shardBytes || needed === undefined) throw new RangeError('no such shard');
    this.shardBytes[shard] = Math.max(needed, integerField(value, 4) + integerField(value, 5));
    // A partitioned variable has an entry for the whole, without data, and one for each slice. The object graph is a
    // string.
    const isPart = bytesField(value, 7) !== undefined;
    if (isCounter || isPart || dtypeOf(integerField(value, 1)) === 'string') return;
    const shape = bytesField(value, 2);
    const dims = shape ? bytesFields(shape, 2).map((dim) => integerField(dim, 1)) : [];
    this.parameterCount += dims.reduce((count, size) => count * size, 1);
  }

  finish(): VariablesIndex {
    const { shardBytes, parameterCount } = this;
    if (!shardBytes || shardBytes.length === 0)
      throw new ServingError('DATA_LOSS', 'variables.index has no header');
    return { shardBytes, parameterCount };
  }
}

function tooLarge(what: string, most: number): ServingError {
  return new ServingError(
    'FAILED_PRECONDITION',
    `variables.index: expected at most ${most}, got ${what}: the file is damaged, or was not written by TensorFlow`,
  );
}

/** An entry of the table. Its key is not kept. Keys share prefixes, so a small file may stand for very long keys. */
interface TableEntry {
  /** True if its key is empty. */
  readonly isHeader: boolean;
  readonly isCounter: boolean;
  readonly value: Message;
}

/** Reads every entry, in order. */
async function readTable(file: Message, turns: Turns, visit: (entry: TableEntry) => void): Promise<void> {
  if (file.length < footerBytes) throw new RangeError('no footer');
  const footer = file.subarray(file.length - footerBytes);
  if (footer.readBigUInt64LE(footerBytes - 8) !== magic) throw new RangeError('no table');
  const reader = protobuf.Reader.create(footer);
  readHandle(reader); // the meta index, which TensorFlow leaves empty
  const blocks: Message[] = [];
  await readBlock(blockAt(file, readHandle(reader)), turns, ({ value }) => {
    blocks.push(blockAt(file, readHandle(protobuf.Reader.create(value))));
  });
  // Overlapping blocks would be read again and again.
  const bytes = blocks.reduce((sum, block) => sum + block.length, 0);
  if (bytes > file.length) throw new RangeError('blocks overlap');
  for (const block of blocks) await readBlock(block, turns, visit);
}

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

function readHandle(reader: protobuf.Reader): BlockHandle {
  return { offset: Number(reader.uint64()), size: Number(reader.uint64()) };
}

function blockAt(file: Message, { offset, size }: BlockHandle): Message {
  if (offset + size + trailerBytes > file.length) throw new RangeError('block out of range');
  if (file[offset + size] !== 0) throw new ServingError('UNIMPLEMENTED', 'variables.index is compressed');
  return file.subarray(offset, offset + size);
}

/**
 * Reads the entries of one block. A key shares a prefix with the key before it. The restart points at the end are not
 * needed to read in order.
 */
async function readBlock(block: Message, turns: Turns, visit: (entry: TableEntry) => void): Promise<void> {
  const restarts = block.readUInt32LE(block.length - 4);
  const end = block.length - 4 - 4 * restarts;
  const reader = protobuf.Reader.create(block);
  let keyBytes = 0;
  /** The part of the key that recognises a counter. */
  let start = '';
  while (reader.pos < end) {
    const pausing = turns.pause();
    if (pausing) await pausing;
    const shared = reader.uint32();
    const added = reader.uint32();
    const valueBytes = reader.uint32();
    if (shared > keyBytes || reader.pos + added + valueBytes > end)
      throw new RangeError('entry out of range');
    keyBytes = shared + added;
    if (keyBytes > longestKey) throw tooLarge(`a key of ${keyBytes} bytes`, longestKey);
    if (valueBytes > largestEntry) throw tooLarge(`an entry of ${valueBytes} bytes`, largestEntry);
    const { pos } = reader;
    if (shared < saveCounter.length)
      start =
        start.slice(0, shared) +
        block.toString('latin1', pos, pos + Math.min(added, saveCounter.length - shared));
    reader.pos += added;
    const value = block.subarray(reader.pos, reader.pos + valueBytes);
    visit({ isHeader: keyBytes === 0, isCounter: start === saveCounter, value });
    reader.pos += valueBytes;
  }
}
