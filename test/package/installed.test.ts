/**
 * The package as somebody gets it: packed out of the sources alone, installed with scripts off into an empty folder, and
 * started with an empty cache, so that TensorFlow is really fetched and both native parts are really compiled.
 *
 * The tests are one story, in this order; the first server comes in the middle.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importsOf } from '../../scripts/check-layers.js';
import { filesBelow } from '../../scripts/install/digest.js';
import { MESSAGE_FILES } from '../../scripts/install/messages.js';
import { type RunningServer, root, Sandbox } from './sandbox.ts';

/** Bytes: a little more than it was when this was written. A stray folder would exceed them. */
const most = { packed: 1_100_000, unpacked: 3_300_000 };

/** In a user namespace root is the owner of its files and no more than that. */
const withoutRights = process.getuid?.() === 0 ? ['unshare', '--user'] : [];
const canLackRights = withoutRights.length === 0 || spawnSync('unshare', ['--user', 'true']).status === 0;

const sandbox = new Sandbox();
let packed: string;

beforeAll(async () => {
  packed = await sandbox.pack();
  await sandbox.install(packed);
}, 300_000);

afterAll(() => sandbox.remove());

function read(file: string): string {
  return fs.readFileSync(path.join(sandbox.installed, file), 'utf8');
}

/** The error of a program that makes a server: name, code and message. */
async function refusalOfLibrary(): Promise<string[]> {
  const program = `
    import { createServer } from 'tfjs-serving';
    try { createServer({ modelPath: 'node_modules/tfjs-serving/saved_models', logLevel: 'silent' }); }
    catch ({ name, code, message }) { console.log(JSON.stringify([name, code, message])); }`;
  const { stdout } = await sandbox.run(process.execPath, ['--input-type=module', '--eval', program]);
  return JSON.parse(stdout);
}

