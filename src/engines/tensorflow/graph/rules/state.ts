/** Rules for constants, variables and tables. They are the same for all requests as long as no run writes to them. */
import { constantOf } from '../const.js';
import type { Operation, Outputs } from '../operation.js';
import { Size } from '../size.js';
import { dimsOf, same } from '../value.js';
import { listRules } from './rule.js';

function constant(operation: Operation): Outputs {
  return constantOf(operation.node);
}

function variable(operation: Operation): Outputs {
  const shape = operation.node.shape('shape');
  const dims = shape?.map((dim, axis) => (dim === null ? operation.unknownSize(axis) : Size.of(dim)));
  // A TF1 variable is its own value.
  return operation.node.op === 'VarHandleOp' ? { kind: 'same', dims: [], variable: dims } : same(dims);
}

function readVariable(operation: Operation): Outputs {
  const handle = operation.input(0);
  return handle.kind === 'same' ? same(handle.variable) : (operation.unfit() ?? handle);
}

/** Values that no run changes: handles, parameters that are not fed, sizes of tables. */
function fixed(operation: Operation): Outputs {
  const isSame = operation.inputs.every(({ kind }) => kind === 'same');
  return isSame ? same(undefined) : (operation.unfit() ?? operation.mixed('reads what depends on the rows'));
}

/** A placeholder that is not fed has its default. */
function placeholder(operation: Operation): Outputs {
  return operation.input(0);
}

function nothing(): Outputs {
  return [];
}

function variableShape(operation: Operation): Outputs {
  const handle = operation.input(0);
  const dims = handle.kind === 'same' ? handle.variable : dimsOf(handle);
  return same(dims && [Size.of(dims.length)], dims);
}

export const stateRules = listRules(
  ['Const', { rule: constant }],
  ['VarHandleOp VariableV2 Variable', { rule: variable }],
  ['ReadVariableOp', { rule: readVariable }],
  ['VariableShape', { rule: variableShape }],
  ['PlaceholderWithDefault', { rule: placeholder }],
  [
    `HashTable HashTableV2 MutableHashTable MutableHashTableV2 MutableDenseHashTableV2 MutableHashTableOfTensorsV2
    AnonymousHashTable AnonymousMutableHashTable LookupTableSizeV2 VarIsInitializedOp IsVariableInitialized DummySeedGenerator`,
    { rule: fixed },
  ],
  [
    'NoOp ControlTrigger Print PrintV2',
    { rule: (operation) => (operation.node.op === 'Print' ? operation.input(0) : nothing()) },
  ],
);
