/**
 * Bodies as other servers take them, told from those that are merely wrong.
 */
import { invalidArgument, type ServingError } from '../errors.js';

export const tensorFlowServing =
  'this is a request of TensorFlow Serving: send {"inputs": {"NAME": [row, row]}, "signature": "…"}, with the rows of each ' +
  'input by its name in place of "instances" and "signature_name" (docs/from-tensorflow-serving.md)';

export const openInference =
  'this is a request of the Open Inference Protocol, as Triton takes it: send it to /v2/models/NAME/infer; here send {"inputs": ' +
  '{"NAME": {"dtype": "float32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}}} in place of a list of inputs ' +
  '(docs/open-inference-protocol.md)';

/** Keys of TensorFlow Serving under which lists stand. The last is that of `:classify` and `:regress`. */
const listsOfRows: ReadonlySet<string> = new Set(['inputs', 'instances', 'examples']);

/**
 * The advice for a list of maps under a name, which no body of ours has; undefined if no server is known to take it.
 *
 * @param keys of one of the maps
 */
export function adviceForMaps(
  name: string | undefined,
  keys: { has(key: string): boolean },
): string | undefined {
  if (keys.has('datatype')) return openInference;
  return name !== undefined && listsOfRows.has(name) ? tensorFlowServing : undefined;
}

/**
 * @param names of the inputs that came
 * @param takes true for the names that the signature has
 * @throws ServingError INVALID_ARGUMENT for names that another server would take
 */
export function refuseOtherProtocols(names: Iterable<string>, takes: (name: string) => boolean): void {
  for (const name of names) {
    if (takes(name)) continue;
    if (name === 'signature_name' || listsOfRows.has(name)) throw invalidArgument(tensorFlowServing);
  }
}

/** Keys of other servers' envelopes. */
const foreignKeys: Readonly<Record<string, string>> = {
  signature_name: ': "signature_name" of TensorFlow Serving is "signature" here',
  model_spec: ': the path names the model here, and not "model_spec" of TensorFlow Serving',
  id: ': "id" of the Open Inference Protocol is the header X-Request-Id here; that protocol is at /v2',
  parameters: ': "parameters" of the Open Inference Protocol are for /v2',
};

/** An envelope with a key that it does not have. */
export function unknownKey(key: string, quotedKey: string): ServingError {
  const advice = Object.hasOwn(foreignKeys, key) ? foreignKeys[key] : '';
  return invalidArgument(
    `the envelope takes \`inputs\`, \`signature\` and \`outputs\`, not ${quotedKey}${advice}`,
  );
}
