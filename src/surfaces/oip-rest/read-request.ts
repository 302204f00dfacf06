/** Reads inference requests of the protocol: a JSON object, followed by the binary tensors that it describes. */
import { jsonTensor } from '../../codec/json/decode.js';
import { readJson } from '../../codec/json/reader.js';
import { checkByteCount, checkShape, type WireLimits, type WireTensor } from '../../codec/wire.js';
import { invalidArgument, quoted, ServingError } from '../../errors.js';
import { type Claim, Meter, type Steps } from '../../flow/steps.js';
import { runInTurns } from '../../flow/turns.js';
import { elementCount } from '../../tensors/dtypes.js';
import { bounds, bytesPerWork } from '../../tensors/limits.js';
import { isList } from '../../tensors/long-list.js';
import { dtypeOfName } from './datatypes.js';
import {
  booleanField,
  type Fields,
  nameField,
  objectsField,
  parametersOf,
  sizeField,
  textField,
} from './fields.js';
import { readFramedStrings } from './framed-strings.js';
import { knownHeadsUnder } from './known-heads.js';
import { OipRequest } from './request.js';

/** Reading an input or an output takes as long as reading this many values. */
const workPerObject = 16;

const inputForm = '{"name", "datatype", "shape", "data"}';

/**
 * @param jsonLength is the bytes of the JSON, which binary tensors may follow
 * @param claim is called before values take memory
 * @throws ServingError INVALID_ARGUMENT saying what is wrong and where, UNIMPLEMENTED for features that are missing
 * here
 */
export function readRequest(
  body: Uint8Array,
  jsonLength: number,
  limits: WireLimits,
  claim: Claim,
): OipRequest | Promise<OipRequest> {
  // A body whose JSON was read before is known at once.
  return (
    knownHeadsUnder(limits).match(body, jsonLength) ??
    runInTurns(requestInSteps(body, jsonLength, limits, claim))
  );
}

/** Does the same as {@link readRequest}, in steps. */
export function* requestInSteps(
  body: Uint8Array,
  jsonLength: number,
  limits: WireLimits,
  claim: Claim,
): Steps<OipRequest> {
  if (jsonLength > body.length)
    throw invalidArgument(
      `Inference-Header-Content-Length says ${jsonLength} bytes of JSON, and the body has ${body.length}`,
    );
  if (jsonLength === 0) throw invalidArgument(`the body is empty: send {"inputs": [${inputForm}]} in JSON`);
  const root = yield* readJson(body.subarray(0, jsonLength), limits.maxDepth, claim, bounds.objects.most);
  if (!(root instanceof Map)) throw invalidArgument(`the body must be {"inputs": [${inputForm}]}`);
  const binary = new BinaryTensors(body, jsonLength);
  const parameters = parametersOf('the request', root);
  refuseSequences(parameters);
  const inputs = yield* readInputs(root, binary, limits, claim);
  binary.checkEnd();
  const { outputs, isBinaryOutput } = yield* readOutputs(root);
  const request = new OipRequest(inputs, textField('`parameters`', parameters, 'signature'), outputs, {
    id: textField('the request', root, 'id'),
    isBinary: booleanField('`parameters`', parameters, 'binary_data_output') ?? false,
    isBinaryOutput,
  });
  knownHeadsUnder(limits).keep(body, jsonLength, request);
  return request;
}

/** The bytes after the JSON. They are taken in order. */
class BinaryTensors {
  private at: number;

  constructor(
    private readonly body: Uint8Array,
    jsonLength: number,
  ) {
    this.at = jsonLength;
  }

  take(what: string, size: number): Uint8Array {
    const { body, at } = this;
    if (size > body.length - at)
      throw invalidArgument(
        `${what} has a binary_data_size of ${size}, and ${body.length - at} bytes are left behind the JSON`,
      );
    this.at += size;
    return body.subarray(at, at + size);
  }

  checkEnd(): void {
    const left = this.body.length - this.at;
    if (left > 0)
      throw invalidArgument(`${left} bytes follow the tensors: no input's binary_data_size tells of them`);
  }
}

