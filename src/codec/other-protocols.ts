/**
 * Bodies as other servers take them, told from those that are merely wrong.
 */
import { invalidArgument, type ServingError } from '../errors.js';

export const tensorFlowServing =
  'this is a request of TensorFlow Serving: send {"inputs": {"NAME": [row, row]}, "signature": "…"}, with the rows of each ' +
  'input by its name in place of "instances" and "signature_name" (docs/from-tensorflow-serving.md)';

export const openInference =
  'this is a request of Triton and the Open Inference Protocol: send {"inputs": {"NAME": {"dtype": "float32", "shape": [2, 3], ' +
  '"data": [1, 2, 3, 4, 5, 6]}}} in place of a list of inputs (docs/from-triton.md)';

/** What is wrong with an object in a list, which no body of ours has. */
export function objectInList(name: string | undefined, keys: ReadonlyMap<string, unknown>): string {
  if (name === 'inputs' && keys.has('datatype')) return openInference;
  if (name === 'instances' || name === 'inputs') return tensorFlowServing;
  return 'a list holds numbers, texts, true, false and {"b64": …}, and no other objects';
}

/**
 * @param names of the inputs that came
 * @param takes true for the names that the signature has
 * @throws ServingError INVALID_ARGUMENT for names that another server would take
 */
export function refuseOtherProtocols(names: Iterable<string>, takes: (name: string) => boolean): void {
  for (const name of names) {
    if (takes(name)) continue;
    if (name === 'instances' || name === 'signature_name') throw invalidArgument(tensorFlowServing);
  }
}

/** An envelope with a key that it does not have. */
export function unknownKey(key: string, quotedKey: string): ServingError {
  const advice =
    key === 'signature_name' ? ': "signature_name" of TensorFlow Serving is "signature" here' : '';
  return invalidArgument(
    `the envelope takes \`inputs\`, \`signature\` and \`outputs\`, not ${quotedKey}${advice}`,
  );
}
