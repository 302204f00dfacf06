/**
 * Reads the meta graphs of a SavedModel (saved_model.proto, meta_graph.proto) by their tags, in pieces. A small file
 * may hold very many of anything. A number that no model reaches is refused before objects are made.
 */
import { tensorflow } from '#proto/decoders.js';
import { ServingError } from '../../../errors.js';
import type { Turns } from '../../../flow/turns.js';
import { eachBytesField, lastBytesField, type Message, messageOf, stringField } from '../graph/wire.js';
import { readerOf } from '../proto/message-reader.js';
import type { Entry, SignatureDef } from './signature-def.js';

export interface MetaGraphDef {
  readonly tags: readonly string[];
  /** A serialized `tensorflow.GraphDef`. */
  readonly graphDef: Message;
  readonly signatureDef: readonly Entry<SignatureDef>[];
  /** A serialized `tensorflow.SavedObjectGraph`; empty if there is none. */
  readonly objectGraphDef: Message;
  /** The name of the operation that restores variables from their files; empty if nothing was saved. */
  readonly restoreOp: string;
  /** The names of files below `assets`. */
  readonly assets: readonly string[];
}

/** The most that a SavedModel may hold. Each limit is many times what models have. */
const most = {
  metaGraphs: 1000,
  tags: 1000,
  tagBytes: 2 ** 12,
  signatures: 2 ** 12,
  tensors: 2 ** 14,
  tensorBytes: 2 ** 16,
  assets: 2 ** 16,
  saverBytes: 2 ** 16,
};

/**
 * The meta graph with these tags, in any order.
 *
 * @throws ServingError NOT_FOUND naming the tags that exist; FAILED_PRECONDITION if it holds more than a server takes;
 * RangeError for a file that is no SavedModel
 */
export async function findMetaGraph(
  savedModel: Uint8Array,
  tags: readonly string[],
  turns: Turns,
): Promise<MetaGraphDef> {
  const graphs: Message[] = [];
  const add = (field: number, value: Message) => {
    if (field !== 2) return;
    graphs.push(value);
    checkCount(graphs.length, most.metaGraphs, 'meta graphs');
  };
  await eachBytesField(messageOf(savedModel), add, turns);
  if (graphs.length === 0) throw new RangeError('no meta graph');
  const present: string[][] = [];
  const wanted = sorted(tags);
  for (const graph of graphs) {
    const found = await tagsOf(graph, turns);
    if (sorted(found) === wanted) return readMetaGraph(graph, found, turns);
    present.push(found);
  }
  const names = present.slice(0, namedTags).map((each) => `"${each.join(',')}"`.slice(0, longestName));
  if (present.length > names.length) names.push(`${present.length - names.length} others`);
  throw new ServingError(
    'NOT_FOUND',
    `no graph with the tags "${tags.join(',')}"; this SavedModel has ${names.join(' and ')}`,
  );
}

/** The most tags that an error names. */
const namedTags = 20;
const longestName = 200;

function sorted(tags: readonly string[]): string {
  return [...tags].sort().join();
}

/** @throws ServingError FAILED_PRECONDITION if the count is beyond the limit */
export function checkCount(count: number, limit: number, what: string): void {
  if (count > limit)
    throw new ServingError(
      'FAILED_PRECONDITION',
      `saved_model.pb: expected at most ${limit} ${what}, got ${count} or more: is it damaged?`,
    );
}

/** @throws ServingError FAILED_PRECONDITION if there are more than a server takes */
export async function tagsOf(metaGraph: Message, turns: Turns): Promise<string[]> {
  let info: Message | undefined;
  const find = (field: number, value: Message) => {
    if (field === 1) info = value;
  };
  await eachBytesField(metaGraph, find, turns);
  const tags: string[] = [];
  const add = (field: number, value: Message) => {
    if (field !== 4) return;
    checkCount(value.length, most.tagBytes, 'bytes in a tag');
    tags.push(value.toString());
    checkCount(tags.length, most.tags, 'tags of a meta graph');
  };
  if (info) await eachBytesField(info, add, turns);
  return tags;
}

async function readMetaGraph(
  metaGraph: Message,
  tags: readonly string[],
  turns: Turns,
): Promise<MetaGraphDef> {
  let graphDef: Message = messageOf(new Uint8Array());
  let objectGraphDef: Message = graphDef;
  let saverDef: Message = graphDef;
  const signatures: Message[] = [];
  const assetFiles: Message[] = [];
  const take = (field: number, value: Message) => {
    if (field === 2) graphDef = value;
    else if (field === 3) saverDef = value;
    else if (field === 7) objectGraphDef = value;
    else if (field === 5) signatures.push(value);
    else if (field === 6) assetFiles.push(value);
    checkCount(saverDef.length, most.saverBytes, 'bytes that say how its variables are restored');
    checkCount(signatures.length, most.signatures, 'signatures of a meta graph');
    checkCount(assetFiles.length, most.assets, 'assets of a meta graph');
  };
  await eachBytesField(metaGraph, take, turns);
  const assets: string[] = [];
  for (const file of assetFiles) assets.push((await lastBytesField(file, 2, turns))?.toString() ?? '');
  const signatureDef: Entry<SignatureDef>[] = [];
  for (const entry of signatures) signatureDef.push(await readSignature(entry, turns));
  return { tags, graphDef, signatureDef, objectGraphDef, restoreOp: stringField(saverDef, 3), assets };
}

/** Reads an entry of the map of signatures. */
async function readSignature(entry: Message, turns: Turns): Promise<Entry<SignatureDef>> {
  const key = (await lastBytesField(entry, 1, turns))?.toString() ?? '';
  const value = await lastBytesField(entry, 2, turns);
  if (!value) return { key };
  const tensors: { readonly field: number; readonly value: Message }[] = [];
  const add = (field: number, tensor: Message) => {
    if (field !== 1 && field !== 2) return;
    checkCount(tensor.length, most.tensorBytes, 'bytes that describe a tensor of a signature');
    tensors.push({ field, value: tensor });
    checkCount(tensors.length, most.tensors, 'tensors of a signature');
  };
  await eachBytesField(value, add, turns);
  const inputs: tensorflow.NamedTensorInfo[] = [];
  const outputs: tensorflow.NamedTensorInfo[] = [];
  for (const { field, value } of tensors) {
    const pausing = turns.pause();
    if (pausing) await pausing;
    (field === 1 ? inputs : outputs).push(tensorflow.NamedTensorInfo.decode(readerOf(value)));
  }
  return { key, value: { inputs, outputs } };
}
