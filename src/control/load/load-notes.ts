/**
 * Keeps notes on disk of the loads that are under way.
 *
 * Some models make TensorFlow end the process. A note that a dead process left names such a version, so that the next
 * start does not load it again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../errors.js';
import { readRegularFile } from '../../files/regular-file.js';
import type { SourceVersion } from '../../stores/source.js';
import type { Logger } from '../../telemetry/logger.js';

const noteSchema = z.object({
  model: z.string(),
  version: z.number(),
  place: z.string(),
  fingerprint: z.string(),
  /** When the load began. */
  at: z.string(),
  /** The process that loads the version. Its number alone may belong to another process by now. */
  process: z.string(),
  /** How many processes died of it before. */
  deaths: z.number().int().nonnegative(),
});

type Note = z.output<typeof noteSchema>;

/** A version that was being loaded when a server died. */
export interface Suspect {
  /** When that load began. */
  readonly at: string;
  /** How many servers died while they loaded it. */
  readonly deaths: number;
  /** True if somebody asked for it nevertheless. */
  readonly isPardoned: boolean;
}

const maxBytes = 2 ** 16;

export class LoadNotes {
  private readonly suspects = new Map<string, Note & Suspect>();
  /** The files for loads that are under way in this process. */
  private readonly own = new Set<string>();
  private isBroken = false;

  private constructor(
    /** The folder of the notes; undefined if none are kept. */
    private readonly folder: string | undefined,
    private readonly logger: Logger,
  ) {}

  /**
   * Reads the notes of earlier servers.
   *
   * @param stateFolder is for all servers of this machine; undefined if no notes are kept
   * @param source has the versions that are loaded
   */
  static async open(stateFolder: string | undefined, source: string, logger: Logger): Promise<LoadNotes> {
    if (stateFolder === undefined) return new LoadNotes(undefined, logger);
    const name = digest(`${hostname()}\0${source}`);
    const notes = new LoadNotes(path.join(stateFolder, 'loads', name), logger);
    await notes.readAll();
    return notes;
  }

  private async readAll(): Promise<void> {
    const { folder } = this;
    if (folder === undefined) return;
    const names = await readdir(folder).catch((): string[] => []);
    for (const name of names) {
      const file = path.join(folder, name);
      const note = await readNote(file);
      // Another server is loading from the same source.
      if (note && isAlive(note.process)) continue;
      if (note) this.suspects.set(keyOf(note), { ...note, deaths: note.deaths + 1, isPardoned: false });
      else await rm(file, { force: true }).catch(() => {});
    }
  }

  /** What is known of a version with exactly these contents. */
  suspectOf(model: string, candidate: SourceVersion): Suspect | undefined {
    return this.suspects.get(keyOf({ ...candidate, model }));
  }

  /** Lets the versions of a model be tried again that were being loaded when a server died. */
  pardon(model: string): void {
    for (const [key, suspect] of this.suspects)
      if (suspect.model === model) this.suspects.set(key, { ...suspect, isPardoned: true });
  }

  /** Writes a note. It must be awaited before the version is loaded. */
  async begin(model: string, candidate: SourceVersion): Promise<void> {
    const { version, place, fingerprint } = candidate;
    const deaths = this.suspectOf(model, candidate)?.deaths ?? 0;
    const note: Note = {
      ...{ model, version, place, fingerprint, deaths },
      at: new Date().toISOString(),
      process: thisProcess,
    };
    await this.write(async (folder) => {
      await mkdir(folder, { recursive: true });
      const file = fileOf(folder, note);
      await writeFile(file, JSON.stringify(note));
      this.own.add(file);
    });
  }

  /** Removes the note, because the load is over and the process lives. */
  async end(model: string, candidate: SourceVersion): Promise<void> {
    const files: Named[] = [{ ...candidate, model }];
    // Facts about other contents in the same place are out of date.
    for (const [key, suspect] of this.suspects) {
      if (suspect.model !== model || suspect.place !== candidate.place) continue;
      this.suspects.delete(key);
      files.push(suspect);
    }
    await this.write(async (folder) => {
      for (const file of files.map((each) => fileOf(folder, each))) {
        await rm(file, { force: true });
        this.own.delete(file);
      }
      // Usually the folder has other files only while other servers load.
      await rmdir(folder).catch(() => {});
    });
  }

  /** Removes all notes. The process is told to end, so no load is to blame. */
  async close(): Promise<void> {
    const files = [...this.own];
    this.own.clear();
    await this.write(async (folder) => {
      for (const file of files) await rm(file, { force: true });
      if (files.length > 0) await rmdir(folder).catch(() => {});
    });
  }

  /** Writes to the folder. If that fails, the server serves without notes. */
  private async write(make: (folder: string) => Promise<void>): Promise<void> {
    if (this.folder === undefined) return;
    try {
      await make(this.folder);
    } catch (error) {
      if (this.isBroken) return;
      this.isBroken = true;
      this.logger.warn(
        `cannot keep notes of loads (${messageOf(error)}): a model that ends the server would do so again at each start; ` +
          'name another folder with --state-dir',
      );
    }
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

type Named = Pick<Note, 'model' | 'version' | 'fingerprint'>;

/** Identifies a version without its place, which may be another path from another working directory. */
function keyOf({ model, version, fingerprint }: Named): string {
  return digest(`${model}\0${version}\0${fingerprint}`);
}

function fileOf(folder: string, note: Named): string {
  return path.join(folder, `${keyOf(note)}.json`);
}

/** Reads a note; undefined for a file that is none, for example one that was cut short. */
async function readNote(file: string): Promise<Note | undefined> {
  try {
    return noteSchema.parse(JSON.parse((await readRegularFile(file, maxBytes)).toString('utf8')));
  } catch {
    return undefined;
  }
}

/** Names a process by its number and the time of its start. In a container, the number is the same at each start. */
function processName(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program is in brackets and may hold anything.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${pid} ${started}`;
  } catch {
    return undefined;
  }
}

const boot = readBoot();
const thisProcess = `${boot} ${processName(process.pid) ?? `${process.pid}`}`;

/** Identifies the boot of the machine, because the start times of processes count from it. */
function readBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

function isAlive(name: string): boolean {
  if (name === thisProcess) return true;
  const [itsBoot, pid] = name.split(' ');
  if (itsBoot !== boot) return false;
  if (processName(process.pid) !== undefined) return `${boot} ${processName(Number(pid))}` === name;
  // This is not Linux.
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}
