/** Compares what TensorFlow returned for rows together, and for each part of them alone, with what the walk said. */
import type { Size } from '../../../src/engines/tensorflow/graph/size.ts';
import type {
  Dims,
  RowPartition,
  Rows,
  Same,
  Sizes,
  Value,
} from '../../../src/engines/tensorflow/graph/value.ts';
import { elementCount } from '../../../src/tensors/dtypes.ts';
import { fromBfloat16, fromFloat16, viewOf } from '../../../src/tensors/values.ts';
import type { TensorView } from '../../../src/tfjs/tensors.ts';

/** One output of one run. */
export interface Outcome {
  readonly shape: readonly number[];
  /** Complex numbers are two. */
  readonly values: readonly Element[];
  readonly isFloat: boolean;
}

type Element = number | bigint | string;

/** The outputs of one run, and which rows it had. */
export interface RunOutcome {
  readonly start: number;
  readonly rows: number;
  readonly outputs: readonly Outcome[];
}

export function outcomeOf({ dtype, shape, data }: TensorView): Outcome {
  if (dtype === 'string' || !(data instanceof Uint8Array)) {
    const texts = Array.from(data as Iterable<Uint8Array>, (text) => Buffer.from(text).toString('latin1'));
    return { shape: [...shape], values: texts, isFloat: false };
  }
  const values: Element[] = [...viewOf(dtype, data)];
  const isHalf = dtype === 'float16' || dtype === 'bfloat16';
  const widen = dtype === 'float16' ? fromFloat16 : fromBfloat16;
  return {
    // A copy: the tensor is disposed.
    shape: [...shape],
    values: isHalf ? values.map((bits) => widen(Number(bits))) : values,
    isFloat: /float|complex/.test(dtype),
  };
}

/** Compares the outputs of one case. */
export class Comparison {
  /** What stands for each size that has a name, whoever shares the run. */
  private readonly sizes = new Map<string, number>();

  /** @returns what is wrong, or undefined */
  compare(
    value: Value,
    output: number,
    together: RunOutcome,
    alone: readonly RunOutcome[],
  ): string | undefined {
    try {
      for (const run of [together, ...alone]) this.compareRun(value, outputAt(run, output), run);
      this.compareParts(value, output, together, alone);
      return undefined;
    } catch (error) {
      if (error instanceof Fault) return error.message;
      throw error;
    }
  }

  /** Shapes and numbers of one run. */
  private compareRun(value: Value, { shape, values }: Outcome, { rows }: RunOutcome): void {
    if (value.kind === 'rows') this.compareShape(value.dims, shape, rows);
    if (value.kind === 'same') this.compareSame(value, { shape, values }, rows);
    if (value.kind === 'sizes') this.compareSizes(value, { shape, values }, rows);
    if (value.kind === 'flat') {
      if (shape.length !== value.inner.length + 1) fail(`has rank ${shape.length}`);
      this.compareShape(value.inner, shape.slice(1), rows);
    }
  }

  private compareSame(
    { dims, integers }: Same,
    { shape, values }: Pick<Outcome, 'shape' | 'values'>,
    rows: number,
  ) {
    if (dims) this.compareShape(dims, shape, rows);
    if (integers) this.compareNumbers(integers, values, rows);
  }

  private compareSizes(
    { isScalar, items }: Sizes,
    { shape, values }: Pick<Outcome, 'shape' | 'values'>,
    rows: number,
  ) {
    if (shape.length !== (isScalar ? 0 : 1)) fail(`has rank ${shape.length}`);
    this.compareNumbers(items, values, rows);
  }

  private compareNumbers(items: readonly (Size | undefined)[], values: readonly Element[], rows: number) {
    if (items.length !== values.length) fail(`has ${values.length} numbers for ${items.length}`);
    items.forEach((item, i) => {
      if (item) this.compareSize(item, Number(values[i]), rows, `number ${i}`);
    });
  }

  private compareShape(dims: Dims, shape: readonly number[], rows: number): void {
    if (dims.length !== shape.length) fail(`has shape [${shape}] for rank ${dims.length}`);
    dims.forEach((dim, axis) => {
      this.compareSize(dim, shape[axis] ?? 0, rows, `dim ${axis} of [${shape}]`);
    });
  }

  private compareSize(size: Size, actual: number, rows: number, what: string): void {
    let [rest, wanted] = [size, 1];
    for (let next = rest.perRow; rest.hasBatch && next; next = rest.perRow) {
      rest = next;
      wanted *= rows;
    }
    const known = rest.value ?? this.sizes.get(rest.key);
    if (known !== undefined) {
      if (actual !== known * wanted) fail(`${what} is ${actual} for ${size.key} (${rows} rows)`);
    } else if (wanted === 0 || actual % wanted !== 0) {
      fail(`${what} is ${actual}, no multiple of ${rows} rows`);
    } else this.sizes.set(rest.key, actual / wanted);
  }

