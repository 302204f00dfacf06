/** What operations need that call functions, choose among them, loop or check: an interface to evaluate functions. */

import type { Turns } from '../../../flow/turns.js';
import type { Operation, Outputs } from './operation.js';
import type { Modules } from './stablehlo/module.js';
import type { Mixed, Value } from './value.js';

/** Evaluates functions. */
export interface Caller {
  /** Checks that could hold for a request alone but not for all requests of a run together, or the other way round. */
  readonly obstacles: Mixed[];
  /** The ranks that inputs of unknown rank must have, by input name. */
  readonly ranks: Map<string, number>;
  /** The StableHLO modules that have been read. */
  readonly modules: Modules;
  /** The steps left for all modules together. */
  readonly moduleSteps: { left: number };
  /** Gives the event loop back. */
  readonly turns: Turns;
  /** Calls a function. @param place tells this call from others */
  call(name: string, inputs: readonly Value[], place: string): Promise<Value[]>;
  /** True if a function returns a parameter unchanged, as the result with the same number. */
  handsOn(name: string, i: number): Promise<boolean>;
  /** True if a run of one of these functions may check something. */
  hasChecks(names: readonly string[]): Promise<boolean>;
}

export type Control = (operation: Operation, walk: Caller, place: string) => Outputs | Promise<Outputs>;
