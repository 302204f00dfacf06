/** The lists of operations in the sources, compared with those that TensorFlow and the libraries register. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { addonFile } from '../../src/engines/tensorflow/installed.ts';
import { loadBinding } from '../../src/engines/tensorflow/native.ts';
import {
  builtInOperations,
  builtInVersion,
} from '../../src/engines/tensorflow/operations/built-in-operations.ts';
import { operationNames } from '../../src/engines/tensorflow/operations/operation-list.ts';
import {
  explainUnknownOperations,
  wheels,
} from '../../src/engines/tensorflow/operations/operation-wheels.ts';
import { createServer } from '../../src/server.ts';
import { hasOpLibraries, opLibraries } from '../fixtures/custom-operations.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';

/** Those that are registered in the process now. */
function registered(): ReadonlySet<string> {
  return operationNames(loadBinding(addonFile).operationList());
}

let before: ReadonlySet<string>;

beforeAll(() => {
  openTestRuntime();
  before = registered();
});

/** On another machine TensorFlow may lack a few, such as oneDNN's. */
it.runIf(process.arch === 'x64')("TensorFlow's own are those that `inspect` knows", () => {
  expect(loadBinding(addonFile).tensorflowVersion).toBe(builtInVersion);
  expect([...builtInOperations].sort()).toEqual([...before].sort());
});

it('unknown operations are told with their wheels and the commands that mend it', () => {
  expect(explainUnknownOperations(['CaseFoldUTF8', 'MyOp', 'RougeL', 'SimpleMLInferenceOp'], '2.21.0')).toBe(
    'TensorFlow 2.21.0 does not know CaseFoldUTF8 (in the wheel tensorflow-text), RougeL (in the wheel tensorflow-text), ' +
      'SimpleMLInferenceOp (in the wheel ydf-tf), MyOp (in no wheel that is known here); to have them, run ' +
      "`pip install --no-deps --target op-libraries 'tensorflow-text==2.21.*' 'ydf-tf==2.21.*'` and serve with " +
      '`--op-library op-libraries/tensorflow_text/python/ops,op-libraries/tensorflow_text/python/metrics,' +
      'op-libraries/ydf_tf,FILE`, where FILE is the library that has MyOp',
  );
  expect(explainUnknownOperations(['MyOp'], '2.21.0')).toBe(
    'TensorFlow 2.21.0 does not know MyOp (in no wheel that is known here); to have them, ' +
      'serve with `--op-library FILE`, where FILE is the library that has MyOp',
  );
});

describe.runIf(hasOpLibraries)('libraries', () => {
  it('register what the table of wheels says, once, also for a second server of the process', async () => {
    const { text, metrics, forests } = await opLibraries();
    const folders = [text, metrics, forests];
    const files = folders.flatMap((folder) => readdirSync(folder).map((name) => path.join(folder, name)));
    const runtime = openTestRuntime();
    let known = before;
    for (const folder of folders) {
      const operations = wheels.find((wheel) => folder.endsWith(`/${wheel.folder}`))?.operations ?? new Set();
      expect(runtime.unknownOperations?.(operations)).toEqual([...operations]);
      const { opLibraries: loaded } = openTestRuntime({ opLibraries: [folder] });
      expect(loaded).toEqual(files.filter((file) => path.dirname(file) === folder));
      const now = registered();
      expect([...now].filter((name) => !known.has(name)).sort()).toEqual([...operations].sort());
      // A runtime that was open before knows them as well.
      expect(runtime.unknownOperations?.(operations)).toEqual([]);
      known = now;
    }
    const servers = [1, 2].map(() =>
      createServer({ listen: false, logLevel: 'silent', modelPath: 'saved_models', opLibrary: folders }),
    );
    for (const server of servers) {
      expect(server.runtime.opLibraries).toEqual(files);
      await server.close();
    }
    expect(registered()).toEqual(known);
  });
});
