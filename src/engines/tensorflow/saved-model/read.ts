/**
 * Reads what a SavedModel says of itself, and checks that all of it has arrived, without TensorFlow.
 *
 * TensorFlow loads a SavedModel whose variables are missing and calls that a success; every run fails afterwards. So
 * the content of the folder is checked before TensorFlow sees it.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ServingError } from '../../../errors.js';
import { kindOf, readRegularFile } from '../../../files/regular-file.js';
import { storageCalls } from '../../../files/storage-call.js';
import { readFailure } from '../../../files/storage-failure.js';
import { Turns } from '../../../flow/turns.js';
import type { Dim, MetaGraph, RowProof, Signature, TensorSpec, UnusableSignature } from '../../signature.js';
import { GraphDef } from '../graph/graph-def.js';
import { findGuards, type Guards, noGuards } from '../graph/guards/find.js';
import { parseTensorName, proveRows, type SignatureFacts, shapeOfRank } from '../graph/prove.js';
import { graphNameOf } from '../graph-name.js';
import { compilesShapes } from '../xla.js';
import { FlattenedInputs } from './flattened-inputs.js';
import { type GraphOperations, readGraphOperations } from './graph-operations.js';
import { findMetaGraph, type MetaGraphDef } from './meta-graphs.js';
import { readSignatureDef } from './signature-def.js';
import { savedModelOfText, savedModelTextFile } from './text-form.js';
import { readVariablesIndex, type VariablesIndex } from './variables-index.js';

/** The file that marks a folder as a SavedModel. */
export const savedModelFile = 'saved_model.pb';

/** True for a file that marks a folder as a SavedModel. */
export function isSavedModelFile(name: string): boolean {
  return name === savedModelFile || name === savedModelTextFile;
}

/** TensorFlow's own signature for its initialisation op. Its loader uses this name. */
const initSignature = '__saved_model_init_op';

/** The operations that hold a variable. A graph that restores one needs its `variables` folder. */
const variableOps = ['VarHandleOp', 'VariableV2', 'Variable'];

/** A SavedModel that is complete. */
export interface SavedModel {
  readonly metaGraph: MetaGraph;
  readonly operations: GraphOperations;
  /** The guards that keep requests from ending the process. */
  readonly guards: Guards;
  /** The number of values in all variables together. */
  readonly parameterCount: number;
  /** The least memory that it takes: its variables, and its graph with all constants. */
  readonly byteLength: number;
}

/** The limit of protobuf itself. */
const maxGraphBytes = 2 ** 31 - 1;

/** The most bytes of an index. An entry takes about a hundred. */
const maxIndexBytes = 2 ** 28;

/** TensorFlow keeps the graph in several forms: a graph with constants of 200 MiB took 1,200 MiB while it served. */
const graphCopies = 5;

/**
 * Reads a SavedModel and checks that it is complete.
 *
 * @param directory holds `saved_model.pb`
 * @param tags are those of the graph to serve, in any order
 * @throws ServingError naming a file that is missing, short or damaged, or the tags that exist; UNAVAILABLE if the
 * storage fails
 */
export async function readSavedModel(directory: string, tags: readonly string[]): Promise<SavedModel> {
  const file = await readSavedModelFile(directory);
  const turns = new Turns();
  const graph = await orDamaged(findMetaGraph(file, tags, turns));
  const operations = await orDamaged(readGraphOperations(graph.graphDef, turns));
  const hasVariables = variableOps.some((operation) => operations.outside.has(operation));
  // Local variables are not saved. If there are no others, TensorFlow names no operation that restores, and writes no
  // index.
  const isRestored = hasVariables && graph.restoreOp !== '';
  const index = await checkVariables(path.join(directory, 'variables'), isRestored, turns);
  await checkAssets(directory, graph);
  const variableBytes = index?.shardBytes.reduce((sum, bytes) => sum + bytes, 0) ?? 0;
  const { metaGraph, guards } = await orDamaged(toMetaGraph(graph, turns));
  return {
    metaGraph,
    guards,
    operations,
    parameterCount: index?.parameterCount ?? 0,
    byteLength: graphCopies * file.length + variableBytes,
  };
}

/** The content of `saved_model.pb`, or if there is none, of `saved_model.pbtxt`, as in TensorFlow. */
export async function readSavedModelFile(directory: string): Promise<Uint8Array> {
  const read = (name: string) => readRegularFile(path.join(directory, name), maxGraphBytes);
  const isMissing = (error: NodeJS.ErrnoException) => error.code === 'ENOENT';
  try {
    return await read(savedModelFile);
  } catch (error) {
    const text = isMissing(error as NodeJS.ErrnoException)
      ? await read(savedModelTextFile).catch((failure: NodeJS.ErrnoException) => {
          if (!isMissing(failure)) throw cannotBeRead(savedModelTextFile, failure);
        })
      : undefined;
    if (text) return savedModelOfText(text);
    throw cannotBeRead(savedModelFile, error as NodeJS.ErrnoException);
  }
}

function cannotBeRead(name: string, error: NodeJS.ErrnoException): ServingError {
  return readFailure(
    name,
    error,
    (code) => new ServingError('NOT_FOUND', `${name} cannot be read (${code})`),
  );
}

