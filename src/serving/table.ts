/**
 * The table of what is served. It is all that the data plane knows of the control plane. It is immutable: a reload
 * publishes a new one.
 */
import { type ErrorCode, listed, mostListed, quoted, ServingError } from '../errors.js';
import type { Seconds } from '../time.js';
import type { Servable } from './servable.js';

/** The states of a version, named as in TensorFlow Serving. */
export const versionStates = ['START', 'LOADING', 'AVAILABLE', 'UNLOADING', 'END'] as const;
export type VersionState = (typeof versionStates)[number];

/** What `/models` says of one version. */
export interface VersionStatus {
  readonly version: number;
  readonly generation: number;
  readonly state: VersionState;
  /** When its load began, while it is LOADING. */
  readonly since?: Date | undefined;
  /** Why it is not served, if it failed. It stays while the version is tried again. */
  readonly error?: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** When it is tried again, if the failure may pass by itself. */
  readonly retryAt?: Date | undefined;
  /** Why its warm-up says nothing, if no valid inputs could be made up. */
  readonly warmup?: string | undefined;
  readonly fingerprint: string;
}

/** The state of one model. */
export interface ModelStatus {
  readonly name: string;
  /** The versions that the source has and those that are loaded, ascending. */
  readonly versions: readonly VersionStatus[];
  /** The version that answers when a request names none. */
  readonly serving: Servable | undefined;
  /** The loaded versions that can be asked for by number. */
  readonly available: ReadonlyMap<number, Servable>;
  /** Movable names for versions. */
  readonly labels: ReadonlyMap<string, number>;
  /** The version that should be served now. */
  readonly wanted: number | undefined;
  /** The version that it is held at until it is unpinned. */
  readonly pinned: number | undefined;
  /** The settings in its `serving.json` that cannot be satisfied. */
  readonly doubts: readonly string[];
  /** True if it was unloaded by request. It is not loaded until somebody asks for it again. */
  readonly isUnloaded: boolean;
  /** True if it serves although its source has it no more. */
  readonly sourceMissing: boolean;
}

/** The servable that a request means. Without a model, the default one is meant. */
export interface Target {
  readonly model?: string | undefined;
  readonly version?: number | undefined;
  readonly label?: string | undefined;
}

export class Table {
  private readonly limited = new WeakMap<ReadonlySet<string>, Table>();

  /**
   * @param advice says how to add a first model; those who ask while there is none get it
   * @param permitted are the names of models that may be asked for; undefined for all
   */
  constructor(
    readonly models: ReadonlyMap<string, ModelStatus>,
    readonly defaultModel: string | undefined,
    private readonly advice?: string,
    private readonly permitted?: ReadonlySet<string>,
  ) {}

  /** The same for somebody who may use only some models. The others are not in it, and asking for one is refused. */
  limitedTo(permitted: ReadonlySet<string> | undefined): Table {
    if (!permitted) return this;
    const before = this.limited.get(permitted);
    if (before) return before;
    const models = new Map([...this.models].filter(([name]) => permitted.has(name)));
    const { defaultModel, advice } = this;
    const isDefaultPermitted = defaultModel !== undefined && permitted.has(defaultModel);
    const table = new Table(models, isDefaultPermitted ? defaultModel : undefined, advice, permitted);
    this.limited.set(permitted, table);
    return table;
  }

  /**
   * The servable that a request means.
   *
   * @throws ServingError NOT_FOUND for a model or version that does not exist, UNAVAILABLE for one that does not serve
   * yet, PERMISSION_DENIED for a model that may not be asked for
   */
  find({ model: name = this.defaultModel, version: number, label }: Target): Servable {
    if (name === undefined) throw this.noDefault();
    const model = this.get(name);
    const version = label === undefined ? number : resolveLabel(model, label);
    const servable = version === undefined ? model.serving : model.available.get(version);
    return servable ?? refuse(model, version);
  }

