/**
 * Limits what XLA may compile, and tells what it compiles in any case.
 *
 * Compiled code does not fail for a bad value: an index beyond a table read its last row, and an integer divided by
 * zero gave -1. A request that TensorFlow refuses would get numbers. So only operations that accept every value are
 * compiled. DepthwiseConv2dNative is left out as well: compiled for a processor, MobileNetV2 took 7 to 14 times the CPU
 * time that it takes with oneDNN.
 */

/** Operations that accept every value of their inputs, by their names in graphs. XLA must know each of them. */
const compiled = `
  Const Identity IdentityN ReadVariableOp Snapshot StopGradient PreventGradient
  Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd Cast Ceil ClipByValue Cos Cosh DivNoNan Elu Erf Erfc
  Exp Expm1 Floor LeakyRelu Log Log1p LogSoftmax Maximum Minimum Mul MulNoNan Neg RealDiv Reciprocal Relu Relu6 Rint Round
  Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square SquaredDifference Sub Tan Tanh Xdivy Xlog1py Xlogy
  FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
  Equal Greater GreaterEqual IsFinite IsInf IsNan Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2
  All Any ArgMax ArgMin Cumprod Cumsum L2Loss Max Mean Min Prod Sum
  BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum MatMul
  BroadcastTo Concat ConcatV2 ExpandDims OnesLike Pack Pad PadV2 Rank Reshape Reverse ReverseV2 Shape ShapeN Size Split
  SplitV Squeeze Tile Transpose Unpack ZerosLike
  AvgPool AvgPool3D Conv2D Conv2DBackpropInput Conv3D DepthToSpace FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
  MaxPool MaxPool3D SpaceToDepth
`
  .trim()
  .split(/\s+/);

/** True if TensorFlow compiles a program for each shape because the graph says so. Graphs of JAX do. */
export function compilesShapes(operations: ReadonlySet<string> | undefined): boolean {
  return operations !== undefined && [...operations].some((operation) => operation.startsWith('Xla'));
}

/** Whether TensorFlow was told before it first looked. */
let isTold: boolean | undefined;

/**
 * Tells TensorFlow what to compile, if `--xla` asks for it. TensorFlow reads TF_XLA_FLAGS once in a process, at its
 * first run. Flags that are set already come last and win.
 *
 * @returns false if it is too late for that
 */
export function limitXla(isWanted: boolean): boolean {
  isTold ??= isWanted;
  if (!isWanted || !isTold) return !isWanted;
  const limit = `--tf_xla_ops_to_cluster=${compiled.join(',')}`;
  const { TF_XLA_FLAGS: others } = process.env;
  if (!others?.includes(limit)) process.env['TF_XLA_FLAGS'] = others ? `${limit} ${others}` : limit;
  return true;
}
