/**
 * The checks of an engine. They call it as the server does, through `checked-engine.ts`, which refuses outputs that do
 * not match the signatures.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeInputs } from '../control/checks/made-up-inputs.js';
import { judgeBatching } from '../control/checks/row-check.js';
import { readChecked } from '../engines/checked-engine.js';
import { type Engine, isOfFormat, type ReadModel } from '../engines/engine.js';
import type { InferenceModel } from '../engines/inference-model.js';
import { RunError } from '../engines/run-error.js';
import type { Signature } from '../engines/signature.js';
import { openRuntime } from '../engines/tensorflow/open-runtime.js';
import { type ErrorCode, ServingError } from '../errors.js';
import { compareAnswers } from '../serving/queue/agreement.js';
import { batchLimits, sharingOf } from '../serving/queue/batching.js';
import { createLogger } from '../telemetry/logger.js';
import { disposeTensors, type NamedTensors, tensorCount } from '../tfjs/tensors.js';
import { momentAfter } from '../time.js';
import { type Check, expectThat, rejectionOf } from './check.js';

/** A model for the checks of an engine. */
export interface EngineExample {
  /** A folder with a model of the engine's format. */
  readonly directory: string;
  /** A folder with a model that is damaged. Left out, nothing is asked of one. */
  readonly damaged?: string | undefined;
  /** Tags of the graph to read, if the format has several. */
  readonly tags?: readonly string[] | undefined;
  /** Inputs of one row that a signature takes. The checks dispose them. Left out, they are made up. */
  readonly inputs?: ((signature: Signature) => NamedTensors) | undefined;
}

/**
 * The checks of an engine. They open TensorFlow in this process, whose tensors every engine takes and gives.
 *
 * @param example is a model, whose default options the checks use
 */
export function engineChecks(engine: Engine, example: EngineExample): readonly Check[] {
  const checks = new EngineChecks(engine, example);
  const { damaged } = example;
  const all: Check[] = [
    { name: 'knows its model by a file', run: () => checks.knowsItsModel() },
    {
      name: 'says what a model takes and gives',
      run: async () => void (await checks.read(example.directory)),
    },
    { name: 'refuses a folder without a model', run: () => checks.refusesNothing() },
    { name: 'runs a signature, and leaves the inputs to the caller', run: () => checks.runs() },
    { name: 'gives the outputs that are asked for', run: () => checks.selects() },
    { name: 'gives each row what it gives it alone', run: () => checks.keepsRowsApart() },
    { name: 'adds rows of padding', run: () => checks.pads() },
    { name: 'gives the same on the event loop', run: () => checks.runsHere() },
    { name: 'makes several runs at once', run: () => checks.runsAtOnce() },
    { name: 'frees one load, and keeps the other', run: () => checks.freesOneOfTwo() },
  ];
  if (damaged !== undefined)
    all.push({ name: 'refuses a damaged model', run: () => checks.refuses(damaged) });
  return all.map(({ name, run }) => ({ name, run: () => leavingNoTensors(run) }));
}

/** @throws Unmet if tensors are left */
async function leavingNoTensors(run: () => Promise<void>): Promise<void> {
  openRuntime({ kind: 'native', device: 'auto', runThreads: 2, tensorflowLogLevel: 3 });
  const before = tensorCount();
  await run();
  const left = tensorCount() - before;
  expectThat(left === 0, 'each tensor to be disposed once', `${left} that are left`);
}

/** Codes with which an engine blames the files of a model, and not itself. */
const ofFiles: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'FAILED_PRECONDITION',
  'DATA_LOSS',
  'UNIMPLEMENTED',
]);

class EngineChecks {
  private readonly logger = createLogger({ level: 'silent', format: 'text' });

  constructor(
    private readonly engine: Engine,
    private readonly example: EngineExample,
  ) {}

  async knowsItsModel(): Promise<void> {
    const { format } = this.engine;
    const names = await readdir(this.example.directory);
    expectThat(isOfFormat(names, format), `one of ${format.mainFiles.join(', ')} in the folder`, names);
  }

  async read(directory: string): Promise<ReadModel> {
    const { tags = ['serve'] } = this.example;
    const found = await readChecked(this.engine, 'example', directory, tags, this.logger);
    expectThat(found.signatures.size > 0, 'a signature', 'none');
    return found;
  }

  async refusesNothing(): Promise<void> {
    const empty = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-empty-'));
    try {
      await this.refuses(empty);
    } finally {
      await rm(empty, { recursive: true });
    }
  }

  async refuses(directory: string): Promise<void> {
    const opened = this.read(directory)
      .then(({ load }) => load())
      .then((model) => model.dispose());
    const error = await rejectionOf(opened, 'an error that says what is wrong with the files');
    const code = error instanceof ServingError ? error.code : String(error);
    expectThat(
      ofFiles.has(code as ErrorCode),
      `a ServingError with one of ${[...ofFiles].join(', ')}`,
      `${code}: ${error instanceof Error ? error.message : ''}`,
    );
  }

