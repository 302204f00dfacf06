/**
 * What an inference request is answered with, whatever the encoding.
 */
import { componentsOf } from '../engines/composite.js';
import type { CompositeSpec } from '../engines/signature.js';
import type { NamedTensors, Tensor } from '../tfjs/tensors.js';
import { raggedKeys, sparseKeys } from './wire.js';

export interface InferAnswer {
  readonly model: string;
  readonly version: number;
  readonly generation: number;
  /** By the names of the graph's tensors. */
  readonly outputs: NamedTensors;
  /** The sparse and ragged ones of the signature, by name; undefined if it has none. */
  readonly composites?: ReadonlyMap<string, CompositeSpec> | undefined;
}

/** An output as a caller sees it. */
export type Output = Tensor | OutputParts;

/** The parts of a sparse tensor, or of a ragged one, whose values may have parts themselves. */
export type OutputParts = Map<string, Output>;

/** The outputs by the names that callers know. */
export function callerOutputsOf({ outputs, composites }: InferAnswer): ReadonlyMap<string, Output> {
  if (!composites) return outputs;
  const seen = new Map<string, Output>(outputs);
  for (const spec of composites.values()) {
    const parts = componentsOf(spec).flatMap(({ name }) => outputs.get(name) ?? []);
    // It was not asked for.
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

/** As `tf.RaggedTensor` has them: each dim's row splits beside the values, which are ragged themselves but for the last. */
function raggedParts(values: Tensor, [splits, ...inner]: readonly Tensor[]): Output {
  if (!splits) return values;
  const within = raggedParts(values, inner);
  const [valuesKey, splitsKey] = raggedKeys;
  return new Map([
    [valuesKey, within],
    [splitsKey, splits],
  ]);
}

/** An encoded body: parts that are sent one after another, so that large outputs are not copied together. */
export interface EncodedBody {
  readonly parts: readonly Uint8Array[];
  /** Of all parts together. */
  readonly byteLength: number;
}

/** A body that is made while it is sent: a large one neither holds the event loop nor lies in memory as a whole. */
export interface BodyInPieces {
  /** Short work each. An empty piece only says that there was work. They read the outputs, which must live until the last. */
  readonly pieces: Iterable<Uint8Array>;
  /** Of all pieces together, where it is known before. */
  readonly byteLength: number | undefined;
}

export type AnswerBody = EncodedBody | BodyInPieces;

/** An inference answer as it is sent. */
export type EncodedAnswer = AnswerBody & {
  /** Where it is not the codec's own. */
  readonly mediaType?: string | undefined;
  /** Names and values in turn. */
  readonly headers?: readonly string[] | undefined;
};

export function encodedBody(parts: readonly Uint8Array[]): EncodedBody {
  return { parts, byteLength: parts.reduce((sum, part) => sum + part.length, 0) };
}
