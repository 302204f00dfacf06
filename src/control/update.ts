/**
 * What `/update_model` asks for: look for new versions now, pin, unpin, serve another folder, unload; and the truth about what
 * came of it.
 */
import { type ErrorCode, ServingError } from '../errors.js';
import { type ModelStatus, resolveLabel } from '../serving/table.js';
import { momentAfter, now, type Seconds } from '../time.js';
import type { Manager } from './manager.js';
import type { ModelRecord } from './model-record.js';
import { statusOf } from './model-status.js';
import type { Pin } from './policy.js';

export interface UpdateRequest {
  /** The default model if left out beside anything else; every model if all is left out. */
  readonly model?: string | undefined;
  /** Pins it; `latest` unpins. */
  readonly version?: number | 'latest' | undefined;
  /** Pins the version that has this label now. */
  readonly label?: string | undefined;
  /** Serves the SavedModel at this path, pinned. */
  readonly modelPath?: string | undefined;
  /** Unloads a model, until it is asked for again. */
  readonly unload?: boolean | undefined;
  /** How long to wait. */
  readonly timeout: Seconds;
}

export interface UpdateResult {
  /** False where something is still on its way. */
  readonly done: boolean;
  readonly models: readonly ModelStatus[];
}

/**
 * @throws ServingError with the reason why the wanted version does not serve; what served before goes on serving
 */
export async function update(manager: Manager, request: UpdateRequest): Promise<UpdateResult> {
  const deadline = momentAfter(request.timeout);
  await manager.rescan();
  const names = await apply(manager, request);
  manager.reconcile();
  for (;;) {
    const models = (names ?? [...manager.models.keys()]).flatMap((name) => manager.models.get(name) ?? []);
    const left = deadline - now();
    if (!models.some(isUnderWay)) {
      throwIfNotServed(models, names !== undefined);
      return { done: true, models: models.map(statusOf) };
    }
    if (left <= 0) return { done: false, models: models.map(statusOf) };
    await manager.change(left);
  }
}

/** @returns the models that are meant, undefined for all */
async function apply(manager: Manager, request: UpdateRequest): Promise<string[] | undefined> {
  const { model: name, version, label, modelPath, unload } = request;
  const namesNothing = [name, version, label, modelPath, unload].every((each) => each === undefined);
  if (namesNothing) {
    for (const model of manager.models.values()) manager.pardon(model);
    return undefined;
  }
  const model = modelNamed(manager, name);
  // First: a request that is refused changes nothing.
  const pin = await pinOf(manager, model, request);
  if (unload) manager.setAside(model);
  else model.ask(pin);
  manager.pardon(model);
  return [model.name];
}

/** What a request holds a model at; undefined if it says nothing of that. */
async function pinOf(
  manager: Manager,
  model: ModelRecord,
  { version, label, modelPath, unload }: UpdateRequest,
): Promise<Pin | 'latest' | undefined> {
  if (unload) return undefined;
  if (modelPath !== undefined) return { kind: 'path', ...(await manager.locate(modelPath)) };
  if (label !== undefined) return versionPin(model, resolveLabel(statusOf(model), label));
  return typeof version === 'number' ? versionPin(model, version) : version;
}

function modelNamed(manager: Manager, name = manager.defaultModel): ModelRecord {
  const model = name === undefined ? undefined : manager.models.get(name);
  if (model) return model;
  const known = [...manager.models.keys()].map((each) => `\`${each}\``).join(', ') || 'none';
  const what = name === undefined ? 'no default model' : `no model \`${name}\``;
  throw new ServingError('NOT_FOUND', `${what}; there are ${known}`);
}

function versionPin(model: ModelRecord, version: number): Pin {
  const versions = model.scanned.versions.map((each) => each.version);
  if (versions.includes(version)) return { kind: 'version', version };
  const known = versions.join(', ') || 'none';
  throw new ServingError(
    'NOT_FOUND',
    `model \`${model.name}\` has no version ${version}; there are ${known}`,
  );
}

/** Loading, about to, or waiting for its folder to become quiet. */
function isUnderWay(model: ModelRecord): boolean {
  if (model.isUnloaded) return false;
  if (model.tries.isLoading || model.plan().load !== undefined) return true;
  const { pin, scanned } = model;
  return scanned.versions.some(
    ({ quiet, version }) => !quiet && (pin === undefined || pin.version === version),
  );
}

/**
 * @param named whether the caller named the one model, or meant all
 * @throws ServingError for the model that is not served as it should be; of several, for the first with the number of all
 */
function throwIfNotServed(models: readonly ModelRecord[], named: boolean): void {
  const failures = models.flatMap((model) => {
    const error = whyNotServed(model);
    return error ? [{ name: model.name, error }] : [];
  });
  const [first] = failures;
  if (!first) return;
  if (named) throw first.error;
  const others = failures.slice(1).map(({ name }) => `\`${name}\``);
  const more = others.length === 0 ? '' : `; the same holds for ${others.join(', ')}: see /models`;
  throw new ServingError(
    'FAILED_PRECONDITION',
    `${failures.length} of ${models.length} models could not be loaded: \`${first.name}\`: ${first.error.message}${more}`,
  );
}

/** What a load says of a folder, and an answer would say of the request or of the server. */
const ofFolder: ReadonlySet<ErrorCode> = new Set(['NOT_FOUND', 'DATA_LOSS']);

function whyNotServed(model: ModelRecord): ServingError | undefined {
  if (model.isUnloaded) return undefined;
  const { name, wanted, serving, pin } = model;
  const stays = serving ? `; version ${serving.version} goes on serving` : '';
  const error = model.obstacle;
  if (error) {
    const again = statusOf(model).versions.findLast(({ version }) => version === wanted)?.retryAt;
    const next = again ? `; it is tried again at ${again.toISOString()}` : '';
    return new ServingError(
      // The model is there, and so is its version; and what is damaged is no fault of the server's.
      ofFolder.has(error.code) ? 'FAILED_PRECONDITION' : error.code,
      `version ${wanted} of \`${name}\` is not served: ${error.message}${next}${stays}`,
    );
  }
  const isServed = pin?.kind === 'path' ? serving?.place === pin.place : serving?.version === wanted;
  // It was still there when it was asked for.
  if (wanted === undefined || isServed) return undefined;
  return new ServingError('NOT_FOUND', `version ${wanted} of \`${name}\` is no longer there${stays}`);
}
