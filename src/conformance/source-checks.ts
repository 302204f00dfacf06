/** The checks of a source. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { checkListing } from '../control/scan/checked-listing.js';
import { messageOf, ServingError } from '../errors.js';
import type { LocalVersion, Source, SourceVersion, VersionListing } from '../stores/source.js';
import { type Check, expectThat, rejectionOf } from './check.js';

/** What changes a source between two looks. */
export interface SourceExample {
  /** Adds a version, or changes the files of one. Left out, nothing is asked of changes. */
  readonly change?: (() => Promise<void>) | undefined;
}

/** The checks of a source. @param source has at least one version of a model */
export function sourceChecks(source: Source, { change }: SourceExample = {}): readonly Check[] {
  const checks = new SourceChecks(source);
  const all: Check[] = [
    { name: 'lists models and their versions', run: async () => void (await checks.versions()) },
    { name: 'lists the same while nothing changes', run: () => checks.listsTheSame() },
    { name: 'has the files of each version in a folder', run: () => checks.hasFiles() },
    { name: 'has the files again after they were given back', run: () => checks.hasFilesAgain() },
    { name: 'keeps files that somebody else still has', run: () => checks.keepsFiles() },
    { name: 'refuses contents that are there no more', run: () => checks.refusesOtherContents() },
    { name: 'refuses a version that there is not', run: () => checks.refusesNothing() },
    { name: 'watches until it is told not to', run: () => checks.watches() },
    { name: 'finds nothing at a path of nothing', run: () => checks.locatesNothing() },
  ];
  if (change) all.push({ name: 'shows a change', run: () => checks.showsChange(change) });
  return all;
}

const noSignal = new AbortController().signal;

class SourceChecks {
  constructor(private readonly source: Source) {}

  /** The versions that can be read. */
  async versions(): Promise<readonly [VersionListing, ...VersionListing[]]> {
    const listing = await this.source.list();
    const { models, problems } = await checkListing(listing);
    const known = listing.problems ?? [];
    const found = problems.filter((problem) => !known.includes(problem));
    expectThat(found.length === 0, 'a listing without faults', found.join('; '));
    const [first, ...more] = (models ?? []).flatMap(({ versions = [] }) => versions.filter(isReadable));
    expectThat(first !== undefined, 'a version that can be read', 'none');
    return [first, ...more];
  }

  async listsTheSame(): Promise<void> {
    const [before, after] = [await this.contents(), await this.contents()];
    expectThat(before.join('\n') === after.join('\n'), before.join('\n'), after.join('\n'));
  }

  async hasFiles(): Promise<void> {
    for (const version of await this.versions()) await this.withFiles(version, (local) => areThere(local));
  }

  async hasFilesAgain(): Promise<void> {
    const [version] = await this.versions();
    for (let i = 0; i < 2; i++) await this.withFiles(version, (local) => areThere(local));
  }

  async keepsFiles(): Promise<void> {
    const [version] = await this.versions();
    await this.withFiles(version, async (local) => {
      await this.withFiles(version, (other) => areThere(other));
      await areThere(local);
    });
  }

  async refusesOtherContents(): Promise<void> {
    const [version] = await this.versions();
    const error = await this.refusalOf({ ...version, fingerprint: `${version.fingerprint} of others` });
    const isAborted = error instanceof ServingError && error.code === 'ABORTED';
    expectThat(isAborted, 'ABORTED from `materialise` or from `checkUnchanged`', messageOf(error));
  }

  async refusesNothing(): Promise<void> {
    const place = path.join('no', 'such', 'place');
    await this.refusalOf({ version: 1, place, fingerprint: 'of nothing' });
  }

  async watches(): Promise<void> {
    const watch = await this.source.watch?.(() => {});
    await watch?.close();
  }

  async locatesNothing(): Promise<void> {
    const { source } = this;
    if (!source.locate) return;
    const located = source.locate(path.resolve('no', 'such', 'place'));
    const error = await rejectionOf(located, 'an error for a path without a version');
    expectThat(
      error instanceof ServingError,
      'a ServingError for a path without a version',
      messageOf(error),
    );
  }

  async showsChange(change: () => Promise<void>): Promise<void> {
    const before = await this.contents();
    await change();
    const after = await this.contents();
    expectThat(
      after.some((each) => !before.includes(each)),
      'a version with another fingerprint',
      after,
    );
  }

  private async contents(): Promise<string[]> {
    const versions = await this.versions();
    return versions.map(({ version, place, fingerprint }) => `${version} at ${place}: ${fingerprint}`).sort();
  }

  private async withFiles(
    version: SourceVersion,
    use: (local: LocalVersion) => Promise<void>,
  ): Promise<void> {
    const local = await this.source.materialise(version, noSignal);
    try {
      await use(local);
    } finally {
      await local.release?.();
    }
  }

  private refusalOf(version: SourceVersion): Promise<unknown> {
    const unchanged = this.withFiles(version, async (local) => local.checkUnchanged?.());
    return rejectionOf(unchanged, 'a version that is not there to be refused');
  }
}

function isReadable(version: object): version is VersionListing {
  return 'fingerprint' in version;
}

async function areThere(local: LocalVersion): Promise<void> {
  const { directory } = local;
  expectThat(path.isAbsolute(directory), 'an absolute path as `directory`', directory);
  const names = await readdir(directory);
  expectThat(names.length > 0, 'files in `directory`', 'none');
  await local.checkUnchanged?.();
}
