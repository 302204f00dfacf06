/**
 * Evaluates a StableHLO module over what is known of its tensors, as the walk over the graph does. A rule evaluates
 * each operation, and calls and loops evaluate what they call.
 */

import type { Turns } from '../../../../flow/turns.js';
import type { Outputs } from '../operation.js';
import { Size } from '../size.js';
import { type Mixed, mixed, same, type Value } from '../value.js';
import { controlNames, findModuleControl } from './control.js';
import { Malformed } from './cursor.js';
import { conform, Instruction } from './instruction.js';
import { instructions } from './instructions.js';
import type { Module, ModuleOperation, Region, Result } from './module.js';

/** The most calls within calls, and regions within regions. */
const maxDepth = 64;

/** The known values, by number. */
export type Environment = Map<number, Value>;

/** How many operations may still be evaluated, counting those of functions for each call. */
export interface StepBudget {
  left: number;
}

export class ModuleWalk {
  private depth = 0;

  constructor(
    private readonly module: Module,
    /**
     * Checks that could hold for a request alone but not for all requests of a run together, or the other way round.
     */
    readonly obstacles: Mixed[],
    private readonly turns: Turns,
    private readonly budget: StepBudget,
  ) {}

  /** Calls a function by name. @param place tells this call from others */
  async call(name: string, inputs: readonly Value[], place: string): Promise<readonly Value[]> {
    const called = this.module.functions.get(name);
    if (!called) throw new Malformed(`expected a function \`${name}\``);
    return this.run(called, inputs, new Map(), `${place}/${name}`);
  }

  /**
   * Runs a region. @param outer has the values of the regions around it, and gets those of this one
   * @returns the results of the region
   */
  async run(
    { parameters, operations }: Region,
    inputs: readonly Value[],
    outer: Environment,
    place: string,
  ): Promise<readonly Value[]> {
    if (parameters.length !== inputs.length)
      throw new Malformed(`expected ${parameters.length} inputs, got ${inputs.length}`);
    if (this.depth >= maxDepth)
      return [mixed('a StableHLO module calls too many functions within each other')];
    this.depth += 1;
    parameters.forEach((parameter, i) => {
      outer.set(parameter.value, this.conformed(parameter, inputs[i], `${place}\nparameter ${i}`));
    });
    for (const operation of operations) {
      const pausing = this.turns.pause();
      if (pausing) await pausing;
      const given = operation.operands.map((operand) => outer.get(operand) ?? mixed('it is computed later'));
      if (operation.name === 'return') {
        this.depth -= 1;
        return given;
      }
      await this.evaluate(operation, given, outer, `${place}\n${operation.results[0]?.value ?? ''}`);
    }
    throw new Malformed('expected a region to return');
  }

  private async evaluate(
    operation: ModuleOperation,
    inputs: readonly Value[],
    values: Environment,
    place: string,
  ): Promise<void> {
    const instruction = new Instruction(operation, inputs, place);
    const outputs =
      --this.budget.left < 0
        ? mixed('a StableHLO module is too large to follow')
        : await this.outputsOf(instruction, values, place);
    for (const [i, result] of operation.results.entries()) {
      const value = 'kind' in outputs ? outputs : outputs[i];
      values.set(result.value, this.conformed(result, value, `${place}:${i}`));
    }
  }

  private async outputsOf(instruction: Instruction, values: Environment, place: string): Promise<Outputs> {
    const { operation, inputs } = instruction;
    const control = findModuleControl(operation.name);
    if (control) return control(instruction, this, values, place);
    const unfit = inputs.find(({ kind }) => kind === 'mixed');
    if (unfit) return unfit;
    const rule = instructions.get(operation.name);
    if (!rule) return instruction.mixed('has no rule that shows what it does to rows');
    for (const [i, region] of operation.regions.entries()) {
      const made = await this.ofScalars(region, values, `${place}.${i}`);
      const other = made.find(({ kind }) => kind !== 'same');
      if (other)
        return other.kind === 'mixed' ? other : instruction.mixed('computes with a number of the batch');
    }
    return rule(instruction);
  }

  /** What a region computes from scalars and from values around it. It is the same for all if those are. */
  private ofScalars(region: Region, values: Environment, place: string): Promise<readonly Value[]> {
    const scalars = region.parameters.map(() => same([]));
    return this.run(region, scalars, values, place);
  }

  private conformed({ type }: Result, value: Value | undefined, place: string): Value {
    if (!value) return mixed('a StableHLO module has a value that is not known');
    return conform(value, type, (name) => Size.named(`${place}.${name}`));
  }
}

/** The operations of StableHLO that are followed. */
export const moduleOperations: readonly string[] = [...instructions.keys(), ...controlNames];
