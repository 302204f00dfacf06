/**
 * Wraps a model of an application's engine. It fills in what the engine leaves out, and refuses outputs that do not match
 * the signature. TensorFlow itself never returns such outputs.
 */
import { invalidArgument, listed, quoted } from '../errors.js';
import { type NamedTensors, type Tensor, viewTensor } from '../tfjs/tensors.js';
import { type Moment, microsSince, now } from '../time.js';
import type { EngineFaults } from './engine-fault.js';
import {
  type EngineModel,
  type EngineRun,
  type InferenceModel,
  plainMode,
  type RunOptions,
  type RunResult,
} from './inference-model.js';
import { fits, formatShape, formatSpec, type Signature, type TensorSpec } from './signature.js';

export class CheckedModel implements InferenceModel {
  readonly signatures: InferenceModel['signatures'];
  readonly type: string;
  readonly platform: string;

  /**
   * @param told is what is known without the model: its signatures, and a type for people if it does not say one
   */
  constructor(
    private readonly model: EngineModel,
    told: Pick<InferenceModel, 'type' | 'signatures'>,
    private readonly faults: EngineFaults,
  ) {
    this.signatures = told.signatures;
    this.type = model.type ?? told.type;
    this.platform = model.platform ?? this.type;
  }

  get mode(): InferenceModel['mode'] {
    return this.model.mode ?? plainMode;
  }

  get isTraced(): boolean {
    return this.model.isTraced ?? false;
  }

  whyNotInline(signature: Signature): string | undefined {
    const { model, faults } = this;
    if (!model.predictHere) return 'its engine has no `predictHere`';
    try {
      return model.whyNotInline?.(signature);
    } catch (error) {
      throw faults.thrown('whyNotInline', error);
    }
  }

  /**
   * @throws ServingError (rejects) besides what the model throws, INVALID_ARGUMENT for inputs whose rows do not agree, INTERNAL
   *   naming the engine for wrong outputs and for anything else that it throws
   */
  async predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    const rows = rowsOf(signature, members, options);
    const started = now();
    let run: EngineRun;
    try {
      run = await this.model.predict(signature, members, options);
    } catch (error) {
      throw this.faults.thrown('predict', error);
    }
    return this.checked(run, signature, options, rows, started);
  }

  /** @throws ServingError as {@link predict} */
  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options: Pick<RunOptions, 'outputs' | 'padding'> = {},
  ): RunResult {
    const { model, faults } = this;
    const rows = rowsOf(signature, members, options);
    const started = now();
    let run: EngineRun | undefined;
    try {
      run = model.predictHere?.(signature, members, options);
    } catch (error) {
      throw faults.thrown('predictHere', error);
    }
    return this.checked(run, signature, options, rows, started);
  }

  /** It never rejects. A failure of the engine is logged, as nobody can do anything about it. */
  async dispose(): Promise<void> {
    try {
      await this.model.dispose?.();
    } catch (error) {
      this.faults.logged('dispose', error);
    }
  }

  /**
   * Checks the outputs that were asked for. It disposes the others.
   *
   * @param started is when the run was asked for
   */
  private checked(
    run: EngineRun | undefined,
    { outputs: specs }: Signature,
    { outputs: names = [...specs.keys()] }: RunOptions,
    rows: number | undefined,
    started: Moment,
  ): RunResult {
    const passed = microsSince(started);
    const { outputs, queueMicros = 0, runMicros = passed } = run ?? {};
    if (!(outputs instanceof Map)) throw this.faults.expected('`outputs` as a Map', 'something else');
    const wanted = new Map<string, Tensor>();
    try {
      for (const name of outputs.keys())
        if (!specs.has(name))
          throw this.faults.expected(`the outputs ${listed(specs.keys())}`, `\`${name}\``);
      for (const name of names) wanted.set(name, this.output(specOf(name, specs), outputs, rows));
      for (const [what, micros] of Object.entries({ queueMicros, runMicros }))
        if (!(micros >= 0)) throw this.faults.expected(`\`${what}\` as microseconds`, String(micros));
    } catch (error) {
      for (const tensor of outputs.values()) if (isTensor(tensor)) tensor.dispose();
      throw error;
    }
    for (const [name, tensor] of outputs) if (!wanted.has(name)) tensor.dispose();
    return { outputs: wanted, queueMicros, runMicros };
  }

  private output(spec: TensorSpec, outputs: NamedTensors, rows: number | undefined): Tensor {
    const tensor: unknown = outputs.get(spec.name);
    const what = `output \`${spec.name}\``;
    if (tensor === undefined)
      throw this.faults.expected(what, outputs.size === 0 ? 'no outputs' : listed(outputs.keys()));
    if (!isTensor(tensor)) throw this.faults.expected(`${what} as a tensor`, 'something else');
    if (tensor.isDisposed) throw this.faults.expected(`${what} as a tensor`, 'one that is disposed');
    const { dtype, shape } = viewTensor(tensor);
    if (dtype === spec.dtype && fits(spec.shape, shape) && hasRows(shape, spec.shape, rows)) return tensor;
    throw this.faults.expected(`${what} as ${formatWithRows(spec, rows)}`, `${dtype} ${formatShape(shape)}`);
  }
}

