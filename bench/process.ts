/**
 * What Linux says of processes.
 */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Of a tick, as every Linux that Node runs on has it. */
const ticksPerSecond = 100;

/** Seconds of CPU that a process with all its threads has taken, or undefined if it is gone. */
export function cpuSeconds(pid: number): number | undefined {
  const fields = statFields(pid);
  // utime and stime, fields 14 and 15 of the whole line.
  return fields && (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory in MiB: what it is now, or the most it was since `forgetPeak` or the process's start. */
export function residentMebibytes(pid: number, when: 'now' | 'at its most' = 'now'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const line = when === 'now' ? /^VmRSS:\s+(\d+) kB$/m : /^VmHWM:\s+(\d+) kB$/m;
  return Number(line.exec(status)?.[1]) / 1024;
}

/** From now on `residentMebibytes(pid, 'at its most')` is of what comes. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Has a child end with this process: a benchmark that fails half-way leaves nothing behind. */
export function endTogether(child: ChildProcess): void {
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
}

/** A process and all that descend from it. */
export class ProcessTree {
  constructor(readonly pid: number) {}

  /** Parents before their children. */
  pids(): number[] {
    const children = new Map<number, number[]>();
    for (const name of readdirSync('/proc')) {
      const fields = /^\d+$/.test(name) ? statFields(Number(name)) : undefined;
      if (!fields) continue;
      const parent = Number(fields[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    }
    const found = [this.pid];
    // Grows while it is walked.
    for (const pid of found) found.push(...(children.get(pid) ?? []));
    return found;
  }

  cpuSeconds(): number {
    return this.pids().reduce((sum, pid) => sum + (cpuSeconds(pid) ?? 0), 0);
  }

  /**
   * Resident memory in MiB, as if this tree were alone: what its processes share counts once, and it does not matter
   * whether others (a server that has the same libtensorflow, say) have the same files in memory.
   */
  residentMebibytes(): number {
    let kibibytes = 0;
    const files = new Map<string, number>();
    for (const pid of this.pids()) {
      const rollup = readIfThere(`/proc/${pid}/smaps_rollup`) ?? '';
      kibibytes += kibibytesOf(rollup, 'Pss_Anon') + kibibytesOf(rollup, 'Pss_Shmem');
      for (const [file, resident] of residentFiles(pid)) {
        files.set(file, Math.max(files.get(file) ?? 0, resident));
      }
    }
    for (const resident of files.values()) kibibytes += resident;
    return kibibytes / 1024;
  }

  /** Stops them where they are. The parents first, lest one notices that its child does not answer. */
  pause(): void {
    this.signal('SIGSTOP', this.pids());
  }

  resume(): void {
    this.signal('SIGCONT', this.pids().reverse());
  }

  kill(): void {
    this.signal('SIGKILL', this.pids());
  }

  private signal(name: NodeJS.Signals, pids: readonly number[]): void {
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

/** Of each file that a process has mapped: KiB of it that are in memory, less what the process has written to. */
function residentFiles(pid: number): Map<string, number> {
  const files = new Map<string, number>();
  const smaps = readIfThere(`/proc/${pid}/smaps`) ?? '';
  // A mapping begins with its range of addresses; the rest of that line ends with the file.
  for (const mapping of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const file = /^\S+ \S+ \S+ \S+ \d+ +(\/.*)$/m.exec(mapping)?.[1];
    if (file === undefined || file.startsWith('/dev/')) continue;
    const resident = kibibytesOf(mapping, 'Rss') - kibibytesOf(mapping, 'Anonymous');
    files.set(file, (files.get(file) ?? 0) + resident);
  }
  return files;
}

function kibibytesOf(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
}

/** What follows the name in /proc/PID/stat: state, parent … */
function statFields(pid: number): string[] | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** A process may end at any moment. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
