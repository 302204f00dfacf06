/**
 * The rules of operations that work element by element.
 */
import { elementRules } from '../../../src/engines/tensorflow/graph/rules/elements.ts';
import type { Dtype } from '../../../src/tensors/dtypes.ts';
import { dtypeOf } from '../../../src/tensors/dtypes.ts';
import type { Attributes } from '../../fixtures/graph.ts';
import { opDefOf } from '../../fixtures/op-defs.ts';
import { between, type CaseMaker, type Generator, type MakeValue, type Operand } from './case.ts';
import { judgeRules } from './judge.ts';

const tried: ReadonlySet<Dtype> = new Set([
  ...(['float32', 'float64', 'int32', 'int64', 'uint8', 'int8', 'bool'] as const),
  ...(['complex64', 'string'] as const),
]);

/** A random type for each of the operation's inputs, one that it takes. */
function typesOf({ op, random }: CaseMaker): Dtype[] {
  const def = opDefOf(op);
  const byAttribute = new Map<string, Dtype>();
  return def.inputArg.map(({ type, typeAttr }) => {
    const fixed = dtypeOf(type);
    if (fixed) return fixed;
    const known = byAttribute.get(typeAttr);
    if (known) return known;
    const allowed = def.attr.find(({ name }) => name === typeAttr)?.allowedValues?.list?.type;
    const types = allowed?.flatMap((each) => dtypeOf(each) ?? []).filter((each) => tried.has(each)) ?? [];
    const usual = types.filter((each) => each === 'float32' || each === 'int32');
    const all = types.length > 0 ? types : [...tried];
    const chosen = random.pick(usual.length > 0 && random.chance(0.5) ? usual : all);
    byAttribute.set(typeAttr, chosen);
    return chosen;
  });
}

/** Rows along any axis, sometimes dealt out in blocks. */
function any(make: CaseMaker, dtype: Dtype, value?: MakeValue): Operand {
  const dims = make.random.chance(0.15) ? [1, make.dim(), make.dim(), make.dim()] : make.dims(1, 4);
  return make.either(dims, { dtype, value }, 0.9);
}

/** Numbers that most functions are defined for. */
const positive = between(0.05, 0.95);

function domainOf(op: string, dtype: Dtype): MakeValue | undefined {
  if (!dtype.startsWith('float')) return undefined;
  if (op === 'Acosh') return between(1, 4);
  return /^(Log|Sqrt|Rsqrt|Bessel|Erfinv|Acos|Asin|Atanh|Ndtri|Lgamma|Digamma|Spence|Dawsn|Expint|Zeta|Igamma|Betainc|Polygamma|Pow|X)/.test(
    op,
  )
    ? positive
    : undefined;
}

/** One input, with attributes. */
const one =
  (attributes: (make: CaseMaker) => Attributes = () => ({}), value?: MakeValue): Generator =>
  (make) => {
    const [dtype = 'float32'] = typesOf(make);
    make.judge([any(make, dtype, value ?? domainOf(make.op, dtype))], attributes(make));
  };

/** Several inputs that are broadcast, where the operation does so. */
const several =
  (attributes: (make: CaseMaker) => Attributes = () => ({}), isExact = 0.2): Generator =>
  (make) => {
    const types = typesOf(make);
    const options = types.map((dtype) => ({ dtype, value: domainOf(make.op, dtype) }));
    make.judge(make.broadcast(options, make.random.chance(isExact)), attributes(make));
  };

/** Also sizes: what follows from the shape of rows. */
const foldable: Generator = (make) => {
  const { random } = make;
  const types = typesOf(make);
  if (types[0] === 'bool' || random.chance(0.6)) return several()(make);
  const rows = make.rows([1, ...make.dims(0, 3)]);
  const dtype = random.pick(['int32', 'int64'] as const);
  const number = random.chance(0.5) ? random.int(1, 4) : [random.int(1, 4)];
  const whole = random.chance(0.4)
    ? make.shapeOf(random.chance(0.5) ? rows : make.rows([1, ...rows.dims.slice(1)]), dtype)
    : random.chance(0.6)
      ? make.numbers(number, dtype)
      : make.rowCount(rows, dtype);
  const size = random.chance(0.5) ? make.shapeOf(rows, dtype) : make.rowCount(rows, dtype);
  if (random.chance(0.3)) return void make.judge([make.rows(make.dims(1, 3), 0, { dtype }), size]);
  make.judge(random.chance(0.5) ? [size, whole] : [whole, size]);
};

