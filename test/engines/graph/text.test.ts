/**
 * The rules of texts that are taken apart and put together, and of examples that are parsed.
 */
import { textRules } from '../../../src/engines/tensorflow/graph/rules/text.ts';
import type { Ref } from '../../fixtures/graph.ts';
import { between, type CaseMaker, type Generator, type MakeValue, type Operand } from './case.ts';
import { encodeExample } from './example.ts';
import { judgeRules } from './judge.ts';

const words: MakeValue = (random) =>
  random.list(random.int(0, 4), () => random.pick(['a', 'bc', 'dé', 'x'])).join(' ');

/** One text each row, mostly. */
function texts(make: CaseMaker, value = words): Operand {
  const { random } = make;
  const options = { dtype: 'string' as const, value };
  if (random.chance(0.85)) return make.rows([random.pick([1, 1, 1, 2])], 0, options);
  return make.fixed([make.batch], options);
}

const text = (make: CaseMaker, value: string) => make.fixed([], { dtype: 'string', value: () => value });

/** Words of each row: their values, and which are whose. */
function splitWords(make: CaseMaker): { indices: Ref; values: Ref; shape: Ref; rows: Operand } {
  const rows = texts(make);
  const [indices, values, shape] = make.add('StringSplitV2', [rows, text(make, ' ')]) as [Ref, Ref, Ref];
  return { indices, values, shape, rows };
}

const split: Generator = (make) => {
  const { random, graph } = make;
  if (random.chance(0.4))
    return void make.judge([texts(make), text(make, random.pick([' ', '']))], { maxsplit: -1 });
  const { indices, values } = splitWords(make);
  const column = random.pick([0, 0, 0, 1]);
  const place = [graph.integers([0, column]), graph.integers([0, column + 1]), graph.integers([1, 1])];
  const ids = graph.first('StridedSlice', [indices, ...place], {
    begin_mask: 1,
    end_mask: 1,
    shrink_axis_mask: 2,
  });
  // What follows element by element from the values, too.
  make.outputs.push(ids, graph.first('StringUpper', [values]), graph.first('StringLength', [values]));
};

const splitOld: Generator = (make) => {
  make.judge([texts(make), text(make, ' ')], { skip_empty: make.random.chance(0.5) });
};

const decode: Generator = (make) => {
  const { random } = make;
  make.judge([texts(make)], { input_encoding: 'UTF-8', errors: random.pick(['replace', 'ignore']) });
};

/** The letters of each row, with their row splits. */
function letters(make: CaseMaker): { splits: Ref; values: Ref } {
  const [splits, values] = make.add('UnicodeDecode', [texts(make)], { input_encoding: 'UTF-8' }) as [
    Ref,
    Ref,
  ];
  return { splits, values };
}

const nGrams: Generator = (make) => {
  const { random, graph } = make;
  const { splits, values } = letters(make);
  const strings = graph.first('AsString', [values]);
  const other = random.chance(0.1) ? letters(make).splits : splits;
  make.judge([strings, other], {
    separator: ' ',
    ngram_widths: random.pick([[1], [2], [1, 2]]),
    left_pad: '',
    right_pad: random.pick(['', 'z']),
    pad_width: random.pick([0, -1, 1]),
    preserve_short_sequences: random.chance(0.5),
  });
};

const toTensor: Generator = (make) => {
  const { random, graph } = make;
  const width = random.chance(0.8) ? random.int(1, 4) : -1;
  const types = (names: readonly string[]) => ({ row_partition_types: names });
  if (random.chance(0.5)) {
    const { splits, values } = letters(make);
    const long = graph.integers([random.pick([-1, -1, make.batch]), width], 'int64');
    return void make.judge([long, values, make.fixed([], { dtype: 'int32' }), splits], types(['ROW_SPLITS']));
  }
  const { indices, values, rows } = splitWords(make);
  const place = [graph.integers([0, 0]), graph.integers([0, 1]), graph.integers([1, 1])];
  const ids = graph.first('StridedSlice', [indices, ...place], {
    begin_mask: 1,
    end_mask: 1,
    shrink_axis_mask: 2,
  });
  const count = random.chance(0.9) ? make.rowCount(rows, 'int64') : graph.integers(make.batch, 'int64');
  make.judge(
    [graph.integers([-1, width], 'int64'), values, text(make, '-'), count, ids],
    types(['FIRST_DIM_SIZE', 'VALUE_ROWIDS']),
  );
};

const decodeRaw: Generator = (make) => {
  const { random, op } = make;
  const length = random.int(1, 3);
  const value: MakeValue = (each) =>
    'abcd'.repeat(op === 'DecodeRaw' && random.chance(0.95) ? length : each.int(0, 3));
  const dims = make.dims(1, 2);
  const bytes = make.either(dims, { dtype: 'string', value }, 0.9);
  const outType = { out_type: random.pick(['uint8', 'int32'] as const) };
  if (op === 'DecodeRaw') return void make.judge([bytes], outType);
  make.judge([bytes, make.numbers(random.pick([4, 8]))], outType);
};

const parse: Generator = (make) => {
  const { random, op } = make;
  const shape = random.pick([[], [2], [1, 2]]);
  const isOpen = random.chance(0.15);
  const serialized = texts(make, (each) =>
    encodeExample({ x: each.list(2, () => each.int(-9, 9)).slice(0, shape.length === 0 ? 1 : 2) }),
  );
  const keys = ['x', 'y'].map((key) => text(make, key));
  const none = [make.fixed(shape, { value: between(1, 2) }), make.fixed([], { value: between(1, 2) })];
  const names = make.fixed([0], { dtype: 'string' });
  const dense = { dim: (isOpen ? [-1, ...shape.slice(1)] : shape).map((size) => ({ size })) };
  const shapes = { dense_shapes: { list: { shape: [dense, {}] } } };
  if (op === 'ParseExample') {
    const given = { Nsparse: 0, Ndense: 2, sparse_types: [], Tdense: [1, 1] };
    return void make.judge([serialized, names, ...keys, ...none], { ...given, ...shapes });
  }
  const list = (all: readonly string[]) =>
    make.graph.constant({ dtype: 'string', shape: [all.length], data: all.map((each) => Buffer.from(each)) });
  const given = {
    num_sparse: 0,
    sparse_types: [],
    ragged_value_types: [],
    ragged_split_types: [],
    Tdense: [1, 1],
  };
  make.judge([serialized, names, list([]), list(['x', 'y']), list([]), ...none], { ...given, ...shapes });
};

const generators = new Map<string, Generator>([
  ['StringSplitV2', split],
  ['StringSplit', splitOld],
  ['UnicodeDecode', decode],
  ['UnicodeDecodeWithOffsets', decode],
  ['StringNGrams', nGrams],
  ['RaggedTensorToTensor', toTensor],
  ['DecodeRaw', decodeRaw],
  ['DecodePaddedRaw', decodeRaw],
  ['ParseExample', parse],
  ['ParseExampleV2', parse],
]);

judgeRules(textRules.keys(), generators, { cases: 24 });
