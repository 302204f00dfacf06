/**
 * Wraps a model of an application's engine, and refuses outputs that do not match the signature. TensorFlow itself
 * never returns such outputs.
 */
import { invalidArgument, quoted, ServingError } from '../errors.js';
import { disposeTensors, type NamedTensors, type Tensor, viewTensor } from '../tfjs/tensors.js';
import type { InferenceModel, RunOptions, RunResult } from './inference-model.js';
import { formatShape, formatSpec, type Signature, type TensorSpec } from './signature.js';

export class CheckedModel implements InferenceModel {
  /**
   * @param engine is its name, for errors
   * @param name is that of the model, for errors
   */
  constructor(
    private readonly model: InferenceModel,
    private readonly engine: string,
    private readonly name: string,
  ) {}

  get signatures(): InferenceModel['signatures'] {
    return this.model.signatures;
  }

  get type(): string {
    return this.model.type;
  }

  get mode(): InferenceModel['mode'] {
    return this.model.mode;
  }

  get isTraced(): boolean {
    return this.model.isTraced;
  }

  whyNotInline(signature: Signature): string | undefined {
    return this.model.whyNotInline(signature);
  }

  /** @throws ServingError (rejects) besides what the model throws, INVALID_ARGUMENT for inputs whose rows do not agree, INTERNAL for wrong outputs */
  async predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    const rows = rowsOf(signature, members, options);
    return this.checked(await this.model.predict(signature, members, options), signature, options, rows);
  }

  /** @throws ServingError as {@link predict} */
  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options: Pick<RunOptions, 'outputs' | 'padding'> = {},
  ): RunResult {
    const rows = rowsOf(signature, members, options);
    return this.checked(this.model.predictHere(signature, members, options), signature, options, rows);
  }

  dispose(): Promise<void> {
    return this.model.dispose();
  }

  /** Checks the outputs that were asked for. It disposes the others. */
  private checked(
    prediction: RunResult,
    { outputs: specs }: Signature,
    { outputs: names = [...specs.keys()] }: RunOptions,
    rows: number | undefined,
  ): RunResult {
    const { outputs, runMicros } = prediction;
    if (!(outputs instanceof Map)) throw this.fault('`outputs` as a Map', 'something else');
    const wanted = new Map<string, Tensor>();
    try {
      for (const name of outputs.keys())
        if (!specs.has(name)) throw this.fault(`the outputs ${listed(specs.keys())}`, `\`${name}\``);
      for (const name of names) wanted.set(name, this.output(specOf(name, specs), outputs, rows));
      if (!(runMicros >= 0)) throw this.fault('`runMicros` as microseconds', String(runMicros));
    } catch (error) {
      disposeTensors(outputs);
      throw error;
    }
    for (const [name, tensor] of outputs) if (!wanted.has(name)) tensor.dispose();
    return { ...prediction, outputs: wanted };
  }

  private output(spec: TensorSpec, outputs: NamedTensors, rows: number | undefined): Tensor {
    const tensor = outputs.get(spec.name);
    const what = `output \`${spec.name}\``;
    if (!tensor) throw this.fault(what, outputs.size === 0 ? 'no outputs' : listed(outputs.keys()));
    const { dtype, shape } = viewTensor(tensor);
    const asRows = rows === undefined ? spec.shape : [rows, ...(spec.shape?.slice(1) ?? [])];
    const isShape = asRows === null || (asRows.length === shape.length && asRows.every(allows(shape)));
    if (dtype === spec.dtype && isShape) return tensor;
    throw this.fault(
      `${what} as ${formatSpec({ dtype: spec.dtype, shape: asRows })}`,
      `${dtype} ${formatShape(shape)}`,
    );
  }

  private fault(expected: string, got: string): ServingError {
    return new ServingError(
      'INTERNAL',
      `expected the engine \`${this.engine}\` to give ${expected} for the model \`${this.name}\`, got ${got}: the engine must be mended`,
    );
  }
}

/** @throws ServingError INVALID_ARGUMENT for an output that does not exist: a handler may ask for any name */
function specOf(name: string, specs: Signature['outputs']): TensorSpec {
  const spec = specs.get(name);
  if (!spec) throw invalidArgument(`no output ${quoted(name)}; there are ${listed(specs.keys())}`);
  return spec;
}

function allows(shape: readonly number[]): (dim: number | null, axis: number) => boolean {
  return (dim, axis) => dim === null || dim === shape[axis];
}

/**
 * The number of rows that each output must have, if rows stay apart.
 *
 * @throws ServingError INVALID_ARGUMENT if a member's inputs have different numbers of rows
 */
function rowsOf(
  signature: Signature,
  members: readonly NamedTensors[],
  { padding }: Pick<RunOptions, 'padding'>,
): number | undefined {
  if (!keepsRows(signature)) return undefined;
  let rows = padding?.rows ?? 0;
  for (const inputs of members) rows += rowsOfMember(inputs);
  return rows;
}

function rowsOfMember(inputs: NamedTensors): number {
  const [[first, { shape }] = ['', { shape: [0] }], ...more] = inputs;
  const [rows = 0] = shape;
  for (const [name, tensor] of more) {
    if (tensor.shape[0] === rows) continue;
    throw invalidArgument(
      `expected as many rows in each input, got \`${first}\` ${formatShape(shape)} and \`${name}\` ${formatShape(tensor.shape)}`,
    );
  }
  return rows;
}

/** True if each row of the outputs follows from the same row of the inputs. */
function keepsRows({ inputs, outputs, composites, rows }: Signature): boolean {
  const hasRows = ({ shape }: TensorSpec) => shape?.[0] === null;
  const areApart = rows === undefined || rows.verdict === 'proven';
  return (
    areApart &&
    composites === undefined &&
    inputs.size > 0 &&
    [...inputs.values(), ...outputs.values()].every(hasRows)
  );
}

function listed(names: Iterable<string>): string {
  return Array.from(names, (name) => `\`${name}\``).join(', ');
}