const parameters: Readonly<Record<string, (make: CaseMaker) => Attributes>> = {
  Bucketize: () => ({ boundaries: [-5, -0.5, 0.5, 3] }),
  CheckNumerics: () => ({ message: 'no number' }),
  CheckNumericsV2: () => ({ message: 'no number' }),
  FakeQuantWithMinMaxArgs: ({ random }) => ({
    min: -2,
    max: random.pick([1, 6]),
    num_bits: random.pick([4, 8]),
  }),
  DebugIdentity: () => ({ tensor_name: 'x:0' }),
  LeakyRelu: ({ random }) => ({ alpha: random.pick([0.2, 0.5]) }),
  StaticRegexFullMatch: () => ({ pattern: 'a.*' }),
  StaticRegexReplace: ({ random }) => ({
    pattern: '[a-z]',
    rewrite: 'q',
    replace_global: random.chance(0.5),
  }),
  StringLength: ({ random }) => ({ unit: random.pick(['BYTE', 'UTF8_CHAR']) }),
  StringToHashBucket: () => ({ num_buckets: 7 }),
  StringToHashBucketFast: () => ({ num_buckets: 7 }),
  StringToHashBucketStrong: () => ({ num_buckets: 7, key: [3, 5] }),
  UnicodeTranscode: () => ({ input_encoding: 'UTF-8', output_encoding: 'UTF-16-BE' }),
  AsString: () => ({ precision: -1 }),
};

const withRange =
  (perChannel: boolean): Generator =>
  (make) => {
    const value = any(make, 'float32');
    const channels = make.random.chance(0.2) ? make.batch : (value.dims.at(-1) ?? 1);
    const least = between(-3, -1);
    const range = [least, between(1, 3)].map((each) =>
      make.random.chance(0.1)
        ? make.rows([1], 0, { value: each })
        : make.fixed(perChannel ? [channels] : [], { value: each }),
    );
    make.judge([value, ...range], { num_bits: 8 });
  };

/** Ranges for all, or for each part along an axis. */
const quantize: Generator = (make) => {
  const { random, op } = make;
  const value = any(make, 'float32');
  const axis = random.chance(0.7) ? -1 : random.int(0, value.dims.length - 1);
  const isGiven = random.chance(0.8);
  const size = axis < 0 ? [] : [random.chance(0.4) ? make.batch : (value.dims[axis] ?? 1)];
  const range = [between(-3, -1), between(1, 3)].map((each) => make.fixed(size, { value: each }));
  const bits = op === 'QuantizeAndDequantizeV3' ? [make.numbers(8)] : [];
  make.judge([value, ...range, ...bits], { range_given: isGiven, axis, signed_input: random.chance(0.5) });
};

const select: Generator = (make) => {
  const { random } = make;
  if (make.op === 'SelectV2' || random.chance(0.3)) {
    const options = [{ dtype: 'bool' as const }, {}, {}];
    return void make.judge(make.broadcast(options, random.chance(0.5)));
  }
  // A condition of rank 1 chooses whole rows.
  const dims = make.dims(2, 3);
  const axis = random.chance(0.7) ? 0 : random.int(0, dims.length - 1);
  const own = make.oneSlice(dims, axis);
  const value = () => (random.chance(0.8) ? make.rows(own, axis) : make.fixed(own));
  const condition = random.chance(0.7)
    ? make.rows([own[0] ?? 1], 0, { dtype: 'bool' })
    : make.fixed([random.pick([own[0] ?? 1, make.batch])], { dtype: 'bool' });
  make.judge([condition, value(), value()]);
};

const cast: Generator = (make) => {
  const { random } = make;
  const types: Dtype[] = ['float32', 'float64', 'int32', 'int64', 'bool', 'uint8', 'complex64'];
  const to = random.pick(types);
  if (random.chance(0.2)) return void make.judge([make.shapeOf(any(make, 'float32'))], { DstT: to });
  make.judge([any(make, random.pick(types))], { DstT: to });
};

