/** One operation of a StableHLO module, as its rule sees it. */
import type { NameSize } from '../join.js';
import { type Outputs, Step } from '../operation.js';
import { Size } from '../size.js';
import { type Dims, isSound, mixed, same, type Value } from '../value.js';
import type { Attributes } from './attributes.js';
import type { ModuleOperation } from './module.js';
import type { Element, Type } from './types.js';

/** Gives the outputs of an operation for its inputs, none of which is mixed. */
export type InstructionRule = (instruction: Instruction) => Outputs;

export class Instruction extends Step {
  constructor(
    readonly operation: ModuleOperation,
    inputs: readonly Value[],
    place: string,
  ) {
    super(`\`stablehlo.${operation.name}\``, inputs, place);
  }

  get attributes(): Attributes {
    return this.operation.attributes;
  }

  type(output = 0): Type {
    return this.operation.results[output]?.type ?? { kind: 'other' };
  }

  /** The dims that the module states for an output. An unknown dim gets a name of its own. */
  statedDims(output = 0): Size[] | undefined {
    return this.statedSizes(output)?.map((size, axis) => size ?? this.unknownSize(axis, output));
  }

  /** The same dims, with undefined for unknown ones. */
  statedSizes(output = 0): (Size | undefined)[] | undefined {
    const type = this.type(output);
    return type.kind === 'tensor'
      ? type.dims.map((dim) => (dim === null ? undefined : Size.of(dim)))
      : undefined;
  }

  /** A value that is the same for all, with the dims that the module states. */
  sameAsStated(output = 0): Value {
    return same(this.statedDims(output));
  }

  /** True if all inputs are the same for all requests of the run. */
  get isSame(): boolean {
    return this.inputs.every(({ kind }) => kind === 'same');
  }

  /**
   * Rows along an axis of the output. The module states the other dims. A dim that grows with the batch is not among
   * those that it knows.
   */
  rows(axis: number, size: Size | undefined, output = 0): Value {
    const dims = this.statedDims(output);
    if (!dims || !size || axis < 0 || axis >= dims.length) return this.mixed('has rows along no axis');
    return { kind: 'rows', axis, dims: dims.map((dim, i) => (i === axis ? size : dim)) };
  }
}

/** The types whose whole numbers may be sizes. */
const sizeElements: ReadonlySet<Element> = new Set(['i1', 'i32', 'i64']);

/**
 * Compares what is known of a value with the type that the module states. A size that the module knows holds for every
 * run.
 */
export function conform(value: Value, type: Type, nameSize: NameSize): Value {
  if (value.kind === 'mixed') return value;
  if (!isSound(value))
    return mixed('a StableHLO module makes a tensor with several dims of the size of the batch');
  if (type.kind !== 'tensor') return mixed('a value of a StableHLO module is no tensor');
  const hasSizes = sizeElements.has(type.element);
  const isRank = (dims: Dims) => dims.length === type.dims.length;
  const refine = (dims: Dims, rowAxis?: number) =>
    dims.map((dim, axis) => {
      const known = type.dims[axis];
      return axis === rowAxis || dim.value !== undefined || typeof known !== 'number' ? dim : Size.of(known);
    });
  const wrong = mixed('a StableHLO module says another shape than follows from its inputs');
  switch (value.kind) {
    case 'same': {
      const dims = refine(value.dims ?? type.dims.map((_, axis) => nameSize(`${axis}`)));
      if (!isRank(dims)) return wrong;
      return same(dims, hasSizes ? (value.integers ?? unknownNumbers(dims, nameSize)) : undefined);
    }
    case 'rows':
      if (!isRank(value.dims)) return wrong;
      if (value.dealt) return mixed('a StableHLO module works on blocks of several rows');
      if (type.dims[value.axis] !== null)
        return mixed('a StableHLO module takes one number of rows only: it was exported for that');
      return { ...value, dims: refine(value.dims, value.axis) };
    case 'sizes':
      if (!hasSizes) return mixed('a StableHLO module computes with the size of the batch');
      return type.dims.length === (value.isScalar ? 0 : 1) ? value : wrong;
    default:
      return mixed(`a StableHLO module takes a value that is ${value.kind}`);
  }
}

/** The longest vector whose unknown numbers get names. */
const maxUnknown = 16;

/** Names the numbers of a scalar or a short vector. They may be sizes, or say where parts of tensors begin. */
function unknownNumbers(dims: Dims, nameSize: NameSize): Size[] | undefined {
  const count = dims.length === 0 ? 1 : dims[0]?.value;
  if (dims.length > 1 || count === undefined || count > maxUnknown) return undefined;
  return Array.from({ length: count }, (_, i) => nameSize(`number ${i}`));
}
