/**
 * What operations need that call functions, choose among them, loop or check: somebody who evaluates functions.
 */

import type { Turns } from '../../../flow/turns.js';
import type { Operation, Outputs } from './operation.js';
import type { Modules } from './stablehlo/module.js';
import type { Mixed, Value } from './value.js';

/** What evaluates functions. */
export interface Caller {
  /** Checks that may hold for a request alone and not for all together, or the other way round. */
  readonly obstacles: Mixed[];
  /** Ranks that inputs of unknown rank must have, by the input's name. */
  readonly ranks: Map<string, number>;
  /** StableHLO modules that were read. */
  readonly modules: Modules;
  /** For all modules together. */
  readonly moduleSteps: { left: number };
  /** Gives others their turn. */
  readonly turns: Turns;
  /** Calls a function. @param place tells this call from others */
  call(name: string, inputs: readonly Value[], place: string): Promise<Value[]>;
  /** True if a function gives a parameter back as it is, as the result of the same number. */
  handsOn(name: string, i: number): Promise<boolean>;
  /** True if a run of one of these functions may check something. */
  hasChecks(names: readonly string[]): Promise<boolean>;
}

export type Control = (operation: Operation, walk: Caller, place: string) => Outputs | Promise<Outputs>;
