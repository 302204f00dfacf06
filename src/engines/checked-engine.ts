/**
 * Reads a model with an application's engine. It checks what the engine returns, and fills in what the engine may leave
 * out.
 */
import { invalidArgument, quoted } from '../errors.js';
import type { Logger } from '../telemetry/logger.js';
import { isDtype } from '../tensors/dtypes.js';
import { CheckedModel } from './checked-model.js';
import type { Engine, FoundModel, ReadModel } from './engine.js';
import { EngineFaults } from './engine-fault.js';
import type { Signature } from './signature.js';

/**
 * Refuses what is no engine, before any model is read.
 *
 * @throws ServingError INVALID_ARGUMENT naming the engine and the member
 */
export function checkEngine({ name, format, read }: Engine): void {
  const faults: readonly (readonly [boolean, string, unknown])[] = [
    [typeof name === 'string' && name !== '', '`name` as a text', name],
    [typeof format?.name === 'string', '`format.name` as a text', format?.name],
    [
      isListOfTexts(format?.mainFiles) && format.mainFiles.length > 0,
      '`format.mainFiles` as a list of names',
      format?.mainFiles,
    ],
    [isListOfTexts(format?.tellingFiles), '`format.tellingFiles` as a list of names', format?.tellingFiles],
    [typeof read === 'function', '`read` as a function', read],
  ];
  const [, expected, got] = faults.find(([isRight]) => !isRight) ?? [];
  if (expected !== undefined)
    throw invalidArgument(`expected the engine ${shown(name)} to have ${expected}, got ${shown(got)}`);
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/**
 * Reads a model.
 *
 * @param model is its name, for errors
 * @throws ServingError (rejects) the error of the engine; INTERNAL naming the engine if it breaks the contract
 */
export async function readChecked(
  engine: Engine,
  model: string,
  directory: string,
  tags: readonly string[],
  logger: Logger,
): Promise<ReadModel> {
  const faults = new EngineFaults(engine.name, model, logger);
  const failed = (member: 'read' | 'load') => (error: unknown) => {
    throw faults.thrown(member, error);
  };
  // An engine without `async` may throw, so the call is within a promise.
  const found = await Promise.resolve()
    .then(() => engine.read(directory, tags))
    .catch(failed('read'));
  new Check(faults).found(found);
  const { signatures, parameterCount, byteLength } = found;
  return {
    ...{ signatures, parameterCount, byteLength, tags: found.tags ?? [], unusable: found.unusable ?? [] },
    async load() {
      const loaded = await Promise.resolve()
        .then(() => found.load())
        .catch(failed('load'));
      if (typeof loaded?.predict !== 'function')
        throw faults.expected('a model with `predict`', shown(loaded?.predict));
      return new CheckedModel(loaded, { type: engine.format.name, signatures }, faults);
    },
  };
}

class Check {
  constructor(private readonly faults: EngineFaults) {}

  found(found: FoundModel): void {
    if (typeof found !== 'object' || found === null) this.fail('what `read` found as an object', found);
    const { signatures, parameterCount, byteLength, tags = [], unusable = [], load } = found;
    this.map('`signatures`', signatures);
    for (const [name, signature] of signatures) this.signature(name, signature);
    for (const [what, count] of Object.entries({ parameterCount, byteLength }))
      if (!(count >= 0 && count < Number.POSITIVE_INFINITY))
        this.fail(`\`${what}\` as a number from 0 on`, count);
    for (const [what, list] of Object.entries({ tags, unusable }))
      if (!Array.isArray(list)) this.fail(`\`${what}\` as a list`, list);
    if (typeof load !== 'function') this.fail('`load` as a function', load);
  }

  private signature(name: string, signature: Signature): void {
    const what = `signature \`${name}\``;
    if (signature?.name !== name) this.fail(`${what} under its \`name\``, signature?.name);
    for (const kind of ['inputs', 'outputs'] as const) {
      this.map(`\`${kind}\` of ${what}`, signature[kind]);
      for (const [key, spec] of signature[kind])
        this.spec(`${kind.slice(0, -1)} \`${key}\` of ${what}`, key, spec);
    }
    const { rows } = signature;
    if (rows !== undefined && !verdicts.has(rows?.verdict))
      this.fail(`\`rows\` of ${what} with the verdict proven, unproven or effects`, rows?.verdict);
    if (rows?.verdict !== 'proven' && rows !== undefined && !rows.why)
      this.fail(`\`rows.why\` of ${what} in words`, rows.why);
  }

  private spec(
    what: string,
    key: string,
    spec: { readonly [Name in 'name' | 'dtype' | 'shape']: unknown },
  ): void {
    const { name, dtype, shape } = spec ?? {};
    if (name !== key) this.fail(`${what} under its \`name\``, name);
    if (!isDtype(dtype)) this.fail(`a dtype of numpy for ${what}`, dtype);
    if (shape === null) return;
    if (!Array.isArray(shape)) this.fail(`\`shape\` of ${what} as a list of dims, or null`, shape);
    for (const dim of shape as unknown[])
      if (dim !== null && !(Number.isSafeInteger(dim) && Number(dim) >= 0))
        this.fail(`dims of ${what} as whole numbers, or null for a size that each request chooses`, dim);
  }

  private map(what: string, value: unknown): void {
    if (!(value instanceof Map)) this.fail(`${what} as a Map`, value);
  }

  private fail(expected: string, got: unknown): never {
    throw this.faults.expected(expected, shown(got));
  }
}

const verdicts: ReadonlySet<unknown> = new Set(['proven', 'unproven', 'effects']);

/** Shows a value in few words that reveal nothing of the model: a number, a name, or the kind of anything else. */
function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