function isTensor(value: unknown): value is Tensor {
  return (
    typeof value === 'object' && value !== null && 'dataId' in value && 'shape' in value && 'dispose' in value
  );
}

/** True for the right number of rows, and for an output that has none. */
function hasRows(shape: readonly number[], dims: TensorSpec['shape'], rows: number | undefined): boolean {
  return rows === undefined || (dims !== null && dims[0] !== null) || shape[0] === rows;
}

/** Writes a spec as messages do: `float32 [2, 6]`. */
function formatWithRows({ dtype, shape }: TensorSpec, rows: number | undefined): string {
  if (rows === undefined || (shape && shape[0] !== null)) return formatSpec({ dtype, shape });
  return shape ? formatSpec({ dtype, shape: [rows, ...shape.slice(1)] }) : `${dtype} with ${rows} rows`;
}

/** @throws ServingError INVALID_ARGUMENT for an output that there is not: a handler may ask for any */
function specOf(name: string, specs: Signature['outputs']): TensorSpec {
  const spec = specs.get(name);
  if (!spec) throw invalidArgument(`no output ${quoted(name)}; there are ${listed(specs.keys())}`);
  return spec;
}

/**
 * How many rows each output must have that has rows; undefined where rows do not stay apart.
 *
 * @throws ServingError INVALID_ARGUMENT if a member's inputs have different numbers of rows
 */
function rowsOf(
  signature: Signature,
  members: readonly NamedTensors[],
  { padding }: Pick<RunOptions, 'padding'>,
): number | undefined {
  const names = keepsRows(signature) ? inputsWithRows(signature) : [];
  if (names.length === 0) return undefined;
  let rows = padding?.rows ?? 0;
  for (const inputs of members) rows += rowsOfMember(names, inputs);
  return rows;
}

function rowsOfMember(names: readonly string[], inputs: NamedTensors): number {
  const [first = '', ...more] = names;
  const shape = inputs.get(first)?.shape ?? [];
  const [rows = 0] = shape;
  for (const name of more) {
    const other = inputs.get(name)?.shape ?? [];
    if (other[0] === rows) continue;
    throw invalidArgument(
      `expected as many rows in each input, got \`${first}\` ${formatShape(shape)} and \`${name}\` ${formatShape(other)}`,
    );
  }
  return rows;
}

/** A row of each output follows from the same row of the inputs: it is proven, or every spec looks like that. */
function keepsRows({ inputs, outputs, composites, rows }: Signature): boolean {
  if (composites) return false;
  if (rows) return rows.verdict === 'proven';
  return [...inputs.values(), ...outputs.values()].every(({ shape }) => shape?.[0] === null);
}

function inputsWithRows({ inputs }: Signature): string[] {
  return Array.from(inputs.values()).flatMap(({ name, shape }) => (shape?.[0] === null ? name : []));
}