describe('what is in the package', () => {
  const files = () => filesBelow(sandbox.installed, ['']);

  it('is what runs and what is read, of bounded size', () => {
    const folders = new Set(files().map((file) => (file.includes('/') ? file.split('/')[0] : file)));
    const runs = ['bin', 'dist', 'native', 'saved_models', 'scripts'];
    const texts = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md'];
    const isRead = [...texts, 'clients', 'deploy', 'docs', 'examples', 'package.json'];
    expect([...folders].sort()).toEqual([...runs, ...isRead].sort());
    const stray = /(^|\/)(tests?|bench)\/|\.test\.|\.map$|(?<!\.d|^examples\/.*)\.ts$|\.pyc$/;
    expect(files().filter((file) => stray.test(file))).toEqual([]);
    expect(files().filter((file) => /^scripts\/(?!install)/.test(file))).toEqual([]);

    const size = { packed: fs.statSync(packed).size, unpacked: 0 };
    for (const file of files()) size.unpacked += fs.statSync(path.join(sandbox.installed, file)).size;
    console.log(
      `the package: ${files().length} files, ${size.packed} bytes packed, ${size.unpacked} unpacked`,
    );
    expect(size.packed).toBeLessThan(most.packed);
    expect(size.unpacked).toBeLessThan(most.unpacked);
  });

  it('is compiled from these very sources, and has the code for messages', () => {
    const modules = (folder: string, ending: string) =>
      filesBelow(folder, [ending]).map((file) => file.slice(0, -ending.length));
    const messages = MESSAGE_FILES.filter((file) => file.endsWith('.js'));
    const sources = [
      ...modules(path.join(root, 'src'), '.ts'),
      ...messages.map((file) => file.replace('.js', '')),
    ];
    expect(modules(path.join(sandbox.installed, 'dist'), '.js').sort()).toEqual(sources.sort());
    expect(files()).toEqual(expect.arrayContaining(messages.map((file) => `dist/${file}`)));
  });

  it('has each declaration that its entries lead to', () => {
    const visited = new Set(
      ['index', 'client/index', 'conformance/index', 'handlers/handler'].map((entry) => `dist/${entry}.d.ts`),
    );
    for (const file of visited) {
      const relative = importsOf(read(file)).filter(({ specifier }) => specifier.startsWith('.'));
      for (const { specifier } of relative)
        visited.add(path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.d.ts'));
    }
    expect(visited.size).toBeGreaterThan(50);
  });

  it('imports only what its dependencies name', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const sources = files().filter((file) => /^(bin|dist|scripts)\/.*\.(js|d\.ts)$/.test(file));
    const imported = sources
      .flatMap((file) => importsOf(read(file)).map(({ specifier }) => specifier))
      .filter((specifier) => !/^[./#]|^node:|^\$/.test(specifier))
      .map((specifier) => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] as string);
    expect(imported).toContain('koa');
    expect(imported.filter((name) => !Object.hasOwn(dependencies, name))).toEqual([]);
  });

  it('has every file that the README links', () => {
    const links = [...read('README.md').matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(
      ([, link]) => link as string,
    );
    expect(links).toContain('docs/architecture.md');
    expect(links.filter((link) => !files().includes(link))).toEqual([]);
  });
});

describe('before anything is compiled', () => {
  it('the commands that need no TensorFlow work', async () => {
    const encoded = await sandbox.npx(['encode', 'x=[1, 2, 5]']);
    expect([encoded.code, encoded.stdout]).toEqual([0, '\xa1ax\x83\x01\x02\x05']);
    const decoded = await sandbox.npx(['decode'], { input: Buffer.from(encoded.stdout, 'latin1') });
    expect(decoded).toMatchObject({ code: 0, stdout: 'x: plain [3]\n[1 2 5]\n' });
    const demo = 'node_modules/tfjs-serving/saved_models';
    const inspected = await sandbox.npx(['inspect', demo]);
    expect(inspected.code).toBe(0);
    expect(inspected.stdout).toContain('half_plus_two, version 1');
    const asked = await sandbox.npx(['infer', 'http://127.0.0.1:9', 'x=1']);
    expect(asked.code).toBe(1);
    expect(asked.stderr).toMatch(/^tfjs-serving: .*\n$/);
    expect(fs.existsSync(sandbox.cache)).toBe(false);
  });

  it('the library says what to run', async () => {
    expect(await refusalOfLibrary()).toEqual([
      'ServingError',
      'FAILED_PRECONDITION',
      expect.stringMatching(
        /^TensorFlow is not installed \(no .*tfjs_binding\.node\): run `npx tfjs-serving install`$/,
      ),
    ]);
  });

  it('a wrong call of serve is refused before anything is fetched', async () => {
    const wrong: [string[], number, RegExp][] = [
      [['--prot', '1'], 2, /^tfjs-serving: there is no flag `--prot` \(did you mean `--port`\?\)/],
      [['--model-path', 'nowhere'], 1, /^tfjs-serving: --model-path nowhere does not exist\n$/],
      // Others can connect: models that nobody chose would be worse than none.
      [
        ['--host', '0.0.0.0'],
        1,
        /no folder saved_models in .* --model-path node_modules\/tfjs-serving\/saved_models\n$/,
      ],
    ];
    for (const [args, code, message] of wrong) {
      const result = await sandbox.run(sandbox.program, ['serve', ...args]);
      expect(result).toMatchObject({ code, stdout: '' });
      expect(result.stderr).toMatch(message);
    }
    expect(fs.existsSync(sandbox.cache)).toBe(false);
  });

  it.skipIf(!canLackRights)('a folder that cannot be written to is named', async () => {
    fs.chmodSync(sandbox.installed, 0o555);
    try {
      const [command, ...args] = [...withoutRights, sandbox.program, 'serve'];
      const { code, stdout, stderr } = await sandbox.run(command as string, args);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        /node_modules\/tfjs-serving\/build cannot be written to \(EACCES\): change its owner.*\.\n$/,
      );
      expect(stderr).not.toMatch(/\n\s+at /);
    } finally {
      fs.chmodSync(sandbox.installed, 0o755);
    }
  });
});

describe('the first start', () => {
  let servers: RunningServer[] = [];

  it('can be interrupted, and leaves nothing half done', async () => {
    const server = sandbox.serve('link');
    await expect.poll(() => server.stderr, { timeout: 60_000 }).toContain('downloading');
    expect(await server.stop()).toBe(143);
    expect(server.stderr).toMatch(/Interrupted: run the same command again/);
    expect(server.stdout).toBe('');
    expect(sandbox.leftovers()).toEqual([]);
  });

  it('fetches and compiles once, also for a second server that starts beside it, and serves the demo models', async () => {
    servers = [
      sandbox.serve('npx', ['--log-format', 'json']),
      sandbox.serve('link', ['--log-format', 'json']),
    ];
    const [url = ''] = await Promise.all(servers.map((server) => server.ready()));
    const told = servers.map(({ stderr }) => stderr).join('');
    expect(told.match(/downloading tensorflow/g)).toHaveLength(1);
    expect(told.match(/tfjs_serving: compiling/g)).toHaveLength(1);
    expect(sandbox.leftovers()).toEqual([]);

    const lines = servers[0]?.stdout.trim().split('\n') ?? [];
    expect(lines.map((line) => JSON.parse(line).msg)).toContainEqual(
      expect.stringMatching(/^no --model-path, .* demo models in node_modules\/tfjs-serving\/saved_models$/),
    );
    const response = await fetch(`${url}/models/half_plus_two/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"x": [1, 2, 5]}',
    });
    expect(await response.json()).toMatchObject({ status: 'ok', outputs: { y: [2.5, 3, 4.5] } });
    const asked = await sandbox.npx(['infer', url, '--model', 'half_plus_two', 'x=[1, 2, 5]']);
    expect(asked.code).toBe(0);
    expect(asked.stdout).toContain('[2.5 3.0 4.5]');
  }, 600_000);

  it('ends with all that npx has started', async () => {
    await Promise.all(servers.map((server) => server.stop()));
    for (const { stdout } of servers) expect(stdout).toContain('finishing the requests under way');
    expect(servers[1]?.child.exitCode).toBe(0);
  });
});

describe('a later start', () => {
  it('has nothing to install, and serves the folder saved_models where there is one', async () => {
    const own = path.join(sandbox.app, 'saved_models', 'mine');
    fs.cpSync(path.join(sandbox.installed, 'saved_models', 'half_plus_two'), own, { recursive: true });
    const server = sandbox.serve('link');
    const url = await server.ready();
    const { models } = (await (await fetch(`${url}/models`)).json()) as { models: { name: string }[] };
    expect(models.map(({ name }) => name)).toEqual(['mine']);
    expect(await server.stop()).toBe(0);
    expect(server.stderr).not.toContain('[install]');
    expect(server.stdout).not.toContain('demo');
  });

  it('finds what the install command did', async () => {
    const { code, stdout, stderr } = await sandbox.npx(['install']);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/^\[install\] ready, with TensorFlow .* \(cpu\); nothing to do\.\n$/);
    expect(await sandbox.npx(['install', '--quiet'])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('installs from the cache what is new in the folder', async () => {
    fs.rmSync(path.join(sandbox.installed, 'build'), { recursive: true });
    const [, , message] = await refusalOfLibrary();
    expect(message).toMatch(
      /^the native addon cannot be loaded \(.*\): run `npx tfjs-serving install`, or .*$/,
    );
    const { code, stderr } = await sandbox.npx(['install']);
    expect(code).toBe(0);
    expect(stderr).toContain('tfjs_serving: compiled before, taken from the cache');
  });
});

describe('a TypeScript program', () => {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');

  /** What the compiler says of `file`, in a project of modules. */
  function compile(file: string, options: object): string {
    fs.writeFileSync(path.join(sandbox.app, 'package.json'), '{ "type": "module" }');
    fs.copyFileSync(path.join(import.meta.dirname, 'consumer', file), path.join(sandbox.app, file));
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2022'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types: ['node'],
      ...options,
    };
    fs.writeFileSync(
      path.join(sandbox.app, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: [file] }),
    );
    return spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: sandbox.app, encoding: 'utf8' }).stdout;
  }

  const resolutions = [
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'esnext', moduleResolution: 'bundler' },
  ];
  const browser = { lib: ['es2022', 'dom'], types: [] };

  it.each(resolutions)('with the server compiles: $moduleResolution', (resolution) => {
    expect(compile('library.ts', { ...resolution, skipLibCheck: true })).toBe('');
    // The declarations of TensorFlow.js do not compile by themselves; ours must.
    const all = compile('library.ts', { ...resolution, skipLibCheck: false });
    expect(all.split('\n').filter((line) => !/^(node_modules\/(?!tfjs-serving\/)|\s|$)/.test(line))).toEqual(
      [],
    );
  });

  it.each(resolutions)('with a handler compiles: $moduleResolution', (resolution) => {
    expect(compile('handler.ts', { ...resolution, skipLibCheck: true })).toBe('');
  });

  it.each(resolutions)('with the client compiles, declarations included: $moduleResolution', (resolution) => {
    for (const place of [{}, browser])
      expect(compile('client.ts', { ...resolution, ...place, skipLibCheck: false })).toBe('');
  });
});
