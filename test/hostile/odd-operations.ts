/**
 * Operations with odd attributes, types and inputs, made from what TensorFlow says of each.
 */

import type { Feed } from '../../src/engines/tensorflow/native.ts';
import { type Dtype, dtypeOf, dtypes } from '../../src/tensors/dtypes.ts';
import type { Attribute } from '../fixtures/graph.ts';
import type { AttributeMessage } from '../fixtures/graph-proto.ts';
import { type AttrDef, type OpDef, opDefs } from '../fixtures/op-defs.ts';
import type { Random } from './random.ts';

/** An operation whose types and attributes are chosen; its inputs are not. */
export interface Chosen {
  readonly op: string;
  readonly inputs: readonly { readonly dtype: Dtype; readonly name: string }[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Operations that read files, wait, talk to others, or print. */
const leftOut =
  /^(ReadFile|MatchingFiles|MergeV2Checkpoints|WriteFile|Save|Restore|Print|PyFunc|EagerPyFunc|Abort|Send|_|Xla|TPU|Tpu|Collective|Dataset|.*Dataset|.*DatasetV\d|Configure|Shutdown|Stage|Barrier|Debug|Nccl|Infeed|Outfeed|Host|.*CompilationSucceededAssert|Assert|DisableCopyOnRead|Ragged.*Variant|.*MapDefun|Placeholder)/;

/** DT_RESOURCE, DT_VARIANT, and references. */
const withoutValues = (type: number) => type === 20 || type === 21 || type > 100;

/** Operations that a request can reach: plain values in and out, and nothing remembered. */
export function reachableOperations(): OpDef[] {
  return [...opDefs().values()].filter(
    ({ name, inputArg, outputArg, isStateful, attr }) =>
      !isStateful &&
      !leftOut.test(name) &&
      inputArg.length > 0 &&
      outputArg.length > 0 &&
      !inputArg.some(({ type, isRef }) => isRef || withoutValues(type)) &&
      !attr.some(({ type }) => /func/.test(type)),
  );
}

const usual: readonly [Dtype, ...Dtype[]] = [
  ...(['float32', 'float32', 'float32', 'int32', 'int32', 'int64', 'float64', 'string'] as const),
  ...(['float16', 'bfloat16', 'uint8', 'bool', 'complex64', 'int8', 'int16', 'uint32', 'uint64'] as const),
];

/** @returns undefined where an input or every output has a type that cannot travel */
export function choose(def: OpDef, random: Random): Chosen | undefined {
  const types = new Map<string, Dtype | readonly Dtype[]>();
  const attributes: Record<string, Attribute> = {};
  for (const attr of def.attr) {
    if (attr.type === 'type') {
      const type = chooseType(attr, random);
      if (type === undefined) return undefined;
      types.set(attr.name, type);
      attributes[attr.name] = type;
    } else if (attr.type === 'list(type)') {
      const list = Array.from({ length: 1 + random.below(2) }, () => chooseType(attr, random));
      if (!list.every((each) => each !== undefined)) return undefined;
      types.set(attr.name, list);
      attributes[attr.name] = list.map((each) => dtypes[each].tf);
    } else {
      const value = chooseAttribute(attr, def, random);
      if (value !== undefined) attributes[attr.name] = value;
    }
  }
  const inputs: { dtype: Dtype; name: string }[] = [];
  for (const { name, type, typeAttr, numberAttr, typeListAttr } of def.inputArg) {
    const list = types.get(typeListAttr);
    const single = types.get(typeAttr);
    const fixed = typeof single === 'string' ? single : dtypeOf(type);
    const told = attributes[numberAttr];
    const count = numberAttr === '' ? 1 : typeof told === 'number' ? Math.max(1, told) : 1 + random.below(3);
    if (numberAttr !== '') attributes[numberAttr] = count;
    const dtypesOf = Array.isArray(list) ? (list as Dtype[]) : Array<Dtype | undefined>(count).fill(fixed);
    for (const dtype of dtypesOf) {
      if (dtype === undefined) return undefined;
      inputs.push({ dtype, name });
    }
  }
  return { op: def.name, inputs, attributes };
}

function chooseType({ allowedValues, defaultValue }: AttrDef, random: Random): Dtype | undefined {
  const allowed = (allowedValues?.list?.type ?? []).map(dtypeOf).filter((each) => each !== undefined);
  if (allowed.length === 0 && allowedValues?.list) return undefined;
  const standard = defaultValue?.type === undefined ? undefined : dtypeOf(defaultValue.type);
  if (standard && random.isTrue(0.5)) return standard;
  if (allowed.length === 0) return random.pick(usual);
  if (random.isTrue(0.5) && allowed.includes('float32')) return 'float32';
  return allowed[random.below(allowed.length)];
}

const smallSizes: readonly [number, ...number[]] = [1, 1, 2, 2, 3, 0, 4, 5];

function chooseAttribute(
  { name, type, defaultValue, allowedValues }: AttrDef,
  { name: op, outputArg }: OpDef,
  random: Random,
): Attribute | undefined {
  const isOptional = defaultValue !== null && defaultValue !== undefined;
  if (isOptional && !random.isTrue(0.3)) return undefined;
  const texts = (allowedValues?.list?.s ?? []).map((text) => Buffer.from(text).toString());
  switch (type) {
    case 'string':
      if (texts.length > 0) return texts[random.below(texts.length)];
      return name === 'equation'
        ? random.pick(['ij,jk->ik', 'bij,bjk->bik', 'ij->ji', '...i,ij->...j', 'ii->i', 'ij,ij->'])
        : isOptional
          ? undefined
          : random.pick(['', 'x', 'SUM', 'NHWC']);
    case 'int':
      return outputArg.some(({ numberAttr }) => numberAttr === name)
        ? random.pick([1, 2, 2, 3])
        : random.pick([1, 2, 2, 3, 0, -1, 4, 8]);
    case 'float':
      return random.pick([0, 1, 0.5, -1, 2]);
    case 'bool':
      return random.isTrue(0.5);
    case 'list(int)': {
      if (/^(ksize|ksizes|strides|rates|dilations|pooling_ratio)$/.test(name)) {
        const inner = Array.from({ length: /3D|Volume/.test(op) ? 3 : 2 }, () =>
          random.pick([1, 1, 2, 2, 3, 4]),
        );
        return [1, ...inner, 1];
      }
      return Array.from({ length: random.below(4) }, () => random.pick(smallSizes));
    }
    case 'list(float)':
      return name === 'pooling_ratio' ? [1, 1.44, 1.73, 1] : [0.5, 1, 2].slice(0, 1 + random.below(3));
    case 'list(string)': {
      if (name === 'row_partition_types')
        return ['FIRST_DIM_SIZE', 'VALUE_ROWIDS', 'ROW_SPLITS'].slice(random.below(3));
      return ['a', 'b'].slice(random.below(2));
    }
    case 'shape':
      return {
        shape: { dim: Array.from({ length: random.below(3) }, () => ({ size: random.pick(smallSizes) })) },
      };
    case 'list(shape)': {
      const shapes = [{ dim: [] }, { dim: [{ size: 2 }] }].slice(random.below(2));
      return { list: { shape: shapes } } satisfies AttributeMessage;
    }
    default:
      return undefined;
  }
}

const sizes: readonly [number, ...number[]] = [1, 2, 2, 3, 3, 4, 5, 0, 17];
const floats: readonly [number, ...number[]] = [
  ...[0, 1, -1, 0.5, 2, 3],
  ...[Number.NaN, Number.POSITIVE_INFINITY, -3e38, 1e-40],
] as unknown as [number, ...number[]];
const whole: readonly [number, ...number[]] = [0, 1, 2, 3, -1, -2, 5, 64];
const huge: readonly [number, ...number[]] = [...whole, 2 ** 31 - 1, -(2 ** 31), 2 ** 20] as unknown as [
  number,
  ...number[],
];

export type Shapes = readonly (readonly number[])[];

/** @param good shapes with which it has answered before */
export function makeShapes(
  { inputs }: Chosen,
  good: readonly Shapes[],
  ranks: ReadonlyMap<number, number>,
  random: Random,
): Shapes {
  const model = good.length > 0 && random.isTrue(0.8) ? good[random.below(good.length)] : undefined;
  if (model) {
    const isResized = random.isTrue(0.5);
    const isReranked = random.isTrue(0.15);
    const odd = random.below(inputs.length);
    const renamed = new Map<number, number>();
    return model.map((shape, i) => {
      if (isReranked && i === odd)
        return random.isTrue(0.5) ? shape.slice(1) : [random.pick(sizes), ...shape].slice(0, 6);
      // Dims that were equal stay equal, as a rule.
      if (isResized)
        return shape.map((dim) => {
          if (random.isTrue(0.1)) return random.pick(sizes);
          if (!renamed.has(dim)) renamed.set(dim, random.isTrue(0.3) ? random.pick(sizes) : dim);
          return renamed.get(dim) ?? dim;
        });
      return shape.map((dim) => (i === odd && random.isTrue(0.4) ? random.pick(sizes) : dim));
    });
  }
  const usualSize = random.pick([1, 2, 3, 4]);
  const isUniform = random.isTrue(0.5);
  const shared = Array.from({ length: random.below(7) }, () => (isUniform ? usualSize : random.pick(sizes)));
  return inputs.map(({ name }, input) => {
    const rank = random.isTrue(0.9) ? ranks.get(input) : undefined;
    if (rank !== undefined)
      return Array.from({ length: rank }, () =>
        isUniform || random.isTrue(0.7) ? usualSize : random.pick(sizes),
      );
    if (/^(axis|dim|depth|num|k|n|size_|max_|score_|iou_|.*_value|.*threshold|exclusive)/.test(name))
      return [];
    switch (random.below(6)) {
      case 0:
      case 1:
        return shared;
      case 2:
        return shared.slice(0, 1);
      case 3:
        return [usualSize];
      case 4:
        return [];
      default:
        return Array.from({ length: random.below(7) }, () => (isUniform ? usualSize : random.pick(sizes)));
    }
  });
}

/** Operations whose whole numbers say how large their output is: huge ones would only take memory. */
const sized =
  /^(Fill|Range|LinSpace|Tile|Pad|MirrorPad|OneHot|ScatterNd|BroadcastTo|Resize|CropAndResize|SparseToDense|Bincount|DenseBincount|RaggedBincount|SparseBincount|Unsorted|.*Segment|Matrix|.*FFT|Ragged|SpaceToBatch|.*Backprop|.*Grad|Repeat|.*Ones|Empty|.*Random|.*SampleDistorted|.*Sampler|Quantile|.*Resize|ExtractGlimpse|ImageProjective|.*DiagV|TensorScatter|.*Sequence|ParallelConcat|.*Dense)/;

/** @param samples bytes that operations of the kind take, to be changed a little */
export function makeFeeds(
  { op, inputs }: Chosen,
  shapes: Shapes,
  samples: readonly Uint8Array[],
  random: Random,
): Feed[] {
  return inputs.map(({ dtype }, i): Feed => {
    const shape = shapes[i] ?? [];
    const count = shape.reduce((product, dim) => product * dim, 1);
    const isTame = random.isTrue(0.6);
    const { tf } = dtypes[dtype];
    if (dtype === 'string')
      return [tf, [...shape], Array.from({ length: count }, () => oddText(samples, random))];
    const choices = /float|complex/.test(dtype) ? floats : sized.test(op) ? whole : huge;
    const top = isTame ? 1 + random.below(5) : 0;
    const values = Array.from({ length: count }, () => (isTame ? random.below(top) : random.pick(choices)));
    if (isTame && random.isTrue(0.3)) values.sort((a, b) => a - b);
    return [tf, [...shape], bytesOf(dtype, values)];
  });
}

function bytesOf(dtype: Exclude<Dtype, 'string'>, values: readonly number[]): Uint8Array {
  switch (dtype) {
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer);
    case 'float64':
      return new Uint8Array(Float64Array.from(values).buffer);
    case 'complex64':
      return new Uint8Array(Float32Array.from(values.flatMap((value) => [value, value])).buffer);
    case 'complex128':
      return new Uint8Array(Float64Array.from(values.flatMap((value) => [value, value])).buffer);
    case 'bfloat16':
      return new Uint8Array(
        Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16).buffer,
      );
    case 'float16':
      // Good enough for small whole numbers; the rest is noise, infinities among it.
      return new Uint8Array(
        Uint16Array.from(values, (value) => {
          if (value === 0) return 0;
          const exponent = Math.floor(Math.log2(Math.abs(value)));
          if (!(exponent > -14 && exponent < 16)) return Number.isNaN(value) ? 0x7e00 : 0x7c00;
          const mantissa = Math.floor((Math.abs(value) / 2 ** exponent - 1) * 1024);
          return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
        }).buffer,
      );
    case 'int64':
    case 'uint64':
      return new Uint8Array(BigInt64Array.from(values, (value) => BigInt(Math.trunc(value))).buffer);
    case 'int32':
    case 'uint32':
      return new Uint8Array(Int32Array.from(values).buffer);
    case 'int16':
    case 'uint16':
      return new Uint8Array(Int16Array.from(values).buffer);
    case 'bool':
      return Uint8Array.from(values, (value) => value & 1);
    default:
      return Uint8Array.from(values);
  }
}

const texts = ['', 'a', 'a b', '7', '-1', 'a longer text of several words', '\0\xff', '12:30', 'aGFsbG8'];

function oddText(samples: readonly Uint8Array[], random: Random): Uint8Array {
  if (samples.length === 0 || random.isTrue(0.2))
    return random.isTrue(0.3)
      ? random.bytes(random.below(40))
      : Buffer.from(texts[random.below(texts.length)] ?? '');
  const sample = Uint8Array.from(samples[random.below(samples.length)] ?? []);
  for (let changes = random.below(6); changes > 0 && sample.length > 0; changes--)
    sample[random.isTrue(0.7) ? random.below(Math.min(64, sample.length)) : random.below(sample.length)] =
      random.pick([0, 1, 255, 127, 128, random.below(256)]);
  return random.isTrue(0.2) ? sample.subarray(0, random.below(sample.length + 1)) : sample;
}
