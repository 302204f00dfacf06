/** One operation as its rule sees it, and what rules have in common. */
import type { GraphNode } from './graph-def.js';
import { Size } from './size.js';
import {
  axisOf,
  type Dims,
  dimsOf,
  integersOf,
  type Mixed,
  mixed,
  numberOf,
  numbersOf,
  type Rows,
  type Value,
} from './value.js';

/** One value for every output, or a value for each output in order. */
export type Outputs = Value | readonly Value[];

/** Gives the outputs of an operation for its inputs, none of which is mixed or unranked. */
export type Rule = (operation: Operation) => Outputs;

/** Makes values from values: a node of a graph, or an operation of a StableHLO module. */
export class Step {
  constructor(
    /** The name in reasons. */
    private readonly title: string,
    readonly inputs: readonly Value[],
    /** Tells this place of the graph from every other one, also between calls of one function. */
    private readonly place: string,
  ) {}

  /** An input. If it is missing, nothing is known of the value. */
  input(i: number): Value {
    return this.inputs[i] ?? this.mixed(`its input ${i} is missing`);
  }

  mixed(why: string): Mixed {
    return mixed(`operation ${this.title} ${why}`);
  }

  /** An unknown size that does not depend on the batch. */
  unknownSize(axis: number, output = 0): Size {
    return Size.named(`${this.place}:${output}.${axis}`);
  }

  namedSize(name: string): Size {
    return Size.named(`${this.place}:${name}`);
  }

  unknownSizes(count: number, output = 0): Size[] {
    return Array.from({ length: count }, (_, axis) => this.unknownSize(axis, output));
  }

  /** The axis that an input or attribute names, counted from the start. */
  axis(given: number | Value | undefined, rank: number): number | undefined {
    const number = typeof given === 'number' ? given : numberOf(given);
    return number === undefined ? undefined : axisOf(number, rank);
  }

  /** Several axes. */
  axes(given: Value | undefined, rank: number): number[] | undefined {
    const axes = numbersOf(given)?.map((axis) => axisOf(axis, rank));
    return axes?.every((axis) => axis !== undefined) ? (axes as number[]) : undefined;
  }

  /** The first input that is neither rows nor the same for all, as a reason. */
  unfit(): Mixed | undefined {
    const found = this.inputs.find(({ kind }) => kind !== 'rows' && kind !== 'same');
    if (!found) return undefined;
    if (found.kind === 'sizes') return this.mixed('takes the size of the batch as a number');
    return this.mixed(`has no rule for an input that is ${nameOf(found)}`);
  }
}

/** Describes a node. The name is left out if it is that of the operation, as in `Mean`. */
export function labelOf(op: string, name: string): string {
  return name === op ? `\`${op}\`` : `\`${op}\` (${name})`;
}

/** A node of a TensorFlow graph. */
export class Operation extends Step {
  constructor(
    readonly node: GraphNode,
    inputs: readonly Value[],
    place: string,
  ) {
    super(labelOf(node.op, node.name), inputs, place);
  }

  /** The list that a loop over the rows filled, as rows. */
  rowsOfOneRow(): Value {
    const [shape] = this.node.shapes('_output_shapes');
    const element = integersOf(this.inputs[1]);
    const inner = shape
      ? shape.slice(1).map((dim, axis) => (dim === null ? this.unknownSize(axis + 1) : Size.of(dim)))
      : element?.map((dim, axis) => (dim && !dim.hasBatch && !dim.is(-1) ? dim : this.unknownSize(axis + 1)));
    if (!inner) return this.mixed('stacks rows of unknown rank');
    return { kind: 'rows', axis: 0, dims: [Size.batch, ...inner] };
  }
}

function nameOf({ kind }: Value): string {
  switch (kind) {
    case 'flat':
    case 'partition':
      return 'ragged';
    case 'places':
      return 'the numbers of the rows';
    case 'every row':
      return 'a condition on all rows';
    default:
      return `a ${kind}`;
  }
}

/** The sizes of tensors that are broadcast together. They are aligned at their last dims. */
function broadcastDims(operation: Step, all: readonly Dims[]): Size[] {
  const rank = all.reduce((most, dims) => Math.max(most, dims.length), 0);
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = all.flatMap((dims) => dims[axis - rank + dims.length] ?? []);
    const wide = sizes.filter((size) => !size.is(1));
    const [first] = wide;
    if (!first) return sizes[0] ?? Size.one;
    const known = wide.find((size) => size.value !== undefined || size.hasBatch);
    return known ?? (wide.every((size) => size.equals(first)) ? first : operation.unknownSize(axis));
  });
}

/** Joins rows, and values that are the same for all, element by element. */
export function joinElements(operation: Step, values: readonly Value[] = operation.inputs): Value {
  const all: Dims[] = [];
  let found: { readonly rows: Rows; readonly fromEnd: number } | undefined;
  for (const value of values) {
    if (value.kind !== 'rows') continue;
    const fromEnd = value.dims.length - value.axis;
    found ??= { rows: value, fromEnd };
    const isAlike =
      fromEnd === found.fromEnd &&
      value.dims[value.axis]?.equals(found.rows.dims[found.rows.axis]) &&
      value.dealt === found.rows.dealt;
    if (!isAlike) return operation.mixed('joins rows along one axis with rows along another');
  }
  for (const value of values) {
    const dims = dimsOf(value);
    if (!dims)
      return found ? operation.mixed('takes a tensor of unknown rank') : { kind: 'same', dims: undefined };
    const aligned = found && value.kind === 'same' ? dims[dims.length - found.fromEnd] : undefined;
    if (aligned && !aligned.is(1))
      return operation.mixed('joins each row with another part of a tensor that is the same for all');
    all.push(dims);
  }
  const dims = broadcastDims(operation, all);
  if (!found) return { kind: 'same', dims };
  const { rows, fromEnd } = found;
  return { ...rows, axis: dims.length - fromEnd, dims };
}
