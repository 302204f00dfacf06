/**
 * Checks a source's listing for what the control plane relies on. Wrong entries are reported and left out. The rest is
 * served.
 */
import type { z } from 'zod';
import { messageOf, quoted } from '../../errors.js';
import type { ModelConfig, RepositoryConfig } from '../../stores/serving-json.js';
import type {
  ArrivalFacts,
  Listing,
  ModelListing,
  UnreadableVersion,
  VersionListing,
} from '../../stores/source.js';

type Version = VersionListing | UnreadableVersion;
type Schemas = typeof import('../../stores/serving-schema.js');

/** Settings that have been checked, by the object in the listing. A source may list the same object each time. */
const checkedConfigs = new WeakMap<object, object>();

export interface CheckedModelListing extends Omit<ModelListing, 'config'> {
  readonly config?: ModelConfig | undefined;
}

/** A listing without wrong entries, and with complete settings. */
export interface CheckedListing extends Omit<Listing, 'models' | 'config' | 'problems' | 'unserved'> {
  readonly models: readonly CheckedModelListing[] | undefined;
  readonly config?: RepositoryConfig | undefined;
  readonly problems: readonly string[];
  readonly unserved: readonly string[];
}

export async function checkListing(listing: Listing): Promise<CheckedListing> {
  const { config: file, problems = [], unserved = [], ...rest } = listing;
  if (!rest.models) return { ...rest, models: undefined, problems, unserved };
  const schemas = hasNewConfig(listing) ? await import('../../stores/serving-schema.js') : undefined;
  const check = new Check([...problems], schemas);
  const models = rest.models.filter((model) => check.isModel(model)).map((model) => check.model(model));
  const config = check.config('the settings of the source', file, ({ repositorySchema }) => repositorySchema);
  return { ...rest, models, ...(config && { config }), problems: check.problems, unserved };
}

function hasNewConfig({ models = [], config }: Listing): boolean {
  return [config, ...models.map((model) => model.config)].some((each) => each && !checkedConfigs.has(each));
}

class Check {
  private readonly names = new Set<string>();
  private readonly places = new Set<string>();

  constructor(
    readonly problems: string[],
    private readonly schemas: Schemas | undefined,
  ) {}

  isModel({ name }: ModelListing): boolean {
    if (typeof name !== 'string' || name === '' || name.includes('/'))
      return this.refuse(`expected a name of a model without a slash, got ${quoted(String(name))}`);
    if (this.names.has(name)) return this.refuse(`the model ${quoted(name)} is listed twice`);
    this.names.add(name);
    return true;
  }

  model({ config, ...model }: ModelListing): CheckedModelListing {
    const numbers = new Set<number>();
    const versions = model.versions?.filter((each) => this.isVersion(model.name, each, numbers));
    const checked = this.config(
      `the settings of ${quoted(model.name)}`,
      config,
      ({ modelSchema }) => modelSchema,
    );
    return { ...model, versions, ...(checked && { config: checked }) };
  }

  /** The complete settings, with defaults. It is undefined if there are none, or if they cannot be used. */
  config<Config extends object>(
    what: string,
    file: object | undefined,
    schemaOf: (schemas: Schemas) => z.ZodType<Config>,
  ): Config | undefined {
    const { schemas } = this;
    if (!file) return undefined;
    try {
      const config = checkedConfigs.get(file) ?? schemas?.checked(schemaOf(schemas), file);
      if (config) checkedConfigs.set(file, config).set(config, config);
      return config as Config | undefined;
    } catch (error) {
      this.refuse(`${what}: ${messageOf(error)}`);
      return undefined;
    }
  }

  private isVersion(model: string, listed: Version, numbers: Set<number>): boolean {
    const { version, place } = listed;
    if (!Number.isSafeInteger(version) || version < 0)
      return this.refuse(
        `expected a whole number from 0 on as a version of ${quoted(model)}, got ${shown(version)}`,
      );
    const name = `version ${version} of ${quoted(model)}`;
    if (numbers.has(version)) return this.refuse(`${name} is listed twice`);
    if (typeof place !== 'string')
      return this.refuse(`${name}: expected a text as its place, got ${shown(place)}`);
    if (this.places.has(place)) return this.refuse(`${name} is in the same place as another: ${place}`);
    numbers.add(version);
    this.places.add(place);
    // A version that is listed as unreadable stays. It is not the same as one that is gone.
    const fault = faultOf(listed);
    return fault === undefined || this.refuse(`${name}: ${fault}`);
  }

  private refuse(problem: string): false {
    this.problems.push(problem);
    return false;
  }
}

/** Says what is wrong with the facts of a version. A version without any facts cannot be read now. */
function faultOf(listed: Version): string | undefined {
  if (!('fingerprint' in listed) && !('arrival' in listed)) return undefined;
  const { fingerprint, arrival } = listed as Partial<VersionListing>;
  if (typeof fingerprint !== 'string' || fingerprint === '')
    return `expected a text as its fingerprint, got ${shown(fingerprint)}`;
  if (arrival === 'whole' || isArrival(arrival)) return undefined;
  return `expected 'whole' or {clock, changedAt, entries} as its arrival, got ${shown(arrival)}`;
}

function isArrival(arrival: unknown): arrival is ArrivalFacts {
  if (typeof arrival !== 'object' || arrival === null) return false;
  const { clock, changedAt, entries } = arrival as Partial<ArrivalFacts>;
  return (clock === 'own' || clock === 'other') && Number.isFinite(changedAt) && Array.isArray(entries);
}

function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : quoted(JSON.stringify(value) ?? String(value));
}
