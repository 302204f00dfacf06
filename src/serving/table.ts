/**
 * The table of what is served: all that the data plane knows of the control plane. Immutable; a reload publishes a
 * new one.
 */
import { type ErrorCode, quoted, ServingError } from '../errors.js';
import type { Seconds } from '../time.js';
import type { Servable } from './servable.js';

/** TensorFlow Serving's states of a version. */
export const versionStates = ['START', 'LOADING', 'AVAILABLE', 'UNLOADING', 'END'] as const;
export type VersionState = (typeof versionStates)[number];

/** What `/models` says of one version. */
export interface VersionStatus {
  readonly version: number;
  readonly generation: number;
  readonly state: VersionState;
  /** When its load began, while it is LOADING. */
  readonly since?: Date | undefined;
  /** Why it is not served, where it failed, also while it is tried again. */
  readonly error?: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** When it is tried again, where the failure may pass by itself. */
  readonly retryAt?: Date | undefined;
  /** Why its warm-up says nothing, where no valid inputs could be made up. */
  readonly warmup?: string | undefined;
  readonly fingerprint: string;
}

/** One model as it stands. */
export interface ModelStatus {
  readonly name: string;
  /** Ascending by version; versions that the source has and those loaded. */
  readonly versions: readonly VersionStatus[];
  /** The one that answers when a request names no version. */
  readonly serving: Servable | undefined;
  /** Loaded versions that can be asked for by number. */
  readonly available: ReadonlyMap<number, Servable>;
  /** Movable names for versions. */
  readonly labels: ReadonlyMap<string, number>;
  /** The version that should be served now. */
  readonly wanted: number | undefined;
  /** The version it is held at, until it is unpinned. */
  readonly pinned: number | undefined;
  /** What its `serving.json` says, and cannot be had. */
  readonly doubts: readonly string[];
  /** It was unloaded by request, and is not loaded until it is asked for again. */
  readonly isUnloaded: boolean;
  /** Serving although its source has it no more. */
  readonly sourceMissing: boolean;
}

/** Which servable a request means. Without a model: the default one. */
export interface Target {
  readonly model?: string | undefined;
  readonly version?: number | undefined;
  readonly label?: string | undefined;
}

/** Models that an error names. */
const mostNamed = 20;

export class Table {
  /** @param advice how a first model is added, for those who ask while there is none */
  constructor(
    readonly models: ReadonlyMap<string, ModelStatus>,
    readonly defaultModel: string | undefined,
    private readonly advice?: string,
  ) {}

  /**
   * The servable that a request means.
   *
   * @throws ServingError NOT_FOUND for a model or version that does not exist, UNAVAILABLE for one that does not serve yet
   */
  find({ model: name = this.defaultModel, version: number, label }: Target): Servable {
    if (name === undefined) throw this.noDefault();
    const model = this.get(name);
    const version = label === undefined ? number : resolveLabel(model, label);
    const servable = version === undefined ? model.serving : model.available.get(version);
    return servable ?? refuse(model, version);
  }

  /** @throws ServingError NOT_FOUND that lists the models there are */
  get(name: string): ModelStatus {
    const model = this.models.get(name);
    if (model) return model;
    const remedy = this.models.size > mostNamed ? ({ kind: 'list models' } as const) : undefined;
    throw new ServingError('NOT_FOUND', `no model ${quoted(name)}; ${this.listModels()}`, { remedy });
  }

  private noDefault(): ServingError {
    const { advice, models } = this;
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
    const names = [...this.models.keys()].slice(0, mostNamed).map((name) => `\`${name}\``);
    const more = this.models.size - names.length;
    if (more > 0) return `there are ${names.join(', ')} and ${more} more`;
    return names.length === 0
      ? 'there are none'
      : `there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`;
  }
}

/** @throws ServingError NOT_FOUND */
export function resolveLabel({ name, labels }: Pick<ModelStatus, 'name' | 'labels'>, label: string): number {
  const version = labels.get(label);
  if (version !== undefined) return version;
  const known = [...labels.keys()].join(', ') || 'none';
  throw new ServingError('NOT_FOUND', `model \`${name}\` has no label ${quoted(label)}; there are ${known}`);
}

function refuse(model: ModelStatus, version: number | undefined): never {
  if (model.isUnloaded)
    throw new ServingError('UNAVAILABLE', `model \`${model.name}\` was unloaded by request`, {
      remedy: { kind: 'load', model: model.name },
    });
  const states = model.versions.filter((status) => version === undefined || status.version === version);
  if (version !== undefined && states.length === 0) {
    const known = [...model.available.keys()].join(', ') || 'none';
    throw new ServingError(
      'NOT_FOUND',
      `model \`${model.name}\` has no version ${version}; loaded: ${known}`,
    );
  }
  const failed = states.findLast(({ error }) => error);
  const state = failed ? `failed with ${failed.error?.code}` : (states.at(-1)?.state ?? 'START');
  if (version !== undefined && !failed && (state === 'END' || state === 'UNLOADING')) {
    const known = [...model.available.keys()].join(', ') || 'none';
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
