/**
 * Outputs that are inputs as they came: TensorFlow does not fetch what it is fed.
 */
import type { Signature, TensorSpec } from '../signature.js';

export interface SplitOutputs {
  /** What a run fetches; where this is empty there is nothing to run. */
  readonly fetched: readonly TensorSpec[];
  /** Names of outputs, with the inputs that they are. */
  readonly passed: readonly { readonly output: string; readonly input: string }[];
}

/** @param outputs those of the signature that are wanted */
export function splitOutputs({ inputs }: Signature, outputs: readonly TensorSpec[]): SplitOutputs {
  const given = new Map(Array.from(inputs.values(), ({ name, graphName }) => [graphName, name]));
  const passed = outputs.flatMap(({ name, graphName }) => {
    const input = given.get(graphName);
    return input === undefined ? [] : { output: name, input };
  });
  return { fetched: outputs.filter(({ graphName }) => !given.has(graphName)), passed };
}
