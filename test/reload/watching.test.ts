/**
 * How changes are noticed where the system raises no events for them.
 */
import { execFileSync } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;

beforeEach(async () => {
  repository = await TestRepository.create('versioned');
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await repository.remove();
});

/** Without scans by the clock, so that only the watch can notice. */
async function serve(options: { args?: string[]; limits?: string } = {}): Promise<void> {
  const args = ['--model-path', repository.root, '--settle', '0.2', '--scan-interval', '3600'];
  server = await TestServer.start({ ...options, args: [...args, ...(options.args ?? [])] });
}

async function noticesDrops(): Promise<void> {
  for (const version of [2, 3]) {
    await repository.publish(version);
    const served = async () => (await server.get('/models/versioned')).body.version === version;
    await until(served, `version ${version} to serve`);
  }
}

it('--watch poll notices a drop', async () => {
  await serve({ args: ['--watch', 'poll'] });
  await noticesDrops();
});

it('links that lead to themselves, or in a circle, hinder nothing, at the start and later', async () => {
  const link = (from: string, to: string) => symlink(repository.path(to), repository.path(from));
  for (const name of ['a', 'b']) await link(name, name);
  await link('c', 'd');
  await link('d', 'c');
  await serve();
  for (const name of ['e', 'f']) await link(name, name);
  await noticesDrops();
  expect(server.log).not.toContain('polling it instead');
});

describe.runIf(mayLowerLimits())('where the limit of inotify', () => {
  it.each([
    ['watches is reached', 'max_inotify_watches', 1],
    ['instances is reached', 'max_inotify_instances', 0],
  ])('%s, the folder is polled, which is said once', async (_, limit, value) => {
    await serve({ limits: `echo ${value} > /proc/sys/user/${limit}` });
    await noticesDrops();
    expect(server.log.match(/polling it instead/g)).toHaveLength(1);
    expect(server.log).toMatch(/WARN.*cannot watch .* by file events .*: polling it instead/);
  });
});

/** Lowers the limit, watches, raises the limit, and ends with what it was told. */
const recovery = `
  import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
  import { FolderWatch } from '${new URL('../../dist/stores/folder/watch.js', import.meta.url).href}';
  const limit = '/proc/sys/user/max_inotify_watches';
  writeFileSync(limit, '0');
  const root = mkdtempSync('/tmp/tfjs-serving-watch-');
  let hints = 0;
  const onHint = () => { hints += 1; };
  const warn = (text) => { console.log('warn', text.replace(root, 'ROOT')); writeFileSync(limit, '1000'); };
  const info = (text) => {
    console.log('info', text.replace(root, 'ROOT'));
    setTimeout(() => {
      hints = 0;
      writeFileSync(root + '/new', '');
      const seen = setInterval(async () => {
        if (hints === 0) return;
        clearInterval(seen);
        console.log('noticed');
        await watch.close();
        rmSync(root, { recursive: true });
      }, 10);
    }, 500);
  };
  const watch = new FolderWatch(root, {
    mode: 'events', pollInterval: 3_600_000, onHint, logger: { warn, info }, eventsAgainAfter: 50,
  });
`;

it.runIf(mayLowerLimits())('once the system has watches again, events are used again', () => {
  const args = ['--map-root-user', process.execPath, '--input-type=module', '--eval', recovery];
  const lines = execFileSync('unshare', args, { encoding: 'utf8', timeout: 60_000 }).trim().split('\n');
  expect(lines).toEqual([
    expect.stringMatching(/^warn cannot watch ROOT by file events \(.*ENOSPC.*\): polling it instead$/),
    'info watching ROOT by file events again',
    'noticed',
  ]);
});

/** The limits are lowered in a user namespace, which not every system lets one make. */
function mayLowerLimits(): boolean {
  try {
    execFileSync('unshare', ['--map-root-user', 'test', '-w', '/proc/sys/user/max_inotify_watches'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}
