/** Recognises bodies that other model servers take, so that the error can say how to send them here. */
import { invalidArgument, type ServingError } from '../errors.js';

const tensorFlowServing =
  'this is a request of TensorFlow Serving: send {"inputs": {"NAME": [row, row]}, "signature": "…"}, with the rows of each ' +
  'input by its name in place of "instances" and "signature_name" (docs/from-tensorflow-serving.md)';

export const openInference =
  'this is a request of the Open Inference Protocol, as Triton takes it: send it to /v2/models/NAME/infer; here send {"inputs": ' +
  '{"NAME": {"dtype": "float32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}}} in place of a list of inputs ' +
  '(docs/open-inference-protocol.md)';

/** The keys under which TensorFlow Serving takes lists. The last is that of `:classify` and `:regress`. */
const listsOfRows: ReadonlySet<string> = new Set(['inputs', 'instances', 'examples']);

/**
 * Advice for a list of maps under a name, which no body of ours has. It is undefined if no known server takes such a
 * list.
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
 * Refuses names that another server would take.
 *
 * @param names of the inputs that came
 * @param takes returns true for a name of the signature
 * @throws ServingError INVALID_ARGUMENT
 */
export function refuseOtherProtocols(names: Iterable<string>, takes: (name: string) => boolean): void {
  for (const name of names) {
    if (takes(name)) continue;
    if (name === 'signature_name' || listsOfRows.has(name)) throw invalidArgument(tensorFlowServing);
  }
}

/** The keys of other servers' envelopes. */
const foreignKeys: Readonly<Record<string, string>> = {
  signature_name: ': "signature_name" of TensorFlow Serving is "signature" here',
  model_spec: ': the path names the model here, and not "model_spec" of TensorFlow Serving',
  id: ': "id" of the Open Inference Protocol is the header X-Request-Id here; that protocol is at /v2',
  parameters: ': "parameters" of the Open Inference Protocol are for /v2',
};

/** The error for an unknown key of an envelope. */
export function unknownKey(key: string, quotedKey: string): ServingError {
  const advice = Object.hasOwn(foreignKeys, key) ? foreignKeys[key] : '';
  return invalidArgument(
    `the envelope takes \`inputs\`, \`signature\` and \`outputs\`, not ${quotedKey}${advice}`,
  );
}
