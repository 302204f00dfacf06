/**
 * Holds what a source lists to what the control plane relies on. What is wrong is told and left out. The rest is served.
 */
import { quoted } from '../../errors.js';
import type { Listing, ModelListing, UnreadableVersion, VersionListing } from '../../stores/source.js';

type Version = VersionListing | UnreadableVersion;

export function checkListing(listing: Listing): Listing {
  if (!listing.models) return listing;
  const check = new Check([...listing.problems]);
  const models = listing.models.filter((model) => check.isModel(model)).map((model) => check.versions(model));
  return { ...listing, models, problems: check.problems };
}

class Check {
  private readonly names = new Set<string>();
  private readonly places = new Set<string>();

  constructor(readonly problems: string[]) {}

  isModel({ name }: ModelListing): boolean {
    if (name === '' || name.includes('/'))
      return this.refuse(`expected a name of a model without a slash, got ${quoted(name)}`);
    if (this.names.has(name)) return this.refuse(`the model ${quoted(name)} is listed twice`);
    this.names.add(name);
    return true;
  }

  versions(model: ModelListing): ModelListing {
    const numbers = new Set<number>();
    const versions = model.versions?.filter((each) => this.isVersion(model.name, each, numbers));
    return { ...model, versions };
  }

  private isVersion(model: string, { version, place }: Version, numbers: Set<number>): boolean {
    if (!Number.isSafeInteger(version) || version < 0)
      return this.refuse(
        `expected a whole number from 0 on as a version of ${quoted(model)}, got ${version}`,
      );
    if (numbers.has(version)) return this.refuse(`version ${version} of ${quoted(model)} is listed twice`);
    if (this.places.has(place))
      return this.refuse(`version ${version} of ${quoted(model)} is in the same place as another: ${place}`);
    numbers.add(version);
    this.places.add(place);
    return true;
  }

  private refuse(problem: string): false {
    this.problems.push(problem);
    return false;
  }
}
