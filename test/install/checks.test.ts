import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkLinks, checkPaths, splitComments } from '../../scripts/check-comments.js';
import { checkBlocks, checkDocuments, checkForbidden } from '../../scripts/check-docs.js';
import { checkLayers, importsOf } from '../../scripts/check-layers.js';
import { missingEntries } from '../../scripts/check-lock.js';
import { checkTwins } from '../../scripts/docs/twins.js';
import { write } from './fixture.js';

let root: string;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-checks-'));
});
afterEach(() => fs.rmSync(root, { recursive: true }));

function tree(files: Record<string, string>): string {
  for (const [file, content] of Object.entries(files)) write(path.join(root, file), content);
  return root;
}

describe('the layer check', () => {
  test('lets imports go down and stay in their layer', () => {
    const violations = checkLayers(
      tree({
        'server.ts': `import { app } from './http/app.js';\n`,
        'http/app.ts': `import Koa from 'koa';\nimport { fail } from '../errors.js';\nimport { route } from './routes/infer.js';\n`,
        'http/routes/infer.ts': `import { predict } from '../../serving/predict.js';\n`,
        'serving/predict.ts': `import type { Tensor } from '@tensorflow/tfjs-core';\n`,
        'engines/tensorflow/native.ts': `export * from '@tensorflow/tfjs-core';\nimport pack from '../../../package.json' with { type: 'json' };\n`,
        'errors.ts': '',
      }),
    );
    expect(violations).toEqual([]);
  });

  test.each([
    ['static', `import { app } from '../http/app.js';\n`],
    ['type-only', `import type { App } from '../http/app.js';\n`],
    ['over several lines', `import {\n  type App,\n  app,\n} from '../http/app.js';\n`],
    ['for its effects', `import '../http/app.js';\n`],
    ['re-export', `export { app } from '../http/app.js';\n`],
    ['dynamic', `const { app } = await import('../http/app.js');\n`],
  ])('refuses an import upwards: %s', (_name, source) => {
    expect(checkLayers(tree({ 'serving/predict.ts': source, 'http/app.ts': '' }))).toEqual([
      'src/serving/predict.ts: imports src/http/app.ts, which is in a layer above',
    ]);
  });

  test('refuses a file that belongs to no layer', () => {
    const violations = checkLayers(tree({ 'utils/misc.ts': `import '../errors.js';\n`, 'errors.ts': '' }));
    expect(violations).toEqual([expect.stringContaining('src/utils/misc.ts: belongs to no layer')]);
  });

  test('refuses a cycle, also one of types', () => {
    const violations = checkLayers(
      tree({
        'serving/a.ts': `import type { B } from './b.js';\n`,
        'serving/b.ts': `import { c } from './c.js';\n`,
        'serving/c.ts': `import { a } from './a.js';\n`,
      }),
    );
    expect(violations).toEqual([
      'cycle: src/serving/a.ts → src/serving/b.ts → src/serving/c.ts → src/serving/a.ts',
    ]);
  });

  test.each([
    ['@tensorflow/tfjs-node-gpu', 'serving/predict.ts'],
    ['chokidar', 'control/scan/scan.ts'],
    ['@koa/router', 'serving/predict.ts'],
    ['koa-body', 'cli/serve.ts'],
    ['cbor-x', 'serving/predict.ts'],
  ])('keeps %s out of %s', (name, file) => {
    expect(checkLayers(tree({ [file]: `import x from '${name}';\n` }))).toEqual([
      expect.stringContaining(`src/${file}: imports ${name}, which is used only in`),
    ]);
    expect(checkLayers(tree({ [file]: `import type X from '${name}';\n` }))).toEqual([]);
  });

  test('keeps what is behind a seam out of what has the seam', () => {
    const folder = { 'stores/folder/listing.ts': 'export interface Folder {}\n' };
    const importing = `import type { Folder } from '../stores/folder/listing.js';\n`;
    const files = { ...folder, 'control/manager.ts': importing, 'handlers/bundle.ts': importing };
    expect(checkLayers(tree(files))).toEqual([
      'src/control/manager.ts: imports src/stores/folder/listing.ts, which is behind src/stores/source.ts',
    ]);
  });

  test('does not take comments and strings for imports', () => {
    const source = `/**\n * const x = await import('./x.js');\n */\n// import './y.js'\nexport const z = 'from "./z.js"';\n`;
    expect(importsOf(source)).toEqual([]);
  });
});

