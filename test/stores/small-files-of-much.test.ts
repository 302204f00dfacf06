/**
 * Small files that stand for very much: they are read in pieces, or refused with the reason.
 */
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../src/engines/tensorflow/graph/wire.ts';
import { FlattenedInputs } from '../../src/engines/tensorflow/saved-model/flattened-inputs.ts';
import { readGraphOperations } from '../../src/engines/tensorflow/saved-model/graph-operations.ts';
import { findMetaGraph } from '../../src/engines/tensorflow/saved-model/meta-graphs.ts';
import { readVariablesIndex } from '../../src/engines/tensorflow/saved-model/variables-index.ts';
import { ServingError } from '../../src/errors.ts';
import { CountedTurns } from '../fixtures/counted-turns.ts';

const nothing = new Uint8Array();

/** A field of a message: a number, or bytes. */
function field(number: number, value: number | Uint8Array | string): Buffer {
  const writer = protobuf.Writer.create();
  if (typeof value === 'number') writer.uint32(number << 3).int64(value);
  else writer.uint32((number << 3) | 2).bytes(Buffer.from(value));
  return Buffer.from(writer.finish());
}

function repeat(bytes: Uint8Array, count: number): Buffer {
  return Buffer.alloc(bytes.length * count, bytes);
}

type TableEntry = readonly [shared: number, added: string, value: Uint8Array];

function block(entries: Iterable<TableEntry>): Buffer {
  const writer = protobuf.Writer.create();
  const parts: Buffer[] = [];
  for (const [shared, added, value] of entries) {
    const head = protobuf.Writer.create().uint32(shared).uint32(added.length).uint32(value.length).finish();
    parts.push(Buffer.from(head), Buffer.from(added), Buffer.from(value));
  }
  return Buffer.concat([...parts, writer.fixed32(0).fixed32(1).finish()]);
}

function handle(offset: number, size: number): Buffer {
  return Buffer.from(protobuf.Writer.create().uint64(offset).uint64(size).finish());
}

/** A `variables.index` whose index names the one block of entries so many times. */
function table(entries: Iterable<TableEntry>, times = 1): Buffer {
  const data = Buffer.concat([block(entries), Buffer.alloc(5)]);
  const size = data.length - 5;
  const names = block(Array.from({ length: times }, () => [0, 'z', handle(0, size)] as const));
  const end = Buffer.alloc(48);
  Buffer.concat([handle(0, 0), handle(data.length, names.length)]).copy(end);
  end.writeBigUInt64LE(0xdb4775248b80fb57n, 40);
  return Buffer.concat([data, names, Buffer.alloc(5), end]);
}

const header: TableEntry = [0, '', field(1, 1)];

function* keys(count: number, share: (i: number) => number): Generator<TableEntry> {
  yield header;
  for (let i = 0; i < count; i++) yield [share(i), 'k', nothing];
}

async function refusal(reading: Promise<unknown>): Promise<string> {
  return reading.then(
    () => 'taken',
    (error: unknown) => (error instanceof ServingError ? `${error.code} ${error.message}` : `${error}`),
  );
}

