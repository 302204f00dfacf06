/** The memory that is left, from what Linux says of control groups. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { availableMemory, checkMemory } from '../../src/control/memory.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-memory-'));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

const MiB = 2 ** 20;

async function write(file: string, text: string): Promise<void> {
  await mkdir(path.join(root, path.dirname(file)), { recursive: true });
  await writeFile(path.join(root, file), text);
}

function statText(
  prefix: string,
  mapped: string,
  numbers: { active: number; inactive: number; mapped: number },
) {
  const lines = [
    ['cache', 5],
    [`${prefix}active_file`, numbers.active * MiB],
    [`${prefix}inactive_file`, numbers.inactive * MiB],
    [`${prefix}${mapped}`, numbers.mapped * MiB],
  ];
  return `${lines.map((line) => line.join(' ')).join('\n')}\n`;
}

it('is what the system has where no group has a limit', async () => {
  await write('proc/self/cgroup', '0::/\n');
  const left = await availableMemory(root);
  expect(left).toBeGreaterThan(0);
  expect(Math.abs(left - freemem())).toBeLessThan(8 * 1024 * MiB);
});

it.each([
  ['its own group', '/a/b', 'a/b'],
  ['a group above', '/a/b', 'a'],
  ['the mount, in a container that sees only its own group', '/docker/0123', ''],
])(
  'version 2: the limit of %s, less what is used but for files that can be dropped',
  async (_, group, folder) => {
    await write('proc/self/cgroup', `0::${group}\n`);
    const files = path.join('sys/fs/cgroup', folder);
    await write(path.join(files, 'memory.max'), `${100 * MiB}\n`);
    await write(path.join(files, 'memory.high'), 'max\n');
    await write(path.join(files, 'memory.current'), `${90 * MiB}\n`);
    const stat = statText('', 'file_mapped', { active: 20, inactive: 40, mapped: 15 });
    await write(path.join(files, 'memory.stat'), stat);
    expect(await availableMemory(root)).toBe((100 - 90 + 20 + 40 - 15) * MiB);
  },
);

it('version 2: a group that is throttled from some point on has no more than that', async () => {
  await write('proc/self/cgroup', '0::/\n');
  await write('sys/fs/cgroup/memory.max', 'max\n');
  await write('sys/fs/cgroup/memory.high', `${80 * MiB}\n`);
  await write('sys/fs/cgroup/memory.current', `${70 * MiB}\n`);
  expect(await availableMemory(root)).toBe(10 * MiB);
});

it('version 1: the tightest limit of all groups above counts', async () => {
  await write('proc/self/cgroup', '5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/x\n');
  for (const [folder, limit] of [
    ['a/b', 300],
    ['a', 200],
    ['', 8 * 1024 * 1024 * 1024],
  ] as const) {
    const files = path.join('sys/fs/cgroup/memory', folder);
    await write(path.join(files, 'memory.limit_in_bytes'), `${limit * MiB}\n`);
    await write(path.join(files, 'memory.usage_in_bytes'), `${150 * MiB}\n`);
    const stat = statText('total_', 'mapped_file', { active: 10, inactive: 30, mapped: 5 });
    await write(path.join(files, 'memory.stat'), stat);
  }
  expect(await availableMemory(root)).toBe((200 - 150 + 10 + 30 - 5) * MiB);
});

it('a version that does not fit is refused with the numbers, and may be tried again', () => {
  expect(() => checkMemory(MiB, MiB)).not.toThrow();
  expect(() => checkMemory(1221 * MiB, 683 * MiB)).toThrow(
    expect.objectContaining({
      code: 'UNAVAILABLE',
      message: 'it takes at least 1221 MiB of memory, and 683 MiB are left',
    }),
  );
});