describe('the document check', () => {
  const known = { targets: new Set(['serve']), flags: new Set(['--port']) };
  const check = (readme: string, others: Record<string, string> = {}) =>
    checkDocuments(tree({ 'README.md': readme, ...others }), {
      files: ['README.md', ...Object.keys(others)],
      ...known,
    });

  test('finds nothing wrong where everything exists', () => {
    const text = [
      '# A title, `with` code',
      'See [below](#a-title-with-code), [the guide](docs/guide.md#second-step) and `src/main.ts`.',
      '```sh\nmake serve ARGS="--port 0"\ncurl --data x https://example.com\n```',
    ].join('\n');
    expect(check(text, { 'docs/guide.md': '## Second step', 'src/main.ts': '' })).toEqual([]);
  });

  test.each([
    ['[gone](docs/gone.md)', 'the link docs/gone.md leads nowhere'],
    ['[gone](#nowhere)', 'the link #nowhere names a heading that README.md does not have'],
    ['`src/gone.ts`', 'there is no src/gone.ts'],
    ['`serving/gone.ts`', 'there is no serving/gone.ts'],
    ['`make nothing`', 'the Makefile has no target for `make nothing`'],
    ['`--no-such-flag`', 'no command has a flag --no-such-flag'],
  ])('refuses %s', (text, problem) => {
    expect(check(text, { 'src/serving/table.ts': '' })).toEqual([`README.md: ${problem}`]);
  });

  test('refuses code blocks that are neither run nor marked, in any document', () => {
    const folder = tree({
      'README.md': '```sh\nls\n```\n',
      'web/notes.md': '# Notes\n\n```rust\n```\n',
      'src/a.ts': '```\n',
    });
    expect(checkBlocks(folder, ['README.md', 'web/notes.md', 'src/a.ts'])).toEqual([
      expect.stringMatching(/^web\/notes\.md:3: a block of rust that is neither run nor /),
    ]);
  });

  test('refuses folders of one machine and hosts of registries', () => {
    // In pieces, as this file is checked, too.
    tree({ a: `fine\n/ro${'ot/x'}\n`, b: `https://pypi${'.org'}/simple\n`, c: '/path/to/models\n' });
    expect(checkForbidden(root, ['a', 'b', 'c'])).toEqual([
      'a:2: names a folder of one machine',
      'b:1: names the host of a package registry',
    ]);
  });
});

describe('the comment check', () => {
  const file = 'src/serving/rows.ts';
  const links = (text: string, others: Record<string, string> = {}) =>
    checkLinks(
      file,
      splitComments(text),
      new Map(Object.entries({ ...others, [file]: splitComments(text).code })),
    );
  const known = new Set(['src', 'src/serving', file, 'src/serving/table.ts', 'docs', 'docs/batching.md']);
  const paths = (text: string) => checkPaths(file, splitComments(text).comments, known);

  test('accepts links to names of the file, and to members of imported names', () => {
    const text = `import type { Table } from './table.js';\n/** As {@link split}, for a {@link Table.find}. */\nfunction split() {}\n`;
    expect(links(text, { 'src/serving/table.ts': 'export class Table {\n  find() {}\n}\n' })).toEqual([]);
  });

  test('refuses a link to a name that only comments have', () => {
    expect(links('/** As {@link split}. */\n// split\n')).toEqual([
      `${file}:1: {@link split}: expected a name in the code of this file`,
    ]);
  });

  test('refuses a link to a member that is gone', () => {
    const text = `/** See {@link Table.find}. */\nclass Table {}\n`;
    expect(links(text)).toEqual([expect.stringContaining('{@link Table.find}')]);
  });

  test('accepts paths from the root, from src/, and beside the file', () => {
    expect(
      paths('// See docs/batching.md, serving/table.ts, table.ts and https://example.com/src/none.ts.\n'),
    ).toEqual([]);
  });

  test('refuses the path of a file that is gone', () => {
    expect(
      paths('/**\n * See serving/queue.ts and `docs/gone.md`.\n */\nconst x = "src/none.ts";\n'),
    ).toEqual([`${file}:2: there is no serving/queue.ts`, `${file}:2: there is no docs/gone.md`]);
  });
});

