/**
 * Rules for operations that work element by element. Those that take several tensors broadcast them. The rules for
 * whole numbers follow what is known of shapes.
 */
import { joinElements, type Operation, type Outputs, type Step } from '../operation.js';
import { Size } from '../size.js';
import { dimsOf, everyRow, integers, integersOf, isEqual, rowIsThere, same, type Value } from '../value.js';
import { listRules } from './rule.js';

/** Operations on one tensor, or on several that are broadcast. */
const plain = `
  Abs Acos Acosh Angle Asin Asinh Atan Atanh BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e
  BesselK1 BesselK1e BesselY0 BesselY1 Bucketize Ceil ComplexAbs Conj Cos Cosh Dawsn Digamma Elu Erf Erfc Erfinv Exp
  Expint Expm1 FakeQuantWithMinMaxArgs Floor FresnelCos FresnelSin Imag Inv Invert IsFinite IsInf IsNan LeakyRelu Lgamma
  Log Log1p LogicalNot Ndtri PopulationCount Real Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh
  Softplus Softsign Spence Sqrt Square Tan Tanh AsString DecodeBase64 EncodeBase64 RegexFullMatch RegexReplace
  StaticRegexFullMatch StaticRegexReplace StringLength StringLower StringStrip StringToHashBucket StringToHashBucketFast
  StringToHashBucketStrong StringToNumber StringUpper UnicodeScript UnicodeTranscode
`;
const broadcast = `
  Atan2 Betainc BitwiseAnd BitwiseOr BitwiseXor ClipByValue Complex Div DivNoNan Igamma Igammac LeftShift Mod MulNoNan
  NextAfter Polygamma Pow RealDiv RightShift SquaredDifference StringJoin Substr TruncateMod Xdivy Xlog1py Xlogy Zeta
  ApproximateEqual EluGrad
`;
const passing = `
  Identity IdentityN StopGradient PreventGradient Snapshot CheckNumerics CheckNumericsV2 DeepCopy DebugIdentity
`;

/** Computes with two whole numbers. The result is undefined if it is not known. */
export type Fold = (a: Size, b: Size) => Size | undefined;

export const numeric =
  (compute: (a: number, b: number) => number): Fold =>
  (a, b) =>
    a.value === undefined || b.value === undefined ? undefined : Size.of(compute(a.value, b.value));

/**
 * Makes a comparison. A batch has at least one row, so `3 · batch` is 3 or more.
 *
 * @param holds says for the sign of a - b whether the comparison holds; it is called for each sign that is possible
 */
function comparison(holds: (order: number) => boolean): Fold {
  return (a, b) => {
    const answers = ordersOf(a, b).map(holds);
    return new Set(answers).size === 1 ? Size.of(Number(answers[0])) : undefined;
  };
}

/** The possible signs of a - b. */
function ordersOf(a: Size, b: Size): number[] {
  if (a.equals(b)) return [0];
  if (a.value !== undefined && b.value !== undefined) return [Math.sign(a.value - b.value)];
  const [least, limit] = [leastOf(a), b.value];
  if (least !== undefined && limit !== undefined && limit <= least) return limit < least ? [1] : [0, 1];
  const [others, value] = [leastOf(b), a.value];
  if (others !== undefined && value !== undefined && value <= others) return value < others ? [-1] : [-1, 0];
  return [-1, 0, 1];
}

/** The least value of a size. */
function leastOf(size: Size): number | undefined {
  const perRow = size.hasBatch ? size.perRow?.value : undefined;
  return perRow !== undefined && perRow > 0 ? perRow : undefined;
}

