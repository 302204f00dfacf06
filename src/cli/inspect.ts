/**
 * `tfjs-serving inspect`: prints what the SavedModels in a folder say of themselves. It reads them without TensorFlow.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { checkFolder } from '../config/model-path.js';
import { callerInputs, callerOutputs } from '../engines/composite.js';
import { describeSignature, mapToObject } from '../engines/describe.js';
import { isOfFormat } from '../engines/engine.js';
import { type CallerSpec, formatSpec, type Signature } from '../engines/signature.js';
import { builtInOperations, builtInVersion } from '../engines/tensorflow/operations/built-in-operations.js';
import { explainUnknownOperations } from '../engines/tensorflow/operations/operation-wheels.js';
import { savedModelFormat } from '../engines/tensorflow/saved-model/format.js';
import { readSavedModel } from '../engines/tensorflow/saved-model/read.js';
import { messageOf, ServingError } from '../errors.js';
import { sharingOf } from '../serving/queue/batching.js';
import { readListing } from '../stores/folder/listing.js';
import { type Command, parseArguments, UsageError } from './usage.js';

export const command: Command = { help, run };

function help(): string {
  return `tfjs-serving inspect [flags] DIR: what SavedModels say of themselves, without loading them

  DIR              a SavedModel, one model's folder of versions, or a repository of models
  --tags TAG,TAG   which graph of a SavedModel to read (serve)
  --json           as JSON, sizes in bytes
  --help           this text

A version that is damaged or not complete is told, and the program ends with 1. Operations that TensorFlow ${builtInVersion} does not
have are marked: they need --op-library.
`;
}

/** What is known of one version, or why nothing is. */
interface Version {
  readonly model: string;
  readonly version: number;
  readonly directory: string;
  readonly facts: Facts | { readonly error: string };
}

