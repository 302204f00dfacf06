/**
 * What an inference request of the protocol says besides what every one does: its id, and the form of each output.
 */
import type { InferBody } from '../../codec/infer-body.js';
import type { WireTensor } from '../../codec/wire.js';

/** How a request wants its answer. */
export interface Wanted {
  /** Repeated in the answer. */
  readonly id: string | undefined;
  /** Outputs are binary where nothing else is said of them. */
  readonly isBinary: boolean;
  /** What is said of single outputs. */
  readonly isBinaryOutput: ReadonlyMap<string, boolean>;
}

export class OipRequest implements InferBody {
  constructor(
    readonly inputs: InferBody['inputs'],
    readonly signature: string | undefined,
    readonly outputs: readonly string[] | undefined,
    readonly wanted: Wanted,
    /** A body without names: the values of the only input. */
    readonly onlyInput?: WireTensor,
  ) {}
}
