/**
 * Models of one operation, in a process that it may end.
 */

import { addonFile } from '../../src/engines/tensorflow/installed.ts';
import type { Feed } from '../../src/engines/tensorflow/native.ts';
import { loadBinding } from '../../src/engines/tensorflow/native.ts';
import { readInputTypes } from '../../src/engines/tensorflow/operations/operation-inputs.ts';
import { makeGuardedCopy } from '../../src/engines/tensorflow/saved-model/guarded-copy.ts';
import { readSavedModel } from '../../src/engines/tensorflow/saved-model/read.ts';
import { type Dtype, dtypeOf } from '../../src/tensors/dtypes.ts';
import { type Attributes, GraphBuilder, inSavedModel, type Ref } from '../fixtures/graph.ts';
import type { Answer, OperationProcess } from './operation-process.ts';

export interface OperationModel {
  readonly op: string;
  readonly attributes: Attributes;
  /**
   * `as` is the `tensorflow.DataType` that the operation takes the bytes of the input for, if it is another, or that the input
   * becomes a TensorList of its rows.
   */
  readonly inputs: readonly { readonly dtype: Dtype; readonly as?: number | 'list' }[];
}

const typesOf = readInputTypes(loadBinding(addonFile).operationList());

/**
 * Loads an operation alone, with inputs of unknown rank, and runs it.
 *
 * @param isGuarded as a server loads it
 * @param use is given how the load ended, and a way to run it
 * @returns undefined where no output of it can be fetched
 */
export async function withOperation<Result>(
  child: OperationProcess,
  { op, attributes, inputs }: OperationModel,
  isGuarded: boolean,
  use: (loaded: Answer, run: (feeds: readonly Feed[]) => Promise<Answer>) => Promise<Result>,
): Promise<Result | undefined> {
  const graph = new GraphBuilder();
  const refs = inputs.map(({ dtype }) => graph.placeholder(dtype, null));
  const taken = refs.map((ref, i) => {
    const type = inputs[i]?.as;
    if (type === 'list') return listOf(graph, ref);
    return type === undefined ? ref : graph.first('Bitcast', [ref], { type: { type } });
  });
  const outputs = graph.add(op, taken, attributes).filter(({ type }) => dtypeOf(type) !== undefined);
  if (outputs.length === 0) return undefined;
  const signature = {
    inputs: Object.fromEntries(refs.map((ref, i) => [`x${i}`, { ref, shape: null }])),
    outputs: Object.fromEntries(outputs.map((ref, i) => [`y${i}`, { ref, shape: null }])),
  };
  const names = { feeds: refs.map(({ name }) => name), fetches: outputs.map(({ name }) => name) };
  return inSavedModel(
    graph.encode(),
    async (plain) => {
      const { guards } = await readSavedModel(plain, ['serve']);
      const copy =
        isGuarded && guards.size > 0
          ? await makeGuardedCopy(plain, ['serve'], guards, ({ node }) => typesOf(node.op, node))
          : undefined;
      try {
        const directory = copy?.directory ?? plain;
        const loaded = await child.ask({ kind: 'load', directory, ...names });
        return await use(loaded, (feeds) => child.ask({ kind: 'run', feeds }));
      } finally {
        await copy?.remove();
      }
    },
    signature,
  );
}

function listOf(graph: GraphBuilder, rows: Ref): Ref {
  const anyShape = graph.constant({
    dtype: 'int32',
    shape: [],
    data: new Uint8Array(Int32Array.of(-1).buffer),
  });
  return graph.first('TensorListFromTensor', [rows, anyShape]);
}
