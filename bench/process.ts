/**
 * What Linux says of a process.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Of a tick, as every Linux that Node runs on has it. */
const ticksPerSecond = 100;

/** Seconds of CPU that a process with all its threads has taken, or undefined if it is gone. */
export function cpuSeconds(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime and stime, fields 14 and 15 of the whole line.
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return undefined;
  }
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