describe('variables.index', () => {
  const read = (file: Uint8Array, turns = new CountedTurns(1000)) => readVariablesIndex(file, turns);

  it('counts numbers, without the save counter', async () => {
    const shape = field(2, Buffer.concat([field(2, field(1, 3)), field(2, field(1, 4))]));
    const entry = Buffer.concat([field(1, 1), shape, field(4, 10), field(5, 48)]);
    const file = table([header, [0, 'save_cost', entry], [6, 'ounter/.x', entry], [0, 'weights', entry]]);
    expect(await read(file)).toEqual({ shardBytes: [58], parameterCount: 24 });
  });

  it('gives the event loop back between the entries', async () => {
    const turns = new CountedTurns(1000);
    await read(table(keys(60_000, (i) => i)), turns);
    expect(turns.count).toBeGreaterThan(60_000);
  });

  it.each([
    [
      'keys that share all before',
      table(keys(70_000, (i) => i)),
      /^FAILED_PRECONDITION .* a key of 65537 bytes/,
    ],
    ['keys that share more than there is', table(keys(2, () => 7)), /^DATA_LOSS .* damaged/],
    [
      'very many shards',
      table([[0, '', field(1, 2 ** 31 - 1)]]),
      /^FAILED_PRECONDITION .* 2147483647 shards/,
    ],
    ['a shard that there is not', table([header, [0, 'a', field(3, 2 ** 31 - 1)]]), /^DATA_LOSS .* damaged/],
    ['no shard', table([[0, '', nothing]]), /^DATA_LOSS .* no header/],
    [
      'one block many times',
      table(
        keys(100, () => 0),
        1000,
      ),
      /^DATA_LOSS .* damaged/,
    ],
    [
      'an entry of many slices',
      table([header, [0, 'a', repeat(field(7, nothing), 2 ** 18)]]),
      /^FAILED_PRECONDITION .* an entry of 524288 bytes/,
    ],
  ])('%s', async (_what, file, expected) => {
    expect(await refusal(read(file))).toMatch(expected);
  });
});

