/** What an inference request of the protocol says beyond other requests: its id, and the form of each output. */
import type { InferBody } from '../../codec/infer-body.js';
import type { WireTensor } from '../../codec/wire.js';

/** The form of the answer that a request wants. */
export interface Wanted {
  /** The id, which the answer repeats. */
  readonly id: string | undefined;
  /** True if outputs are binary unless the request says otherwise. */
  readonly isBinary: boolean;
  /** What the request says of single outputs. */
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