describe('the check of twins', () => {
  const english = [
    '# Guide',
    'See [below](#two-words), [one](a.md) and [two](b.md#c).',
    '## Two words',
    '```sh\nls\n```',
    '| a | b |\n|---|---|\n| 1 | 2 |',
  ].join('\n\n');
  const chinese = [
    '# 指南',
    '参见[二](b.md#c)、[一](a.md)和[下文](#两个词)。',
    '## 两个词',
    '```sh\nls\n```',
    '| 甲 | 乙 |\n|---|---|\n| 1 | 2 |',
  ].join('\n\n');
  const check = (twin: string) =>
    checkTwins(tree({ 'docs/G.md': english, 'docs/G_CN.md': twin }), ['docs/G.md', 'docs/G_CN.md']);

  test('finds nothing wrong where both say the same', () => {
    expect(check(chinese)).toEqual([]);
  });

  test.each([
    ['a heading of another level', '## 两', '### 两', '5: this heading is not that of line 5 of'],
    ['a heading too few', '## 两个词\n\n', '', '1: a heading is missing, that of line 5 of'],
    ['a heading too many', '```sh', '## 三\n\n```sh', '7: a heading more than in'],
    ['another command', 'ls', 'ls -l', '7: this code block is not that of line 7 of'],
    [
      'a block in another section',
      '## 两个词\n\n```sh\nls\n```',
      '```sh\nls\n```\n\n## 两个词',
      '5: this code block is not that of line 7 of',
    ],
    ['another language of a block', '```sh', '```text', '7: this code block is not that of line 7 of'],
    [
      'a table with a row more',
      '| 1 | 2 |',
      '| 1 | 2 |\n| 3 | 4 |',
      '11: this table is not that of line 11 of',
    ],
    [
      'another link',
      'b.md#c',
      'b.md',
      '1: the links below this heading (b.md, b.md#c) are not those of line 1 of',
    ],
    [
      'a link to another heading of its own',
      '#两个词',
      '#指南',
      '1: the links below this heading (#1, #2) are not those of line 1 of',
    ],
    [
      'a marker',
      '```sh',
      '<!-- not run: x -->\n```sh',
      '7: a comment in a document whose blocks are not run; markers belong into',
    ],
  ])('refuses %s', (_name, from, to, problem) => {
    expect(check(chinese.replace(from, to))).toContain(`docs/G_CN.md:${problem} docs/G.md`);
  });

  test('leaves the blocks of a twin to it, and those of a file without the other to the other checks', () => {
    tree({ 'G.md': '```sh\nls\n```\n', 'G_CN.md': '```\n```\n', 'H_CN.md': '```\n```\n' });
    expect(checkTwins(root, ['H_CN.md'])).toEqual([]);
    expect(checkBlocks(root, ['G.md', 'G_CN.md', 'H_CN.md'])).toEqual([
      'H_CN.md:1: a block that names no language',
    ]);
  });
});

test('the lock file check finds optional dependencies without an entry, and tells their platform by their name', () => {
  const packages = {
    '': {},
    'node_modules/tool': {
      dev: true,
      optionalDependencies: {
        '@tool/cli-linux-x64': '1.0.0',
        '@tool/cli-darwin-arm64': '1.0.0',
        nested: '2.0.0',
      },
    },
    'node_modules/@tool/cli-linux-x64': { version: '1.0.0' },
    'node_modules/tool/node_modules/nested': { version: '2.0.0' },
  };
  expect(missingEntries(packages)).toEqual({
    'node_modules/@tool/cli-darwin-arm64': {
      version: '1.0.0',
      cpu: ['arm64'],
      os: ['darwin'],
      dev: true,
      optional: true,
    },
  });
});