describe('saved_model.pb', () => {
  const find = (file: Uint8Array, turns = new CountedTurns(1000)) => findMetaGraph(file, ['serve'], turns);
  const tag = field(4, 'serve');
  const graph = (...fields: Uint8Array[]) => field(2, Buffer.concat([field(1, tag), ...fields]));
  const signature = (value: Uint8Array) =>
    graph(field(5, Buffer.concat([field(1, 'serving_default'), field(2, value)])));

  it('finds the graph, and what it says', async () => {
    const tensor = field(1, Buffer.concat([field(1, 'x'), field(2, field(1, 'x:0'))]));
    const file = Buffer.concat([
      field(2, field(1, field(4, 'train'))),
      graph(
        field(2, 'graph'),
        field(5, Buffer.concat([field(1, 's'), field(2, tensor)])),
        field(6, field(2, 'v')),
      ),
    ]);
    const found = await find(file);
    expect(found).toMatchObject({ tags: ['serve'], assets: ['v'] });
    expect(found.graphDef.toString()).toBe('graph');
    expect(found.signatureDef).toMatchObject([{ key: 's', value: { inputs: [{ key: 'x' }], outputs: [] } }]);
  });

  it('gives the event loop back between fields that nobody knows', async () => {
    const turns = new CountedTurns(1000);
    await find(Buffer.concat([graph(), repeat(field(15, 1), 100_000)]), turns);
    await find(graph(repeat(field(15, 1), 100_000)), turns);
    await find(signature(repeat(field(15, 1), 100_000)), turns);
    expect(turns.count).toBeGreaterThan(300_000);
  });

  it.each([
    ['meta graphs', repeat(graph(), 1001), '1000 meta graphs'],
    ['tags', field(2, field(1, repeat(tag, 1001))), '1000 tags'],
    ['a long tag', field(2, field(1, field(4, 'a'.repeat(5000)))), '4096 bytes in a tag'],
    ['signatures', graph(repeat(field(5, nothing), 5000)), '4096 signatures'],
    ['tensors', signature(repeat(field(1, nothing), 20_000)), '16384 tensors'],
    [
      'a large tensor',
      signature(field(2, repeat(field(15, 1), 40_000))),
      '65536 bytes that describe a tensor',
    ],
    ['assets', graph(repeat(field(6, nothing), 70_000)), '65536 assets'],
  ])('of too many or too large is refused: %s', async (_what, file, expected) => {
    expect(await refusal(find(file))).toMatch(
      `FAILED_PRECONDITION saved_model.pb: expected at most ${expected}`,
    );
  });

  it('names some of the tags that there are', async () => {
    const file = repeat(field(2, field(1, repeat(field(4, 'train'), 100))), 500);
    const message = await refusal(find(file));
    expect(message).toContain('480 others');
    expect(message.length).toBeLessThan(6000);
  });

  const node = (...fields: Uint8Array[]) => field(1, Buffer.concat([field(2, 'Op'), ...fields]));
  const attribute = (value: Uint8Array) => node(field(5, field(2, value)));
  const definition = (...fields: Uint8Array[]) => field(2, field(1, Buffer.concat(fields)));
  const kinds = Array.from({ length: 66_000 }, (_, i) => field(1, field(2, `Op${i}`)));

  it.each([
    ['inputs', node(repeat(field(3, 'x'), 40_000)), '32768 inputs of a node'],
    ['long inputs', node(repeat(field(3, ':'.repeat(65_000)), 40)), '2097152 bytes in the names'],
    ['a long name', node(field(1, 'x'.repeat(70_000))), '65536 bytes in a name'],
    ['a long operation', field(1, field(2, 'x'.repeat(70_000))), '65536 bytes in a name'],
    ['fields that nobody knows', node(repeat(field(15, 1), 70_000)), '65536 fields'],
    ['attributes', node(repeat(field(5, field(1, 'a')), 5000)), '4096 attributes'],
    [
      'a long list',
      attribute(field(1, repeat(field(9, field(1, 'f')), 60_000))),
      '262144 bytes in an attribute',
    ],
    [
      'a shape of very many dims',
      attribute(field(7, repeat(field(2, nothing), 140_000))),
      '262144 bytes in an attribute',
    ],
    ['an attribute of very many values', attribute(repeat(field(3, 1), 70_000)), '65536 fields'],
    ['kinds of operations', Buffer.concat(kinds), '65536 kinds of operations'],
    ['functions', field(2, repeat(field(1, nothing), 140_000)), '131072 functions of a graph'],
    ['arguments', definition(field(1, repeat(field(2, nothing), 40_000))), '32768 arguments'],
    ['a long result', definition(field(4, field(2, 'x'.repeat(300_000)))), '262144 bytes in an attribute'],
  ])('has a graph that is refused with more than any model has: %s', async (_what, file, expected) => {
    const message = await refusal(readGraphOperations(file, new CountedTurns(1000)));
    expect(message).toMatch(`FAILED_PRECONDITION saved_model.pb: expected at most ${expected}`);
  });

  it('has constants and texts of any size', async () => {
    const large = Buffer.alloc(2 ** 20, 1);
    const file = Buffer.concat([attribute(field(8, large)), attribute(field(2, large))]);
    expect((await readGraphOperations(file, new CountedTurns(1000))).counts).toEqual(new Map([['Op', 2]]));
  });

  it('has a graph of objects that is read in pieces', async () => {
    const turns = new CountedTurns(1000);
    const read = (objects: Buffer) => FlattenedInputs.read(objects, messageOf(nothing), turns);
    await read(repeat(field(1, nothing), 100_000));
    expect(turns.count).toBeGreaterThanOrEqual(100_000);
    expect(await refusal(read(repeat(field(2, nothing), 2 ** 17 + 1)))).toContain('131072 functions');
    // One that takes something sparse, so that its objects are looked at.
    const sparse = field(2, field(2, field(3, field(34, Buffer.concat([field(1, 1), field(4, 3)])))));
    const top = (...fields: Uint8Array[]) => Buffer.concat([sparse, field(1, Buffer.concat(fields))]);
    turns.count = 0;
    await read(top(repeat(field(3, nothing), 100_000)));
    expect(turns.count).toBeGreaterThanOrEqual(100_000);
    expect(await refusal(read(top(repeat(field(1, nothing), 70_000))))).toContain('65536 children');
    expect(await refusal(read(top(field(1, field(2, 'x'.repeat(70_000))))))).toContain(
      '65536 bytes in the name',
    );
  });
});
