/**
 * Operations of TensorFlow 2.21 that give the same outputs for the same inputs and change nothing. They are those of
 * its registry that are not stateful, without those that only training, tests, data sets and accelerators use.
 *
 * If their inputs are the same for all requests of a run, so are their outputs, even without a rule for their rows.
 */
export const pureOperations: ReadonlySet<string> = new Set(
  `
  Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation All Angle Any
  ApproxTopK ApproximateEqual ArgMax ArgMin AsString Asin Asinh Atan Atan2 Atanh AudioMicrofrontend AudioSpectrogram
  AvgPool AvgPool3D BandedTriangularSolve BatchCholesky BatchFFT BatchFFT2D BatchFFT3D BatchIFFT BatchIFFT2D
  BatchIFFT3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchMatrixBandPart BatchMatrixDeterminant BatchMatrixDiag
  BatchMatrixDiagPart BatchMatrixInverse BatchMatrixSetDiag BatchMatrixSolve BatchMatrixSolveLs
  BatchMatrixTriangularSolve BatchNormWithGlobalNormalization BatchSelfAdjointEig BatchSelfAdjointEigV2 BatchSvd
  BatchToSpace BatchToSpaceND BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1
  BesselK1e BesselY0 BesselY1 Betainc BiasAdd BiasAddV1 Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BlockLSTM
  BlockLSTMV2 BroadcastArgs BroadcastTo Bucketize CTCBeamSearchDecoder CTCGreedyDecoder CTCLoss CTCLossV2 Cast Ceil
  Cholesky ClipByValue CombinedNonMaxSuppression Complex ComplexAbs ComplexStruct ComputeAccidentalHits Concat
  ConcatOffset ConcatV2 Conj ConjugateTranspose ControlTrigger Conv Conv2D Conv3D Cos Cosh CropAndResize Cross Cumprod
  Cumsum CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute Dawsn DecodeAndCropJpeg DecodeBase64 DecodeBmp
  DecodeCSV DecodeCompressed DecodeGif DecodeImage DecodeJSONExample DecodeJpeg DecodeJxl DecodePaddedRaw DecodePng
  DecodeProtoV2 DecodeRaw DecodeWav DecodeWebP DenseBincount DenseCountSparseOutput DenseToDenseSetOperation
  DenseToSparseSetOperation DepthToSpace DepthwiseConv2dNative Dequantize DeserializeManySparse DeserializeSparse Diag
  DiagPart Digamma Dilation2D Div DivNoNan DrawBoundingBoxes DrawBoundingBoxesV2 DynamicPartition DynamicStitch
  EditDistance Eig Einsum Elu EluGrad EmptyTensorList EmptyTensorMap EncodeBase64 EncodeJpeg EncodeJpegVariableQuality
  EncodePng EncodeProto EncodeWav EnsureShape Equal Erf Erfc Erfinv EuclideanNorm Exp ExpandDims Expint Expm1
  ExtractGlimpse ExtractGlimpseV2 ExtractImagePatches ExtractJpegShape ExtractVolumePatches FFT FFT2D FFT3D FFTND Fact
  FakeParam FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Fingerprint Floor
  FloorDiv FloorMod FresnelCos FresnelSin FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D
  FusedResizeAndPadConv2D GRUBlockCell Gather GatherNd GatherV2 GenerateBoundingBoxProposals GenerateVocabRemapping
  Greater GreaterEqual HSVToRGB HistogramFixedWidth IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND Identity
  IdentityN Igamma Igammac Imag ImageProjectiveTransformV2 ImageProjectiveTransformV3 ImmutableConst InTopK InTopKV2
  Inv Invert InvertPermutation IsFinite IsInf IsNan IsotonicRegression KMC2ChainInitialization
  KmeansPlusPlusInitialization KthOrderStatistic L2Loss LRN LSTMBlockCell LeakyRelu LeftShift Less LessEqual Lgamma
  LinSpace ListDiff Log Log1p LogMatrixDeterminant LogSoftmax LogicalAnd LogicalNot LogicalOr LookupTableFind
  LookupTableSize LowerBound Lu MakeUnique MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart
  MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixExponential MatrixInverse MatrixLogarithm
  MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Max
  MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Mfcc Min Minimum MirrorPad Mod Mul MulNoNan Ndtri
  NearestNeighbors Neg NextAfter NoOp NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
  NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps NotEqual NthElement OneHot OnesLike Pack Pad PadV2 ParallelConcat
  ParallelDynamicStitch ParseExample ParseExampleV2 ParseSequenceExample ParseSequenceExampleV2 ParseSingleExample
  ParseSingleSequenceExample ParseTensor Polygamma PopulationCount Pow Prod Qr QuantizeAndDequantize
  QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeDownAndShrinkRange QuantizeV2 RFFT
  RFFT2D RFFT3D RFFTND RGBToHSV RaggedBincount RaggedCountSparseOutput RaggedCross RaggedFillEmptyRows RaggedGather
  RaggedRange RaggedTensorToSparse RaggedTensorToTensor Range Rank Real RealDiv Reciprocal ReduceJoin RegexFullMatch
  RegexReplace Relu Relu6 RequantizationRange RequantizationRangePerChannel Reshape ResizeArea ResizeBicubic
  ResizeBilinear ResizeNearestNeighbor Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt
  ScaleAndTranslate ScatterNd ScatterNdNonAliasingAdd SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2
  SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2 SelfAdjointEig SelfAdjointEigV2 Selu
  SerializeManySparse SerializeSparse SerializeTensor SetSize Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Snapshot
  SobolSample Softmax SoftmaxCrossEntropyWithLogits Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth
  SparseAdd SparseBincount SparseConcat SparseCountSparseOutput SparseCross SparseCrossHashed SparseCrossV2
  SparseDenseCwiseAdd SparseDenseCwiseDiv SparseDenseCwiseMul SparseFillEmptyRows SparseMatMul SparseMatrixAdd
  SparseMatrixMatMul SparseMatrixMul SparseMatrixNNZ SparseMatrixOrderingAMD SparseMatrixSoftmax
  SparseMatrixSparseCholesky SparseMatrixSparseMatMul SparseMatrixTranspose SparseMatrixZeros SparseReduceMax
  SparseReduceMaxSparse SparseReduceSum SparseReduceSumSparse SparseReorder SparseReshape SparseSegmentMean
  SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNWithNumSegments SparseSegmentSum
  SparseSegmentSumWithNumSegments SparseSlice SparseSoftmax SparseSoftmaxCrossEntropyWithLogits SparseSparseMaximum
  SparseSparseMinimum SparseSplit SparseTensorDenseAdd SparseTensorDenseMatMul SparseToDense
  SparseToSparseSetOperation Spence Split SplitV Sqrt Square SquaredDifference Squeeze StatelessMultinomial
  StatelessParameterizedTruncatedNormal StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3
  StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
  StatelessRandomPoisson StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2
  StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessSampleDistortedBoundingBox
  StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2 StaticRegexFullMatch StaticRegexReplace
  StochasticCastToInt StridedSlice StringFormat StringJoin StringLength StringListAttr StringLower StringNGrams
  StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast StringToHashBucketStrong
  StringToNumber StringUpper Sub Substr Sum Svd Tan Tanh TensorArrayClose TensorArrayCloseV2 TensorArrayConcat
  TensorArrayConcatV2 TensorArrayGather TensorArrayGatherV2 TensorArrayPack TensorArrayRead TensorArrayReadV2
  TensorArrayScatter TensorArrayScatterV2 TensorArraySize TensorArraySizeV2 TensorArraySplit TensorArraySplitV2
  TensorArrayUnpack TensorArrayWrite TensorArrayWriteV2 TensorMapErase TensorMapHasKey TensorMapInsert TensorMapLookup
  TensorMapSize TensorMapStackKeys TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
  TensorScatterUpdate TensorStridedSliceUpdate Tile ToBool TopK TopKUnique TopKV2 TopKWithUnique Transpose
  TridiagonalMatMul TridiagonalSolve TruncateDiv TruncateMod UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode
  UnicodeScript UnicodeTranscode UniformDequantize UniformQuantize Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2
  Unpack UnravelIndex UnsortedSegmentJoin UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
  UpperBound Where Xdivy Xlog1py Xlogy ZerosLike Zeta
`
    .trim()
    .split(/\s+/),
);
