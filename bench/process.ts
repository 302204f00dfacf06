/** Reads what Linux says of processes. */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** The ticks per second, on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** The CPU seconds of a process with all its threads; undefined if it is gone. */
export function cpuSeconds(pid: number): number | undefined {
  const fields = statFields(pid);
  // utime and stime, fields 14 and 15 of the whole line.
  return fields && (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** The resident memory in MiB: now, or the most since `forgetPeak` or the start of the process. */
export function residentMebibytes(pid: number, when: 'now' | 'at its most' = 'now'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const line = when === 'now' ? /^VmRSS:\s+(\d+) kB$/m : /^VmHWM:\s+(\d+) kB$/m;
  return Number(line.exec(status)?.[1]) / 1024;
}

/** Resets `residentMebibytes(pid, 'at its most')`. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Ends a child with this process, so that a benchmark that fails half-way leaves nothing behind. */
export function endTogether(child: ChildProcess): void {
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
}

/** A process and all its descendants. */
export class ProcessTree {
  constructor(readonly pid: number) {}

  /** The process ids. Parents come before their children. */
  pids(): number[] {
    const children = new Map<number, number[]>();
    for (const name of readdirSync('/proc')) {
      const fields = /^\d+$/.test(name) ? statFields(Number(name)) : undefined;
      if (!fields) continue;
      const parent = Number(fields[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    }
    const found = [this.pid];
    // The list grows while it is walked.
    for (const pid of found) found.push(...(children.get(pid) ?? []));
    return found;
  }

  cpuSeconds(): number {
    return this.pids().reduce((sum, pid) => sum + (cpuSeconds(pid) ?? 0), 0);
  }

  /**
   * The resident memory in MiB, as if this tree were alone. What its processes share counts once, and it does not
   * matter whether others have the same files in memory, for example a server with the same libtensorflow.
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

  /** Pauses the processes. Parents come first, so that none notices that its child does not answer. */
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

/** For each file that a process has mapped, the KiB in memory, without what the process has written to. */
function residentFiles(pid: number): Map<string, number> {
  const files = new Map<string, number>();
  const smaps = readIfThere(`/proc/${pid}/smaps`) ?? '';
  // A mapping begins with its range of addresses. The rest of that line ends with the file.
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

/** The fields after the name in /proc/PID/stat: state, parent … */
function statFields(pid: number): string[] | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Reads a file of a process, which may end at any moment. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
