/** The answer to an inference request, whatever its encoding. */
import { componentsOf } from '../engines/composite.js';
import type { CompositeSpec } from '../engines/signature.js';
import type { NamedTensors, Tensor } from '../tfjs/tensors.js';
import { raggedKeys, sparseKeys } from './wire.js';

/** The outputs of a run, and which version gave them. */
export interface InferAnswer {
  readonly model: string;
  readonly version: number;
  /** Counts loads: the same version from other files has another one. */
  readonly generation: number;
  /** The outputs by the names of the graph's tensors. */
  readonly outputs: NamedTensors;
  /** The sparse and ragged outputs of the signature by name; undefined if there are none. */
  readonly composites?: ReadonlyMap<string, CompositeSpec> | undefined;
}

/** An output as a caller sees it. */
export type Output = Tensor | OutputParts;

/** The parts of a sparse or ragged tensor. The values of a ragged tensor may have parts themselves. */
export type OutputParts = Map<string, Output>;

/** The outputs by the names that callers know. */
export function callerOutputsOf({ outputs, composites }: InferAnswer): ReadonlyMap<string, Output> {
  if (!composites) return outputs;
  const seen = new Map<string, Output>(outputs);
  for (const spec of composites.values()) {
    const parts = componentsOf(spec).flatMap(({ name }) => outputs.get(name) ?? []);
    // The request did not ask for it.
    if (parts.length === 0) continue;
    for (const { name } of componentsOf(spec)) seen.delete(name);
    const [first, ...more] = parts as [Tensor, ...Tensor[]];
    seen.set(spec.name, spec.kind === 'sparse' ? sparseParts(parts) : raggedParts(first, more));
  }
  return seen;
}

function sparseParts(parts: readonly Tensor[]): OutputParts {
  return new Map(parts.map((tensor, i) => [String(sparseKeys[i]), tensor]));
}

/**
 * The parts as `tf.RaggedTensor` has them: the row splits of a dim, and the values, which are ragged themselves if dims
 * remain.
 */
function raggedParts(values: Tensor, [splits, ...inner]: readonly Tensor[]): Output {
  if (!splits) return values;
  const within = raggedParts(values, inner);
  const [valuesKey, splitsKey] = raggedKeys;
  return new Map([
    [valuesKey, within],
    [splitsKey, splits],
  ]);
}

/**
 * An encoded body. Its parts are sent one after another, so that large outputs are not copied together. A single part
 * is no view on an output: the outputs may be freed before it has left.
 */
export interface EncodedBody {
  readonly parts: readonly Uint8Array[];
  /** The bytes of all parts together. */
  readonly byteLength: number;
}

/** A body that is made while it is sent. A large one neither holds the event loop nor lies in memory as a whole. */
export interface BodyInPieces {
  /**
   * The pieces. Each is short work to make, and an empty one only stands for work that was done. They read the outputs,
   * which must live until the last piece.
   */
  readonly pieces: Iterable<Uint8Array>;
  /** The bytes of all pieces together, if they are known beforehand. */
  readonly byteLength: number | undefined;
}

/** A body, as a codec makes it. */
export type AnswerBody = EncodedBody | BodyInPieces;

/** An inference answer as it is sent. */
export type EncodedAnswer = AnswerBody & {
  /** The media type, if it is not the codec's own. */
  readonly mediaType?: string | undefined;
  /** Header names and values in turn. */
  readonly headers?: readonly string[] | undefined;
};

export function encodedBody(parts: readonly Uint8Array[]): EncodedBody {
  return { parts, byteLength: parts.reduce((sum, part) => sum + part.length, 0) };
}
