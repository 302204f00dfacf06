/**
 * Computes the identity of a version: a digest that changes when anything in its folder does, and only then. It also
 * reads the times that tell how the folder came to its place.
 *
 * On a local file system, a file is known by its path, size, ctime and inode. Modification times are left out, because
 * `tar`, `rsync` and `cp -p` keep old ones. Network and FUSE mounts make up inodes and ctimes (rclone gives a file
 * another inode every few minutes). There, a file is known by its path, size and modification time in whole seconds.
 * The small files that describe the others are also known by their content. This is decided for each file, because
 * links lead to other mounts.
 */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { kindOf, readRegularFile } from '../../files/regular-file.js';
import { storageCalls } from '../../files/storage-call.js';
import { servingJson } from './config-file.js';
import { type FolderContents, holdsModel } from './contents.js';
import { type Storage, storageOf } from './file-system.js';

/** Facts about a folder. Times are in milliseconds since 1970, by the clock of the machine that keeps the files. */
export interface FolderFacts {
  readonly fingerprint: string;
  /** The fingerprint without the handler. It stays the same while only code is edited. */
  readonly model?: string | undefined;
  /** The least trustworthy storage of any of its files. */
  readonly storage: Storage;
  /** Changes when another folder takes its place; undefined if inodes cannot be trusted. */
  readonly identity: string | undefined;
  /** When anything in it last changed. */
  readonly changedAt: number;
  /**
   * When the folder, one above it or a link to it was last renamed, made, or given other rights, as far as that can be
   * told.
   */
  readonly placedAt: number | undefined;
  /** When a numbered folder was made, if the file system says so. */
  readonly madeAt: number | undefined;
  /** The names in it. */
  readonly entries: readonly string[];
  /** The folders below it. */
  readonly folders: readonly string[];
  /** The first thing in it that is neither a file nor a folder, in words. */
  readonly unfit: string | undefined;
}

/** The limits are beyond those of any SavedModel. A link that leads back up ends here. */
const maxDepth = 12;
const maxFiles = 20_000;

/**
 * The most bytes of a telling file: those hold checksums, or say what the model does. A larger one counts like any
 * other file.
 */
const tellingBytes = 2 ** 20;

/**
 * @param above are the folders between it and `--model-path`
 * @param handler is its handler, which belongs to the version wherever it lies
 * @throws the file system's error if something in it cannot be read
 */
export async function readFolderFacts(
  directory: string,
  above: readonly string[],
  handler: string | undefined,
  contents: FolderContents,
): Promise<FolderFacts> {
  const collector = new Collector(directory, contents);
  const own = await facts(directory);
  const isLinked = (await linkFacts(directory)).isSymbolicLink();
  const entries = await collector.collect(isLinked);
  const { lines } = collector;
  const code = handler === undefined ? undefined : `${path.relative(directory, handler)}\0`;
  const model = digestOf(lines.filter((line) => code === undefined || !line.startsWith(code)));
  // If handlers are off, it only matters that there is one.
  if (handler !== undefined) lines.push((await contents.handlers?.digest(handler)) ?? handler);
  const storage = await collector.storage(directory, own);
  const isLocal = storage === 'local';
  // A bare SavedModel has no folder above. It becomes a version only when its saved_model.pb comes.
  const isNumbered = above.length > 0;
  return {
    fingerprint: digestOf(lines),
    model,
    storage,
    identity: isLocal ? `${own.dev}:${own.ino}` : undefined,
    changedAt: milliseconds(storage === 'fuse' ? collector.changed : latest(collector.changed, own.mtimeNs)),
    placedAt: storage === 'fuse' ? undefined : await placedAt(directory, above, isLocal),
    madeAt:
      isLocal && isNumbered && !isLinked && own.birthtimeNs > 0n ? milliseconds(own.birthtimeNs) : undefined,
    entries,
    folders: collector.folders,
    unfit: collector.unfit,
  };
}

function digestOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex').slice(0, 32);
}

/** Only the digest. @throws as {@link readFolderFacts} */
export async function fingerprintOf(
  directory: string,
  handler: string | undefined,
  contents: FolderContents,
): Promise<string> {
  return (await readFolderFacts(directory, [], handler, contents)).fingerprint;
}

/**
 * When a folder was put into its place. A rename sets its ctime and keeps its modification time, while creating or
 * deleting something in it sets both. A link is placed when it is made.
 */
async function placedAt(
  directory: string,
  above: readonly string[],
  isLocal: boolean,
): Promise<number | undefined> {
  const times: bigint[] = [];
  for (const [i, folder] of [directory, ...above].entries()) {
    const own = await facts(folder);
    const link = await linkFacts(folder);
    const parent = i === 0 && above[0] !== undefined ? await facts(above[0]) : undefined;
    if (own.ctimeNs > own.mtimeNs) times.push(own.ctimeNs);
    else if (isLocal && parent && !link.isSymbolicLink() && movedWithin(own, parent)) times.push(own.ctimeNs);
    // One nanosecond less, so that a file written in the same clock tick counts as newer. On a network mount, the link
    // and the files would have different clocks.
    if (isLocal && link.isSymbolicLink()) times.push(link.ctimeNs - 1n);
  }
  return times.length === 0 ? undefined : milliseconds(times.reduce(latest));
}