interface Facts {
  readonly tags: readonly string[];
  readonly files: number;
  /** The bytes on disk, with assets. */
  readonly size: number;
  readonly parameters: number;
  readonly signatures: ReadonlyMap<string, Signature>;
  /** The number of nodes of each operation in the graph. */
  readonly operations: ReadonlyMap<string, number>;
  /** The operations that TensorFlow needs to load the graph, but does not bring. */
  readonly unknown: readonly string[];
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArguments('inspect', args, {
    tags: { type: 'string', default: 'serve' },
    json: { type: 'boolean' },
  });
  const [directory, ...more] = positionals;
  if (directory === undefined || more.length > 0)
    throw new UsageError('inspect takes one folder: tfjs-serving inspect saved_models');
  checkFolder(directory, '');
  const versions = await readVersions(directory, values.tags.split(','));
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ versions: versions.map(describe) }, null, 2)}\n`
      : versions.map(textOf).join('\n'),
  );
  const failed = versions.filter(({ facts }) => 'error' in facts).length;
  if (failed > 0)
    throw new ServingError('DATA_LOSS', `${failed} of ${versions.length} versions cannot be served`);
}

async function readVersions(directory: string, tags: readonly string[]): Promise<Version[]> {
  const {
    models,
    problems = [],
    unserved = [],
  } = await readListing(directory, {
    formats: [savedModelFormat],
    handlers: undefined,
  });
  if (!models) throw new ServingError('NOT_FOUND', problems[0] ?? `${directory} is no folder`);
  const versions: Version[] = [];
  for (const model of models) {
    for (const { version, place: directory } of model.versions ?? []) {
      const facts = await readFacts(directory, tags).catch((error) => ({ error: messageOf(error) }));
      versions.push({ model: model.name, version, directory, facts });
    }
  }
  if (versions.length === 0) {
    const why = problems[0] ?? unserved.at(-1) ?? `no SavedModel in ${directory}`;
    throw new ServingError('NOT_FOUND', `${why}; ${adviceOnOthers}`);
  }
  return versions.sort((a, b) => (a.model === b.model ? a.version - b.version : 0));
}

const adviceOnOthers =
  'inspect reads SavedModels alone: for a model of another engine, ask GET /models/NAME of the server that has the engine';

async function readFacts(directory: string, tags: readonly string[]): Promise<Facts> {
  if (!isOfFormat(await readdir(directory), savedModelFormat))
    throw new ServingError('NOT_FOUND', `it holds no ${savedModelFormat.mainFiles[0]}; ${adviceOnOthers}`);
  const { metaGraph, operations, parameterCount } = await readSavedModel(directory, tags);
  if (metaGraph.signatures.size === 0)
    throw new ServingError('FAILED_PRECONDITION', 'it has no signature that can be served');
  const sizes = await readSizes(directory);
  return {
    tags: metaGraph.tags,
    files: sizes.length,
    size: sizes.reduce((sum, size) => sum + size, 0),
    parameters: parameterCount,
    signatures: metaGraph.signatures,
    operations: new Map([...operations.counts].sort(byCount)),
    unknown: [...operations.used].filter((name) => !builtInOperations.has(name)).sort(),
  };
}

function byCount([a, inA]: readonly [string, number], [b, inB]: readonly [string, number]): number {
  return inB - inA || (a < b ? -1 : 1);
}

async function readSizes(directory: string): Promise<number[]> {
  const sizes: number[] = [];
  for (const name of await readdir(directory, { recursive: true })) {
    const facts = await stat(path.join(directory, name));
    if (facts.isFile()) sizes.push(facts.size);
  }
  return sizes;
}

function describe({ model, version, directory, facts }: Version): object {
  if ('error' in facts) return { model, version, directory, error: facts.error };
  const { tags, files, size, parameters, signatures, operations, unknown } = facts;
  return {
    model,
    version,
    directory,
    tags,
    files,
    size_bytes: size,
    parameters,
    signatures: mapToObject(signatures, (signature: Signature) => ({
      ...describeSignature(signature),
      batching: sharingOf(signature),
    })),
    operations: mapToObject(operations, (count) => count),
    unknown_operations: unknown,
    advice: adviceOn(unknown),
  };
}

function textOf({ model, version, directory, facts }: Version): string {
  const title = `${model}, version ${version}: ${directory}\n`;
  if ('error' in facts) return `${title}  error       ${facts.error}\n`;
  const { tags, files, size, parameters, signatures, operations, unknown } = facts;
  const advice = adviceOn(unknown);
  const nodes = [...operations.values()].reduce((sum, count) => sum + count, 0);
  return [
    title,
    `  tags        ${tags.join(', ')}\n`,
    `  size        ${formatBytes(size)} in ${files} files\n`,
    `  parameters  ${parameters.toLocaleString('en')}\n`,
    ...Array.from(signatures.values(), signatureText),
    `  operations  ${nodes.toLocaleString('en')} of ${operations.size} kinds\n`,
    ...Array.from(operations, ([name, count]) => {
      const mark = unknown.includes(name) ? '  (unknown)' : '';
      return `    ${String(count).padStart(8)}  ${name}${mark}\n`;
    }),
    advice === null ? '' : `  unknown     ${advice}\n`,
  ].join('');
}

/** Says which wheels have the operations, and how to serve with them; null if there are none. */
function adviceOn(unknown: readonly string[]): string | null {
  return unknown.length > 0 ? explainUnknownOperations(unknown, builtInVersion) : null;
}

function signatureText(signature: Signature): string {
  const [taken, given] = [callerInputs(signature), callerOutputs(signature)];
  const { sharing, why } = sharingOf(signature);
  const batching = why === '' ? sharing : `${sharing}: ${why}`;
  return [
    `  signature   ${signature.name}\n`,
    specsText('in ', taken),
    specsText('out', given),
    `    batching  ${batching}\n`,
  ].join('');
}

function specsText(direction: string, specs: ReadonlyMap<string, CallerSpec>): string {
  const width = Math.max(...Array.from(specs.keys(), (name) => name.length));
  const line = (spec: CallerSpec) => `    ${direction}  ${spec.name.padEnd(width)}  ${formatSpec(spec)}\n`;
  return Array.from(specs.values(), line).join('');
}

/** Prints `1.5 MiB`, with the exact number beside it if it was rounded. */
function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), 3);
  const unit = ['', 'KiB', 'MiB', 'GiB'][power];
  return `${(bytes / 1024 ** power).toFixed(1)} ${unit} (${bytes.toLocaleString('en')} bytes)`;
}