/** The functions of TensorFlow's operations, by operation name. */
export const folds: Readonly<Record<string, Fold>> = {
  Add: (a, b) => (a.is(0) ? b : b.is(0) ? a : numeric((x, y) => x + y)(a, b)),
  Sub: (a, b) => (b.is(0) ? a : a.equals(b) ? Size.of(0) : numeric((x, y) => x - y)(a, b)),
  Mul: (a, b) => a.times(b),
  FloorDiv: (a, b) => a.dividedBy(b) ?? numeric((x, y) => Math.floor(x / y))(a, b),
  FloorMod: (a, b) => (a.dividedBy(b) ? Size.of(0) : numeric((x, y) => x - y * Math.floor(x / y))(a, b)),
  // A batch has at least one row.
  Maximum: (a, b) => {
    if (a.equals(b) || (a.equals(Size.batch) && (b.is(0) || b.is(1)))) return a;
    return b.equals(Size.batch) && (a.is(0) || a.is(1)) ? b : numeric(Math.max)(a, b);
  },
  Minimum: (a, b) => (a.equals(b) ? a : numeric(Math.min)(a, b)),
  Equal: comparison((order) => order === 0),
  NotEqual: comparison((order) => order !== 0),
  Less: comparison((order) => order < 0),
  LessEqual: comparison((order) => order <= 0),
  Greater: comparison((order) => order > 0),
  GreaterEqual: comparison((order) => order >= 0),
  LogicalAnd: (a, b) => (a.is(0) || b.is(0) ? Size.of(0) : a.is(1) ? b : b.is(1) ? a : undefined),
  LogicalOr: (a, b) => (a.is(1) || b.is(1) ? Size.one : a.is(0) ? b : b.is(0) ? a : undefined),
};
const foldable = new Map<string, Fold>([
  ...Object.entries(folds),
  ['AddV2', folds['Add'] as Fold],
  ['TruncateDiv', (a, b) => a.dividedBy(b) ?? numeric((x, y) => Math.trunc(x / y))(a, b)],
]);

/** A size that may have wrapped around is not known. */
export function inRange(size: Size | undefined): Size | undefined {
  return size !== undefined && Math.abs(size.factor) >= 2 ** 31 ? undefined : size;
}

/** Computes with the known whole numbers of scalars and vectors. */
export function foldIntegers(operation: Step, fold: Fold): Value | undefined {
  const [a, b] = [operation.input(0), operation.input(1)];
  const [left, right] = [integersOf(a), integersOf(b)];
  const [leftDims, rightDims] = [dimsOf(a), dimsOf(b)];
  if (!left || !right || !leftDims || !rightDims || leftDims.length > 1 || rightDims.length > 1)
    return undefined;
  const count = Math.max(left.length, right.length);
  if ([left, right].some((side) => side.length !== count && side.length !== 1)) return undefined;
  const items = Array.from({ length: count }, (_, i) => {
    const x = left[left.length === 1 ? 0 : i];
    const y = right[right.length === 1 ? 0 : i];
    const folded = x && y && inRange(fold(x, y));
    if (folded || !x || !y || x.hasBatch || y.hasBatch) return folded;
    return operation.unknownSize(i);
  });
  return integers(items, leftDims.length === 0 && rightDims.length === 0);
}

function arithmetic(operation: Operation): Outputs {
  const fold = foldable.get(operation.node.op);
  const folded = fold && foldIntegers(operation, fold);
  if (folded) return folded;
  if (operation.node.op === 'LogicalAnd' && operation.inputs.every(({ kind }) => kind === 'every row'))
    return operation.inputs.every((value) => isEqual(value, rowIsThere)) ? rowIsThere : everyRow;
  return elements(operation);
}

/** Works element by element. It also accepts the values of ragged tensors, beside a scalar that is the same for all. */
function elements(operation: Operation): Outputs {
  const flat = operation.inputs.find((value) => value.kind === 'flat');
  if (flat) {
    const isAlike = operation.inputs.every((value) =>
      value.kind === 'flat'
        ? value.partition === flat.partition &&
          value.inner.length === flat.inner.length &&
          value.inner.every((size, i) => size.equals(flat.inner[i]))
        : value.kind === 'same' && value.dims?.length === 0,
    );
    return isAlike ? flat : operation.mixed('joins a ragged tensor with another tensor');
  }
  return operation.unfit() ?? joinElements(operation);
}

/** Works on the first input. @param others are inputs that must be the same for all */
function firstOnly(operation: Operation): Outputs {
  const [first, ...others] = operation.inputs;
  if (!first || others.some(({ kind }) => kind !== 'same')) {
    return operation.unfit() ?? operation.mixed('takes rows for a parameter');
  }
  return elementsOf(operation, first);
}

function elementsOf(operation: Operation, value: Value): Outputs {
  if (value.kind === 'rows' || value.kind === 'flat') return value;
  if (value.kind === 'same') return same(value.dims);
  return operation.unfit() ?? value;
}

/** Gives each input as an output. */
function pass(operation: Operation): Outputs {
  return operation.inputs.length === 1 ? operation.input(0) : operation.inputs;
}