const own: Readonly<Record<string, Generator>> = {
  Cast: cast,
  Bitcast: (make) => {
    const types: Dtype[] = ['float32', 'int32', 'uint8', 'int64', 'float64', 'complex64'];
    const from = make.random.pick(types);
    const alike: Dtype[] = from === 'float32' ? ['int32'] : from === 'int32' ? ['float32'] : [from];
    make.judge([any(make, from)], { type: make.random.pick(make.random.chance(0.7) ? alike : types) });
  },
  Select: select,
  SelectV2: select,
  AddN: (make) => {
    make.judge(
      make.broadcast(
        make.random.list(make.random.int(1, 3), () => ({})),
        make.random.chance(0.8),
      ),
    );
  },
  AccumulateNV2: (make) => {
    const dims = make.dims(1, 3);
    const axis = make.random.int(0, dims.length - 1);
    const operands = make.random.list(2, () => make.rows(make.oneSlice(dims, axis).with(axis, 1), axis));
    make.judge(operands, {
      shape: { shape: { dim: dims.map((dim, i) => ({ size: i === axis ? -1 : dim })) } },
    });
  },
  FakeQuantWithMinMaxVars: withRange(false),
  FakeQuantWithMinMaxVarsPerChannel: withRange(true),
  QuantizeAndDequantizeV2: quantize,
  QuantizeAndDequantizeV3: quantize,
  QuantizeAndDequantizeV4: quantize,
  IdentityN: (make) => {
    make.judge([any(make, 'float32'), any(make, 'int32'), any(make, 'string')]);
  },
  RegexFullMatch: (make) => {
    make.judge([any(make, 'string'), make.fixed([], { dtype: 'string', value: () => '[a-z]+' })]);
  },
  RegexReplace: (make) => {
    const patterns = ['[a-z]', 'q'].map((text) => make.fixed([], { dtype: 'string', value: () => text }));
    make.judge([any(make, 'string'), ...patterns]);
  },
  StringJoin: (make) => {
    make.judge(
      make.broadcast(
        make.random.list(make.random.int(1, 3), () => ({ dtype: 'string' })),
        make.random.chance(0.6),
      ),
      { separator: make.random.pick(['', '-']) },
    );
  },
  Substr: (make) => {
    const { random } = make;
    const dtype = random.pick(['int32', 'int64'] as const);
    const options = { dtype, value: between(0, 1, true) };
    const [text] = [any(make, 'string', (each) => `abc${each.int(0, 99)}`)];
    const places = random.chance(0.5)
      ? [make.fixed([], options), make.fixed([], options)]
      : [0, 1].map(() => make.either(text?.dims ?? [], options));
    make.judge([...(text ? [text] : []), ...places]);
  },
  DecodeBase64: one(undefined, (random) => random.pick(['YWI', 'YWJj', 'enh5'])),
  StringToNumber: one(
    ({ random }) => ({ out_type: random.pick<Dtype>(['float32', 'int32', 'int64', 'float64']) }),
    (random) => String(random.int(-99, 99)),
  ),
  UnicodeScript: one(undefined, between(60, 1200, true)),
  ClipByValue: (make) => {
    const value = any(make, 'float32');
    const range = [between(-1, 0), between(0, 1)].map((each) => {
      if (make.random.chance(0.5)) return make.fixed([], { value: each });
      return value.axis !== undefined && make.random.chance(0.6)
        ? make.rows(value.dims, value.axis, { value: each })
        : make.fixed(value.dims, { value: each });
    });
    make.judge([value, ...range]);
  },
  ApproximateEqual: (make) => {
    make.judge(make.broadcast([{}, {}], make.random.chance(0.9)), { tolerance: 0.5 });
  },
  LeftShift: shift,
  RightShift: shift,
};

function shift(make: CaseMaker): void {
  const dtype = make.random.pick(['int32', 'int64', 'uint8'] as const);
  make.judge(
    make.broadcast([
      { dtype, value: between(0, 9, true) },
      { dtype, value: between(0, 3, true) },
    ]),
  );
}

function generatorOf(op: string): Generator {
  const special = own[op];
  if (special) return special;
  if (opDefOf(op).inputArg.length === 1) return one(parameters[op]);
  const isFoldable =
    /^(Add|AddV2|Sub|Mul|FloorDiv|TruncateDiv|FloorMod|Maximum|Minimum|.*Equal|Less|Greater)$/.test(op);
  return isFoldable && op !== 'ApproximateEqual'
    ? foldable
    : several(parameters[op], /^(EluGrad|Betainc)$/.test(op) ? 1 : 0.2);
}

judgeRules(elementRules.keys(), new Map([...elementRules.keys()].map((op) => [op, generatorOf(op)])), {
  cases: 9,
});