/** The clock for files advances every 1 to 10 ms. In nanoseconds. */
const tick = 10_000_000n;

/**
 * Detects a rename in the same tick as the last write: the parent changed together with the folder, long after the
 * folder was made.
 */
function movedWithin(own: BigIntStats, above: BigIntStats): boolean {
  const apart = own.ctimeNs > above.mtimeNs ? own.ctimeNs - above.mtimeNs : above.mtimeNs - own.ctimeNs;
  return own.birthtimeNs > 0n && above.mtimeNs - own.birthtimeNs > tick && apart <= tick;
}

function latest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6;
}

const order: readonly Storage[] = ['local', 'network', 'fuse'];

function facts(file: string): Promise<BigIntStats> {
  return storageCalls.make(() => stat(file, { bigint: true }));
}

function linkFacts(file: string): Promise<BigIntStats> {
  return storageCalls.make(() => lstat(file, { bigint: true }));
}

/** A folder of the version, or one that a link in it leads to. */
interface Place {
  readonly directory: string;
  /** The path within the version, with a slash at its end. */
  readonly prefix: string;
  readonly depth: number;
  /** True if its folders are not entered. */
  readonly isLast: boolean;
}

class Collector {
  /** One line for each file. */
  readonly lines: string[] = [];
  /** The folders that were entered, without the version's own. */
  readonly folders: string[] = [];
  /** The first thing that is neither a file nor a folder. */
  unfit: string | undefined;
  /** In nanoseconds since 1970. */
  changed = 0n;
  private readonly devices = new Map<bigint, Storage>();

  constructor(
    private readonly root: string,
    private readonly contents: FolderContents,
  ) {}

  /** The storage of a file or folder and of everything collected so far. */
  async storage(name: string, facts: BigIntStats): Promise<Storage> {
    await this.storageOfOne(name, facts);
    return order.findLast((each) => [...this.devices.values()].includes(each)) ?? 'local';
  }

  private async storageOfOne(name: string, { dev }: BigIntStats): Promise<Storage> {
    const known = this.devices.get(dev) ?? (await storageOf(name));
    this.devices.set(dev, known);
    return known;
  }

  /**
   * @param isLinked says that a link leads to the version: it may lead anywhere, so it is not followed further without
   * a model
   * @returns the names in the folder
   */
  async collect(isLinked: boolean): Promise<string[]> {
    const names = await storageCalls.make(() => readdir(this.root));
    const isLast = isLinked && !holdsModel(names, this.contents);
    await this.visit({ directory: this.root, prefix: '', depth: 0, isLast });
    return names;
  }

  private async visit({ directory, prefix, depth, isLast }: Place): Promise<void> {
    if (depth > maxDepth || this.lines.length > maxFiles)
      throw new Error('too deep or too many files for a model');
    const entries = await storageCalls.make(() => readdir(directory, { withFileTypes: true }));
    for (const entry of entries) {
      const relative = prefix + entry.name;
      // It lies beside a bare SavedModel. It says how the model is served, and changes nothing about it.
      if (relative === servingJson) continue;
      const file = path.join(directory, entry.name);
      const found = await facts(file);
      const storage = await this.storageOfOne(file, found);
      if (found.isDirectory()) {
        if (storage !== 'fuse') this.changed = latest(this.changed, found.ctimeNs);
        if (isLast) {
          this.lines.push(`${relative}/\0${found.mtimeNs}`);
          continue;
        }
        this.folders.push(file);
        const leadsOut = entry.isSymbolicLink() && !(await this.isWithin(file));
        await this.visit({
          directory: file,
          prefix: `${relative}/`,
          depth: depth + 1,
          isLast: leadsOut,
        });
      } else {
        if (!found.isFile()) this.unfit ??= `${relative} is ${kindOf(found)}, and must be a file`;
        this.changed = latest(this.changed, found.ctimeNs);
        if (storage !== 'local') this.changed = latest(this.changed, found.mtimeNs);
        this.lines.push(`${relative}\0${found.size}\0${await this.mark(file, relative, found, storage)}`);
      }
    }
  }

  /** Tells one content of a file from another, in addition to its size. */
  private async mark(file: string, relative: string, found: BigIntStats, storage: Storage): Promise<string> {
    const { size, ctimeNs, mtimeNs, ino } = found;
    if (storage === 'local') return `${ctimeNs}\0${ino}`;
    const isTelling =
      this.contents.formats.some(({ tellingFiles }) => tellingFiles.includes(relative)) &&
      found.isFile() &&
      size <= tellingBytes;
    const contents = isTelling ? await readRegularFile(file, tellingBytes) : '';
    const digest = contents && createHash('sha256').update(contents).digest('hex');
    return `${mtimeNs / 1_000_000_000n}\0${digest}`;
  }

  /** True for a link that leads to a folder of the same version. */
  private async isWithin(link: string): Promise<boolean> {
    const [target, own] = await Promise.all([
      storageCalls.make(() => realpath(link)),
      storageCalls.make(() => realpath(this.root)),
    ]);
    return target.startsWith(`${own}${path.sep}`);
  }
}