function* readInputs(
  root: Fields,
  binary: BinaryTensors,
  limits: WireLimits,
  claim: Claim,
): Steps<Map<string, WireTensor>> {
  const objects = objectsField(root, 'inputs', inputForm);
  if (!objects) throw invalidArgument(`\`inputs\` is missing: send {"inputs": [${inputForm}]}`);
  const inputs = new Map<string, WireTensor>();
  const meter = new Meter();
  for (const fields of objects) {
    const name = nameField('an element of `inputs`', fields, 'name');
    if (inputs.has(name)) throw invalidArgument(`input ${quoted(name)} comes twice`);
    inputs.set(name, yield* readInput(`input ${quoted(name)}`, fields, binary, limits, claim));
    if (meter.isDue(workPerObject + name.length / bytesPerWork)) yield;
  }
  return inputs;
}

function* readInput(
  what: string,
  fields: Fields,
  binary: BinaryTensors,
  limits: WireLimits,
  claim: Claim,
): Steps<WireTensor> {
  const dtype = dtypeOfName(what, nameField(what, fields, 'datatype'));
  const parameters = parametersOf(what, fields);
  refuseSharedMemory(what, parameters);
  const size = sizeField(`the parameters of ${what}`, parameters, 'binary_data_size');
  const dims = fields.get('shape');
  if (!isList(dims)) throw invalidArgument(`the shape of ${what} must be a list of sizes`);
  // KServe's SDK sends `null` beside the size of a tensor without elements.
  const data = fields.get('data') ?? undefined;
  if (size === undefined) {
    if (data === undefined)
      throw invalidArgument(`${what} has neither \`data\` nor the parameter \`binary_data_size\``);
    const tensor = new Map([
      ['dtype', dtype],
      ['shape', dims],
      ['data', data],
    ]);
    return yield* jsonTensor(what, tensor, limits, claim);
  }
  if (data !== undefined)
    throw invalidArgument(`${what} has both \`data\` and the parameter \`binary_data_size\``);
  const shape = checkShape(what, dims, limits);
  const bytes = binary.take(what, size);
  if (dtype === 'string') {
    const strings = yield* readFramedStrings(what, bytes, elementCount(shape), claim);
    return { kind: 'typed', dtype, shape, data: strings };
  }
  checkByteCount(what, dtype, shape, size);
  return { kind: 'typed', dtype, shape, data: bytes };
}

function* readOutputs(root: Fields): Steps<{
  outputs: readonly string[] | undefined;
  isBinaryOutput: ReadonlyMap<string, boolean>;
}> {
  const isBinaryOutput = new Map<string, boolean>();
  const objects = objectsField(root, 'outputs', '{"name"}') ?? [];
  const names = new Set<string>();
  const meter = new Meter();
  for (const fields of objects) {
    const name = nameField('an element of `outputs`', fields, 'name');
    const what = `output ${quoted(name)}`;
    if (names.has(name)) throw invalidArgument(`${what} is asked for twice`);
    names.add(name);
    const parameters = parametersOf(what, fields);
    refuseSharedMemory(what, parameters);
    refuseClassification(what, parameters);
    const isBinary = booleanField(`the parameters of ${what}`, parameters, 'binary_data');
    if (isBinary !== undefined) isBinaryOutput.set(name, isBinary);
    if (meter.isDue(workPerObject + name.length / bytesPerWork)) yield;
  }
  return { outputs: names.size === 0 ? undefined : [...names], isBinaryOutput };
}

function refuseSharedMemory(what: string, parameters: Fields): void {
  if (parameters.has('shared_memory_region'))
    throw new ServingError(
      'UNIMPLEMENTED',
      `${what} lies in shared memory, which this server does not take: send binary tensor data`,
    );
}

function refuseClassification(what: string, parameters: Fields): void {
  if ((sizeField(`the parameters of ${what}`, parameters, 'classification') ?? 0) > 0)
    throw new ServingError(
      'UNIMPLEMENTED',
      `${what} is asked for as a classification, which this server does not make: ask for the output itself`,
    );
}

/** Refuses sequences. Answering as if each request stood alone would be wrong. */
function refuseSequences(parameters: Fields): void {
  const id = parameters.get('sequence_id');
  if (id !== undefined && id !== null && id !== 0 && id !== '')
    throw new ServingError('UNIMPLEMENTED', '`sequence_id` is not known here: models keep no sequences');
}