/** DT_INT32 and DT_INT64, the types that hold sizes. */
export const sizeTypes: ReadonlySet<number> = new Set([3, 9]);

/**
 * Converts to another dtype. Numbers are followed only in the types that hold sizes, because another type may change
 * them.
 */
function cast(operation: Operation): Outputs {
  const value = operation.input(0);
  const isNumbering = value.kind === 'partition' || value.kind === 'places';
  if (isNumbering && sizeTypes.has(operation.node.type('DstT'))) return value;
  const items = integersOf(value);
  const hasRoom = items?.every((item) => Math.abs(item?.value ?? 0) < 2 ** 31);
  return hasRoom && sizeTypes.has(operation.node.type('DstT')) ? value : elementsOf(operation, value);
}

/** Chooses between two tensors. A condition of rank 1 chooses whole rows. */
function select(operation: Operation): Outputs {
  const [condition, left] = [operation.input(0), operation.input(1)];
  const rank = dimsOf(left)?.length;
  const isVector = dimsOf(condition)?.length === 1 && rank !== undefined && rank > 1;
  const unfit = operation.unfit();
  if (unfit || !isVector) return unfit ?? joinElements(operation);
  const right = operation.input(2);
  if ([condition, left, right].every(({ kind }) => kind === 'same')) return same(dimsOf(left));
  const isAlike = [condition, left, right].every((each) => each.kind === 'rows' && each.axis === 0);
  return isAlike
    ? joinElements(operation, [left, right])
    : operation.mixed('chooses among rows by another axis');
}

function addAll(operation: Operation): Outputs {
  return operation.unfit() ?? joinElements(operation);
}

/**
 * Quantises with a given range, or with the range of all values together. There may be one range for each place along
 * an axis.
 */
function quantizeAndDequantize(operation: Operation): Outputs {
  const isGiven = operation.node.flag('range_given');
  const value = operation.input(0);
  if (value.kind === 'rows' && operation.node.integer('axis', -1) === value.axis)
    return anotherForEach(operation);
  return isGiven || value.kind === 'same'
    ? firstOnly(operation)
    : operation.mixed('takes its range from all rows together');
}

/** Quantises with one range for each place along the last axis. */
function quantizeChannels(operation: Operation): Outputs {
  const value = operation.input(0);
  const isAcross = value.kind === 'rows' && value.axis === value.dims.length - 1;
  return isAcross ? anotherForEach(operation) : firstOnly(operation);
}

function anotherForEach(operation: Operation): Outputs {
  return operation.mixed('takes another range for each row');
}

/** The bytes of an element, by its `tensorflow.DataType`. */
const widths: Readonly<Record<number, number>> = {
  ...{ 1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 8: 8, 9: 8, 14: 2, 17: 2, 18: 16, 19: 2, 22: 4, 23: 8 },
};

/** Reinterprets the bits. Elements of another width add a dim at the end, or remove one. */
function bitcast(operation: Operation): Outputs {
  const value = operation.input(0);
  const [from, to] = [widths[operation.node.type('T')], widths[operation.node.type('type')]];
  if (value.kind === 'same') return same(from === to ? value.dims : undefined);
  if (value.kind !== 'rows') return operation.unfit() ?? value;
  return from !== undefined && from === to ? value : operation.mixed('changes the width of elements');
}

export const elementRules = listRules(
  [plain, { rule: firstOnly, takesDealt: true, keepsShape: true }],
  [passing, { rule: pass, takesDealt: true, keepsShape: true }],
  [broadcast, { rule: elements, takesDealt: true }],
  [[...foldable.keys()].join(' '), { rule: arithmetic, takesDealt: true }],
  ['Neg', { rule: firstOnly, takesDealt: true, keepsShape: true }],
  ['Cast', { rule: cast, takesDealt: true, keepsShape: true }],
  ['Bitcast', { rule: bitcast }],
  ['Select', { rule: select }],
  ['SelectV2', { rule: elements, takesDealt: true }],
  ['AddN AccumulateNV2', { rule: addAll, takesDealt: true }],
  ['FakeQuantWithMinMaxVars', { rule: firstOnly, keepsShape: true }],
  ['FakeQuantWithMinMaxVarsPerChannel', { rule: quantizeChannels, keepsShape: true }],
  [
    'QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4',
    { rule: quantizeAndDequantize },
  ],
);
