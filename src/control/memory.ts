/** Decides whether a version fits into memory beside what is there. */
import { readFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import path from 'node:path';
import { ServingError } from '../errors.js';

/**
 * Refuses a version that cannot fit, while the version that serves can still be kept.
 *
 * @param needed is the bytes of variables and graph
 * @param available is the bytes that the system, or the limit of the container, has left
 * @throws ServingError UNAVAILABLE with the numbers, because there may be more memory another time
 */
export function checkMemory(needed: number, available: number): void {
  if (needed <= available) return;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw new ServingError(
    'UNAVAILABLE',
    `it takes at least ${mebibytes(needed)} of memory, and ${mebibytes(Math.max(0, available))} are left`,
  );
}

/**
 * The bytes that this process can still take, of the system's memory and under each limit of its cgroups. Files that
 * the system keeps in memory count as free if no process has them mapped, because the system drops them when memory is
 * needed. `process.availableMemory()` does not count them as free in a cgroup, so a model that was just copied would
 * leave no room for itself.
 *
 * @param root of the file system that has `proc` and `sys`, for tests
 */
export async function availableMemory(root = '/'): Promise<number> {
  const limits = (await cgroupFolders(root)).map(async ([kind, folder]) => leftUnder(kind, folder));
  return Math.min(freemem(), ...(await Promise.all(limits)));
}

interface CgroupFiles {
  readonly limits: readonly string[];
  readonly usage: string;
  /** The prefix of names in `memory.stat` that count all groups below. */
  readonly prefix: string;
  readonly mapped: string;
}

/** The names that the two kinds of control groups use. */
const cgroupFiles = {
  v1: {
    limits: ['memory.limit_in_bytes'],
    usage: 'memory.usage_in_bytes',
    prefix: 'total_',
    mapped: 'mapped_file',
  },
  v2: { limits: ['memory.max', 'memory.high'], usage: 'memory.current', prefix: '', mapped: 'file_mapped' },
} as const satisfies Record<string, CgroupFiles>;

type CgroupKind = keyof typeof cgroupFiles;

/** The memory group of the process and all groups above it. Each may have a limit. */
async function cgroupFolders(root: string): Promise<[CgroupKind, string][]> {
  const folders: [CgroupKind, string][] = [];
  for (const line of (await textOf(path.join(root, 'proc/self/cgroup'))).split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) continue;
    const isV1 = controllers.split(',').includes('memory');
    if (!isV1 && controllers !== '') continue;
    const mount = path.join(root, 'sys/fs/cgroup', isV1 ? 'memory' : '');
    const parts = group.split('/').filter(Boolean);
    // In a container, the group's own folder may be the mount itself, and the path may not exist in it.
    for (let depth = parts.length; depth >= 0; depth--)
      folders.push([isV1 ? 'v1' : 'v2', path.join(mount, ...parts.slice(0, depth))]);
  }
  return folders;
}

/** The bytes that a group has left; Infinity for one without a limit, or one that does not exist. */
async function leftUnder(kind: CgroupKind, folder: string): Promise<number> {
  const { limits, usage, prefix, mapped } = cgroupFiles[kind];
  const numberIn = async (file: string) => Number.parseInt(await textOf(path.join(folder, file)), 10);
  const limit = Math.min(...(await Promise.all(limits.map(numberIn))).filter((each) => !Number.isNaN(each)));
  const used = await numberIn(usage);
  if (limit === Number.POSITIVE_INFINITY || Number.isNaN(used)) return Number.POSITIVE_INFINITY;
  const stat = await textOf(path.join(folder, 'memory.stat'));
  const count = (name: string) => Number(new RegExp(`^${prefix}${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
  const droppable = Math.max(0, count('active_file') + count('inactive_file') - count(mapped));
  return limit - used + droppable;
}

/** The text of a file; empty if it cannot be read. */
async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}