  /** What the parts gave alone is what they have together. */
  private compareParts(
    value: Value,
    output: number,
    together: RunOutcome,
    alone: readonly RunOutcome[],
  ): void {
    const whole = outputAt(together, output);
    const parts = alone.map((run) => ({ run, part: outputAt(run, output) }));
    if (value.kind === 'same')
      for (const { part } of parts) compareElements(whole.values, part.values, whole.isFloat, 'it');
    if (value.kind === 'rows') compareRows(value, whole, together, parts);
    if (value.kind === 'partition') comparePartition(value, whole, parts);
    if (value.kind === 'flat') {
      const joined = parts.flatMap(({ part }) => part.values);
      compareElements(whole.values, joined, whole.isFloat, 'the values');
    }
    if (value.kind === 'places') compareNumbers(whole, value.columns ?? 1);
    if (value.kind === 'every row') {
      const isEvery = parts.every(({ part }) => part.values[0] === 1);
      if (whole.values[0] !== Number(isEvery)) fail('does not say whether it holds for each row');
    }
  }
}

/** What one part of the rows gave, and which rows those are. */
interface Part {
  readonly run: RunOutcome;
  readonly part: Outcome;
}

function compareRows(value: Rows, whole: Outcome, together: RunOutcome, parts: readonly Part[]): void {
  for (const { run, part } of parts) {
    for (let row = 0; row < run.rows; row++)
      compareElements(
        rowOf(value, whole, run.start + row, together.rows),
        rowOf(value, part, row, run.rows),
        whole.isFloat,
        `row ${run.start + row}`,
      );
  }
}

/** The slices of one row. */
function rowOf({ axis, dealt }: Rows, { shape, values }: Outcome, row: number, rows: number): Element[] {
  const size = shape[axis] ?? 0;
  const perRow = size / rows;
  const elements = values.length / Math.max(1, elementCount(shape));
  const inner = elementCount(shape.slice(axis + 1)) * elements;
  const outer = elementCount(shape.slice(0, axis));
  const found: Element[] = [];
  for (let before = 0; before < outer; before++) {
    for (let slice = 0; slice < perRow; slice++) {
      const place = dealt === undefined ? row * perRow + slice : slice * rows + row;
      const start = (before * size + place) * inner;
      found.push(...values.slice(start, start + inner));
    }
  }
  return found;
}

/** Their first column counts the rows. */
function compareNumbers({ values }: Outcome, columns: number): void {
  const wrong = values.findIndex((value, i) => i % columns === 0 && Number(value) !== i / columns);
  if (wrong >= 0) fail(`has ${values[wrong]} for the number of row ${wrong / columns}`);
}

function comparePartition({ form }: RowPartition, whole: Outcome, parts: readonly Part[]): void {
  const expected: number[] = form === 'splits' ? [0] : [];
  for (const { run, part } of parts) {
    const numbers = part.values.map(Number);
    const last = expected.at(-1) ?? 0;
    if (form === 'splits') expected.push(...numbers.slice(1).map((each) => each + last));
    else if (form === 'lengths') expected.push(...numbers);
    else if (form === 'ends') expected.push(...numbers.map((each) => each + last));
    else if (form === 'rowids') expected.push(...numbers.map((each) => each + run.start));
    else expected.push(...numbers.map((each, i) => (i % 2 === 0 ? each + run.start : each)));
  }
  compareElements(whole.values.map(Number), expected, false, form);
}

function compareElements(
  together: readonly Element[],
  alone: readonly Element[],
  isFloat: boolean,
  what: string,
): void {
  if (together.length !== alone.length)
    fail(`${what} has ${together.length} elements together, ${alone.length} alone`);
  const at = together.findIndex((element, i) => !isAlike(element, alone[i] as Element, isFloat));
  if (at >= 0) fail(`${what} has ${together[at]} together, ${alone[at]} alone`);
}

function isAlike(a: Element, b: Element, isFloat: boolean): boolean {
  if (a === b) return true;
  if (!isFloat || typeof a !== 'number' || typeof b !== 'number') return false;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  return Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(a), Math.abs(b));
}

function outputAt({ outputs }: RunOutcome, i: number): Outcome {
  const output = outputs[i];
  if (!output) throw new Error(`output ${i} is missing`);
  return output;
}

class Fault extends Error {}

function fail(why: string): never {
  throw new Fault(why);
}