  /** True if {@link find} would find something. */
  has({ model: name = this.defaultModel, version: number, label }: Target): boolean {
    const model = name === undefined ? undefined : this.models.get(name);
    if (!model) return false;
    const version = label === undefined ? number : model.labels.get(label);
    if (version !== undefined) return model.available.has(version);
    return label === undefined && model.serving !== undefined;
  }

  /**
   * @throws ServingError NOT_FOUND that lists the models there are, PERMISSION_DENIED for a model that may not be asked
   * for, whether or not it is there
   */
  get(name: string): ModelStatus {
    const model = this.models.get(name);
    if (model) return model;
    if (this.permitted && !this.permitted.has(name)) throw this.denied(`the model ${quoted(name)}`);
    const remedy = this.models.size > mostListed ? ({ kind: 'list models' } as const) : undefined;
    throw new ServingError('NOT_FOUND', `no model ${quoted(name)}; ${this.listModels()}`, { remedy });
  }

  private denied(what: string): ServingError {
    return new ServingError(
      'PERMISSION_DENIED',
      `this key may not use ${what}; it may use ${listed(this.permitted ?? [])}`,
    );
  }

  private noDefault(): ServingError {
    const { advice, models } = this;
    if (this.permitted) return this.denied('the default model, and the request names none');
    if (models.size === 0)
      return new ServingError(
        'UNAVAILABLE',
        `no model is loaded yet${advice === undefined ? '' : `: ${advice}`}; the log says what was found`,
        { retryAfter: 1 },
      );
    return new ServingError(
      'NOT_FOUND',
      `the request names no model, and there is no default; ${this.listModels()}`,
      { remedy: { kind: 'name a model' } },
    );
  }

  private listModels(): string {
    const { models } = this;
    return `there ${models.size === 1 ? 'is' : 'are'} ${listed(models.keys()) || 'none'}`;
  }
}

/** @throws ServingError NOT_FOUND if there is no such label */
export function resolveLabel({ name, labels }: Pick<ModelStatus, 'name' | 'labels'>, label: string): number {
  const version = labels.get(label);
  if (version !== undefined) return version;
  const known = listed(labels.keys()) || 'none';
  throw new ServingError('NOT_FOUND', `model \`${name}\` has no label ${quoted(label)}; there are ${known}`);
}

function refuse(model: ModelStatus, version: number | undefined): never {
  if (model.isUnloaded)
    throw new ServingError('UNAVAILABLE', `model \`${model.name}\` was unloaded by request`, {
      remedy: { kind: 'load', model: model.name },
    });
  const states = model.versions.filter((status) => version === undefined || status.version === version);
  if (version !== undefined && states.length === 0) {
    const known = listed(model.available.keys()) || 'none';
    throw new ServingError(
      'NOT_FOUND',
      `model \`${model.name}\` has no version ${version}; loaded: ${known}`,
    );
  }
  const failed = states.findLast(({ error }) => error);
  const state = failed ? `failed with ${failed.error?.code}` : (states.at(-1)?.state ?? 'START');
  if (version !== undefined && !failed && (state === 'END' || state === 'UNLOADING')) {
    const known = listed(model.available.keys()) || 'none';
    throw new ServingError(
      'NOT_FOUND',
      `version ${version} of \`${model.name}\` is not loaded; loaded: ${known}`,
    );
  }
  const subject =
    version === undefined
      ? `model \`${model.name}\` has no version that serves`
      : `version ${version} of \`${model.name}\` does not serve`;
  throw new ServingError('UNAVAILABLE', `${subject} (${state})`, {
    retryAfter: retryAfter(failed),
    remedy: { kind: 'look at a model', model: model.name },
  });
}

/** When a request may find the version serving; undefined if it failed for good. */
function retryAfter(failed: VersionStatus | undefined): Seconds | undefined {
  if (!failed) return 1;
  const { retryAt } = failed;
  return retryAt && Math.max(1, Math.ceil((retryAt.getTime() - Date.now()) / 1000));
}
