/** Finds outputs that are inputs at the same time. TensorFlow does not fetch what it is fed. */
import type { Signature, TensorSpec } from '../signature.js';
import { graphNameOf } from './graph-name.js';

export interface SplitOutputs {
  /** The tensors that a run fetches. If there are none, there is nothing to run. */
  readonly fetched: readonly TensorSpec[];
  /** The names of outputs, each with the input that it is. */
  readonly passed: readonly { readonly output: string; readonly input: string }[];
}

/** @param outputs are those of the signature that are wanted */
export function splitOutputs({ inputs }: Signature, outputs: readonly TensorSpec[]): SplitOutputs {
  const given = new Map(Array.from(inputs.values(), (spec) => [graphNameOf(spec), spec.name]));
  const passed = outputs.flatMap((spec) => {
    const input = given.get(graphNameOf(spec));
    return input === undefined ? [] : { output: spec.name, input };
  });
  return { fetched: outputs.filter((spec) => !given.has(graphNameOf(spec))), passed };
}
