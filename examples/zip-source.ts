/**
 * A source of an application's own: a folder of models in a zip file, `NAME/VERSION/…`. It is not watched. The server looks
 * by the clock.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import {
  type Listing,
  type LocalVersion,
  ServingError,
  type Source,
  type SourceVersion,
  type VersionListing,
} from 'tfjs-serving';
import yauzl, { type Entry, type ZipFile } from 'yauzl';

export class ZipSource implements Source {
  /**
   * @param name the path of the file
   * @param cache a folder for the files of versions that are loaded
   */
  constructor(
    readonly name: string,
    private readonly cache: string,
  ) {}

  list(): Promise<Listing> {
    return this.opened(async (zip) => {
      const models = new Map<string, VersionListing[]>();
      for (const [place, entries] of await placesIn(zip)) {
        const [name = '', version] = place.split('/');
        const fingerprint = fingerprintOf(entries);
        const found = { version: Number(version), place, fingerprint, arrival: 'whole' } as const;
        models.set(name, [...(models.get(name) ?? []), found]);
      }
      const listed = Array.from(models, ([name, versions]) => ({ name, versions }));
      return { models: listed, problems: [], unserved: [] };
    });
  }

  async materialise({ place, fingerprint }: SourceVersion): Promise<LocalVersion> {
    const directory = await mkdtemp(path.join(this.cache, 'version-'));
    const release = () => rm(directory, { recursive: true });
    try {
      await this.opened(async (zip) => {
        const entries = (await placesIn(zip)).get(place) ?? [];
        if (fingerprintOf(entries) !== fingerprint)
          throw new ServingError('ABORTED', 'the zip file is another one by now');
        for (const entry of entries)
          await unpack(zip, entry, path.join(directory, path.relative(place, entry.fileName)));
      });
      return { directory, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** All that is read of the file at a time is of one opening, whatever is renamed into its place meanwhile. */
  private async opened<Value>(read: (zip: ZipFile) => Promise<Value>): Promise<Value> {
    const zip = await yauzl.openPromise(this.name, { lazyEntries: true, autoClose: false });
    return read(zip).finally(() => zip.close());
  }
}

/** The files of each version, by its place: `NAME/VERSION`. */
async function placesIn(zip: ZipFile): Promise<Map<string, Entry[]>> {
  const places = new Map<string, Entry[]>();
  for await (const entry of zip.eachEntry()) {
    const [, place] = /^([^/]+\/\d+)\/.*[^/]$/.exec(entry.fileName) ?? [];
    if (place !== undefined) places.set(place, [...(places.get(place) ?? []), entry]);
  }
  return places;
}

function fingerprintOf(entries: readonly Entry[]): string {
  return entries.map((entry) => `${entry.fileName} ${entry.uncompressedSize} ${entry.crc32}`).join('\n');
}

async function unpack(zip: ZipFile, entry: Entry, file: string): Promise<void> {
  const bytes = await buffer(await zip.openReadStreamPromise(entry));
  if (crc32(bytes) !== entry.crc32)
    throw new ServingError('DATA_LOSS', `${entry.fileName} is damaged in the zip file`);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, bytes);
}
