/**
 * Says which runs cannot take long. Their signature has only operations whose work follows from the shapes of the
 * inputs, and all dims but the number of rows are known.
 */
import type { Signature } from '../../signature.js';

/** Says why runs of a signature may take any time; undefined if they cannot. */
export function whyNotInline({ inputs, operations }: Signature, device: 'cpu' | 'gpu'): string | undefined {
  // A run waits for the GPU.
  if (device !== 'cpu') return 'the model runs on a GPU';
  if (operations === undefined) return 'no graph tells what its runs do';
  for (const { name, dtype, shape } of inputs.values()) {
    if (dtype === 'string') return `input \`${name}\` holds strings, of any length`;
    if (shape === null || shape.slice(1).includes(null)) return `input \`${name}\` may be of any size`;
  }
  const unbounded = [...operations].find((operation) => !bounded.has(operation));
  return unbounded && `operation \`${unbounded}\` may take any time`;
}

/**
 * Operations that wait for nothing, and whose work follows from the shapes of their inputs. Operations whose output
 * size depends on a value (Fill, Tile, Range, Pad) are missing, and so are loops and branches.
 */
const bounded: ReadonlySet<string> = new Set(
  `
  Const Placeholder PlaceholderWithDefault NoOp Identity IdentityN StopGradient PreventGradient Snapshot EnsureShape
  VarHandleOp ReadVariableOp Variable VariableV2 PartitionedCall StatefulPartitionedCall
  Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd Cast Ceil ClipByValue Cos Cosh Div DivNoNan Elu Erf
  Erfc Exp Expm1 Floor FloorDiv FloorMod LeakyRelu Log Log1p LogSoftmax Maximum Minimum Mod Mul MulNoNan Neg Pow RealDiv
  Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square
  SquaredDifference Sub Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy
  Equal Greater GreaterEqual IsFinite IsInf IsNan Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2
  All Any ArgMax ArgMin Cumprod Cumsum Max Mean Min Prod Sum TopKV2
  BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum L2Loss MatMul
  Concat ConcatV2 ExpandDims Gather GatherNd GatherV2 OnesLike Pack Rank Reshape Reverse ReverseV2 Shape ShapeN Size Slice
  Split SplitV Squeeze StridedSlice Transpose Unpack ZerosLike
  AvgPool Conv2D DepthwiseConv2dNative FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 MaxPool
  `
    .trim()
    .split(/\s+/),
);