  runs(): Promise<void> {
    return this.withRuns(async (model, signature, inputs) => {
      disposeTensors((await model.predict(signature, [inputs])).outputs);
      for (const [name, { isDisposed }] of inputs)
        expectThat(!isDisposed, `the input \`${name}\` as it was`, 'one that is disposed');
    });
  }

  selects(): Promise<void> {
    return this.withRuns(async (model, signature, inputs) => {
      for (const name of signature.outputs.keys()) {
        const { outputs } = await model.predict(signature, [inputs], { outputs: [name] });
        const names = [...outputs.keys()];
        disposeTensors(outputs);
        expectThat(names.join() === name, `the output \`${name}\` alone`, names);
      }
    });
  }

  /** Makes the same comparison as the server does before a version serves. */
  keepsRowsApart(): Promise<void> {
    return this.withModel(async (model) => {
      const deadline = momentAfter(60);
      const limits = batchLimits({
        ...{ maxBatchSize: 8, timeout: 0, queueSize: 8, slots: 1 },
        compiles: model.mode.xla,
      });
      const [defaultSignature] = model.signatures.values();
      const options = { deadline, limits, defaultSignature, warmup: undefined };
      for (const [signature, verdict] of await judgeBatching(model, options)) {
        const why = verdict.sharing === 'alone' ? verdict.why : undefined;
        if (isShared(signature))
          expectThat(why === undefined, `\`${signature.name}\` to keep rows apart`, String(why));
      }
    });
  }

  pads(): Promise<void> {
    return this.withRuns(async (model, signature, inputs) => {
      if (!isShared(signature)) return;
      const padding = { rows: 2, value: 0 };
      // The number of rows is checked there.
      disposeTensors((await model.predict(signature, [inputs, inputs], { padding })).outputs);
    });
  }

  runsHere(): Promise<void> {
    return this.withRuns(async (model, signature, inputs) => {
      if (model.whyNotInline(signature) !== undefined) return;
      const { outputs } = await model.predict(signature, [inputs]);
      const here = model.predictHere(signature, [inputs]).outputs;
      const difference = compareAnswers(here, outputs, model.mode);
      disposeTensors(outputs);
      disposeTensors(here);
      expectThat(
        difference === undefined,
        `\`predictHere\` to give what \`predict\` gives`,
        String(difference),
      );
    });
  }

  runsAtOnce(): Promise<void> {
    return this.withRuns(async (model, signature, inputs) => {
      const runs = await Promise.all(Array.from({ length: 8 }, () => model.predict(signature, [inputs])));
      const [first, ...more] = runs.map(({ outputs }) => outputs) as [NamedTensors, ...NamedTensors[]];
      const differences = more.map((outputs) => compareAnswers(outputs, first, model.mode));
      for (const outputs of [first, ...more]) disposeTensors(outputs);
      const difference = differences.find((each) => each !== undefined);
      expectThat(difference === undefined, 'the same of each of several runs at once', String(difference));
    });
  }

  async freesOneOfTwo(): Promise<void> {
    const found = await this.read(this.example.directory);
    const first = await found.load();
    await this.withModel(async (model) => {
      await first.dispose();
      await this.runEach(model, async (signature, inputs) =>
        disposeTensors((await model.predict(signature, [inputs])).outputs),
      );
    });
  }

  private async withModel(use: (model: InferenceModel) => Promise<void>): Promise<void> {
    const found = await this.read(this.example.directory);
    const model = await found.load();
    try {
      await use(model);
    } finally {
      await model.dispose();
    }
  }

  private withRuns(
    use: (model: InferenceModel, signature: Signature, inputs: NamedTensors) => Promise<void>,
  ): Promise<void> {
    return this.withModel((model) =>
      this.runEach(model, (signature, inputs) => use(model, signature, inputs)),
    );
  }

  /** Runs the signatures. Those that refuse made-up inputs are left out, but one must run. */
  private async runEach(
    { signatures }: InferenceModel,
    use: (signature: Signature, inputs: NamedTensors) => Promise<void>,
  ): Promise<void> {
    let refusal: unknown;
    let runs = 0;
    for (const signature of signatures.values()) {
      if (signature.rows?.verdict === 'effects') continue;
      const inputs = (this.example.inputs ?? makeInputs)(signature);
      try {
        await use(signature, inputs);
        runs += 1;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refusal = error;
      } finally {
        disposeTensors(inputs);
      }
    }
    expectThat(
      runs > 0,
      'a signature that can be run: give `inputs` that it takes',
      String(refusal ?? 'none'),
    );
  }
}

/** True for an error with which an engine refuses values. */
function isRefusal(error: unknown): boolean {
  if (error instanceof RunError) return !error.isModelsOwn;
  return error instanceof ServingError && error.code === 'INVALID_ARGUMENT';
}

/** True if the engine says that requests may share runs. */
function isShared(signature: Signature): boolean {
  return signature.rows?.verdict === 'proven' && sharingOf(signature).sharing === 'proven';
}
