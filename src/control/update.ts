/**
 * What `/update_model` asks for: look for new versions, pin, unpin, serve another folder, or unload. It also reports
 * what became of that.
 */
import { type ErrorCode, listed, ServingError } from '../errors.js';
import { type ModelStatus, resolveLabel } from '../serving/table.js';
import { momentAfter, now, type Seconds } from '../time.js';
import type { Manager } from './manager.js';
import type { ModelRecord } from './model-record.js';
import { statusOf } from './model-status.js';
import type { Pin } from './policy.js';

export interface UpdateRequest {
  /** The model. Without it the default model is meant, or every model if nothing else is given either. */
  readonly model?: string | undefined;
  /** Pins the version; `latest` unpins. */
  readonly version?: number | 'latest' | undefined;
  /** Pins the version that has this label now. */
  readonly label?: string | undefined;
  /** Serves the SavedModel at this path, pinned. */
  readonly modelPath?: string | undefined;
  /** Unloads a model, until somebody asks for it again. */
  readonly unload?: boolean | undefined;
  /** How long to wait. */
  readonly timeout: Seconds;
}

export interface UpdateResult {
  /** False if something is still on its way. */
  readonly done: boolean;
  readonly models: readonly ModelStatus[];
}

/**
 * @throws ServingError with the reason why the wanted version does not serve; the version that served before goes on
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
      await manager.inForce();
      return { done: true, models: models.map(statusOf) };
    }
    if (left <= 0) return { done: false, models: models.map(statusOf) };
    await manager.change(left);
  }
}

/** @returns the models that are meant; undefined for all */
async function apply(manager: Manager, request: UpdateRequest): Promise<string[] | undefined> {
  const { model: name, version, label, modelPath, unload } = request;
  const namesNothing = [name, version, label, modelPath, unload].every((each) => each === undefined);
  if (namesNothing) {
    for (const model of manager.models.values()) manager.pardon(model);
    return undefined;
  }
  const model = modelNamed(manager, name);
  // The pin is found first, because a request that is refused changes nothing.
  const pin = await pinOf(manager, model, request);
  if (unload) manager.setAside(model);
  else model.ask(pin);
  manager.pardon(model);
  return [model.name];
}

/** What a request holds a model at; undefined if it does not say. */
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

function modelNamed({ table, models, defaultModel }: Manager, name = defaultModel): ModelRecord {
  if (name === undefined)
    throw new ServingError('NOT_FOUND', `no default model; there are ${listed(models.keys()) || 'none'}`);
  return models.get(table.get(name).name) as ModelRecord;
}

function versionPin(model: ModelRecord, version: number): Pin {
  const versions = model.scanned.versions.map((each) => each.version);
  if (versions.includes(version)) return { kind: 'version', version };
  const known = listed(versions) || 'none';
  throw new ServingError(
    'NOT_FOUND',
    `model \`${model.name}\` has no version ${version}; there are ${known}`,
  );
}

/** True for a model that is loading, about to load, or waiting for its folder to become quiet. */
function isUnderWay(model: ModelRecord): boolean {
  if (model.isUnloaded) return false;
  if (model.records.isLoading || model.plan().load !== undefined) return true;
  const { pin, scanned } = model;
  return scanned.versions.some(
    ({ quiet, version }) => !quiet && (pin === undefined || pin.version === version),
  );
}

/**
 * @param named says whether the caller named the one model, or meant all
 * @throws ServingError for a model that is not served as it should be; if there are several, for the first, with the
 * number of all
 */
function throwIfNotServed(models: readonly ModelRecord[], named: boolean): void {
  const failures = models.flatMap((model) => {
    const error = whyNotServed(model);
    return error ? [{ name: model.name, error }] : [];
  });
  const [first] = failures;
  if (!first) return;
  if (named) throw first.error;
  const others = listed(failures.slice(1).map(({ name }) => name));
  const more = others === '' ? '' : `; the same holds for ${others}: see /models`;
  throw new ServingError(
    'FAILED_PRECONDITION',
    `${failures.length} of ${models.length} models could not be loaded: \`${first.name}\`: ${first.error.message}${more}`,
  );
}

/** In a load, these codes blame the version's files. In an answer, they would blame the request or the server. */
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
      // The model and its version exist, so the request is not to blame. A damaged file is no fault of the server.
      ofFolder.has(error.code) ? 'FAILED_PRECONDITION' : error.code,
      `version ${wanted} of \`${name}\` is not served: ${error.message}${next}${stays}`,
    );
  }
  const isServed = pin?.kind === 'path' ? serving?.place === pin.place : serving?.version === wanted;
  // The version was still there when it was asked for.
  if (wanted === undefined || isServed) return undefined;
  return new ServingError('NOT_FOUND', `version ${wanted} of \`${name}\` is no longer there${stays}`);
}