/** Replaces the error for a half-written protobuf, which would help nobody. */
async function orDamaged<Value>(reading: Promise<Value>): Promise<Value> {
  return reading.catch((error: unknown) => {
    if (error instanceof ServingError) throw error;
    throw new ServingError('DATA_LOSS', `${savedModelFile} is damaged or not complete`);
  });
}

/** Checks the assets. A vocabulary that has not arrived yet is found before TensorFlow fails over it. */
async function checkAssets(directory: string, { assets }: MetaGraphDef): Promise<void> {
  for (const filename of assets) {
    const what = `assets/${filename}`;
    await sizeOf(path.join(directory, what), what);
  }
}

/** Checks the variables. @returns what `variables.index` says; undefined if there are no variables */
async function checkVariables(
  folder: string,
  required: boolean,
  turns: Turns,
): Promise<VariablesIndex | undefined> {
  const indexFile = path.join(folder, 'variables.index');
  const file = await readRegularFile(indexFile, maxIndexBytes).catch((error: NodeJS.ErrnoException) => {
    if (!required && error.code === 'ENOENT') return undefined;
    const what = 'variables/variables.index';
    throw readFailure(
      what,
      error,
      (code) =>
        new ServingError('DATA_LOSS', `the graph has variables, but ${what} cannot be read (${code})`),
    );
  });
  if (!file) return undefined;
  const index = await readVariablesIndex(file, turns);
  const { shardBytes } = index;
  for (const [shard, needed] of shardBytes.entries()) {
    const name = `variables.data-${pad(shard)}-of-${pad(shardBytes.length)}`;
    const size = await sizeOf(path.join(folder, name), `variables/${name}`);
    if (size < needed)
      throw new ServingError('DATA_LOSS', `variables/${name} is short: ${size} of ${needed} bytes`);
  }
  return index;
}

/**
 * @returns the size in bytes of a file that TensorFlow will read. TensorFlow would wait for a pipe, so only regular
 * files pass
 */
async function sizeOf(file: string, what: string): Promise<number> {
  const facts = await storageCalls
    .make(() => stat(file))
    .catch((error: NodeJS.ErrnoException) => {
      throw readFailure(what, error, () => new ServingError('DATA_LOSS', `${what} is missing`));
    });
  if (!facts.isFile())
    throw new ServingError('FAILED_PRECONDITION', `${what} is ${kindOf(facts)}, and must be a file`);
  return facts.size;
}

function pad(shard: number): string {
  return String(shard).padStart(5, '0');
}

async function toMetaGraph(
  metaGraph: MetaGraphDef,
  turns: Turns,
): Promise<Pick<SavedModel, 'metaGraph' | 'guards'>> {
  const { graphDef, tags, signatureDef, objectGraphDef } = metaGraph;
  const signatures = new Map<string, Signature>();
  const unusable: UnusableSignature[] = [];
  const graph = await GraphDef.read(graphDef, turns);
  const flattened = await FlattenedInputs.read(objectGraphDef, graphDef, turns);
  for (const { key: name, value } of signatureDef) {
    if (name === initSignature || !value) continue;
    const read = readSignatureDef(name, value);
    if ('why' in read) {
      unusable.push(read);
      continue;
    }
    const signature = await flattened.restore(read);
    // A signature without outputs is one of TensorFlow's own (train and init ops).
    if (signature.outputs.size === 0) continue;
    const { ranks, shapes, operations, ...rows } = await prove(graph, signature, turns);
    const inputs = withShapes(signature.inputs, (input) => shapeOfRank(ranks.get(input)));
    const outputs = withShapes(signature.outputs, (output) => shapes.get(output) ?? null);
    const found = { inputs, outputs, operations, rows, compilesShapes: compilesShapes(operations) };
    signatures.set(name, { ...signature, ...found });
  }
  const guards = await guard(graph, [...signatures.values()], turns);
  return { metaGraph: { tags, signatures, unusable }, guards };
}

/** Finds the guards; none for a graph that cannot be followed. */
async function guard(graph: GraphDef, signatures: readonly Signature[], turns: Turns): Promise<Guards> {
  const outputs = signatures.flatMap((signature) => [...signature.outputs.values()]);
  const sources = outputs.map((output) => parseTensorName(graphNameOf(output)));
  const operations = new Set(signatures.flatMap((signature) => [...(signature.operations ?? [])]));
  return findGuards(graph, sources, operations, turns).catch(() => noGuards);
}

/** Adds the shapes that the graph shows where the signature says none. */
function withShapes(
  specs: ReadonlyMap<string, TensorSpec>,
  shapeOf: (name: string) => readonly Dim[] | null,
): Map<string, TensorSpec> {
  return new Map(
    Array.from(specs, ([name, spec]) => [name, { ...spec, shape: spec.shape ?? shapeOf(name) }]),
  );
}

/**
 * Proves the signatures. A graph that cannot be followed is not proven: TensorFlow may accept a form that we do not
 * know.
 */
async function prove(
  graph: GraphDef,
  signature: Pick<Signature, 'inputs' | 'outputs'>,
  turns: Turns,
): Promise<RowProof & Omit<SignatureFacts, 'operations'> & Pick<Signature, 'operations'>> {
  try {
    return await proveRows(graph, signature, turns);
  } catch (error) {
    const why = `its graph cannot be followed (${messageOf(error)})`;
    return { verdict: 'unproven', why, ranks: new Map(), shapes: new Map(), operations: undefined };
  }
}
