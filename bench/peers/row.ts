import type { Slice } from '../slice.ts';

/** One server with one model and number of connections. */
export interface Row {
  readonly model: string;
  readonly connections: number;
  readonly title: string;
  readonly settings: string;
  /** Our requests per second divided by theirs, for each round; empty for ours. */
  readonly ratios: readonly number[];
  readonly slices: readonly Slice[];
  readonly mebibytes: number;
}
