/**
 * Operations whose runs are not all alike: they write, draw random numbers, read what changes, or wait for others. A
 * graph with one of them never shares runs.
 *
 * The list has the stateful operations of TensorFlow 2.21's registry, without those that leave nothing behind and read
 * nothing that changes (they read variables and tables, call functions, hold lists, check). It also has the old
 * operations that write without being registered as stateful. Operations of StableHLO modules have `stablehlo.` before
 * their names.
 */
const effects: ReadonlySet<string> = new Set(
  `
  Abort AddManySparseToTensorsMap AddSparseToTensorsMap AllCandidateSampler AllToAll AnonymousIterator
  AnonymousIteratorV2 AnonymousIteratorV3 AnonymousMemoryCache AnonymousMultiDeviceIterator
  AnonymousMultiDeviceIteratorV3 AnonymousMutableDenseHashTable AnonymousMutableHashTableOfTensors
  AnonymousRandomSeedGenerator AnonymousSeedGenerator ApplyAdagrad ApplyAdam ApplyFtrl ApplyGradientDescent
  ApplyMomentum ApplyRMSProp Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp
  Barrier Batch BatchFunction CSVDataset CSVDatasetV2 CacheDatasetV2 CalibrationStatisticsSaver ComputeDedupDataSize
  ComputeDedupDataSizeV2 ComputeDedupDataTupleMask ComputeDedupDataTupleMaskV2 ConditionalAccumulator ConsumeMutexLock
  ConvertToCooTensor CountUpTo CrossReplicaSum CudnnRNN CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3
  CudnnRNNV2 CudnnRNNV3 DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4
  DatasetToSingleElement DatasetToTFRecord DebugIdentityV2 DebugIdentityV3 DeleteIterator DeleteMemoryCache
  DeleteMultiDeviceIterator DeleteRandomSeedGenerator DeleteRpcFutureResource DeleteSeedGenerator DeleteSessionTensor
  DeserializeIterator DestroyResourceOp DestroyTemporaryVariable DeviceIndex DevicePlacementOp DisableCopyOnRead
  DistributedSave DtypeWithDefaultOp DummyIterationCounter DummyMemoryCache DumpTensor EagerPyFunc
  ExperimentalCSVDataset ExperimentalDatasetToTFRecord ExperimentalGroupByReducerDataset ExperimentalIteratorGetDevice
  ExperimentalLMDBDataset ExperimentalMatchingFilesDataset ExperimentalRandomDataset
  ExperimentalSetStatsAggregatorDataset ExperimentalSqlDataset ExperimentalStatsAggregatorHandle
  ExperimentalThreadPoolDataset ExperimentalThreadPoolHandle FIFOQueue FIFOQueueV2 FakeQueue
  FileSystemSetConfiguration FixedLengthRecordDataset FixedLengthRecordDatasetV2 FixedLengthRecordReader
  FixedLengthRecordReaderV2 FixedUnigramCandidateSampler FractionalAvgPool FractionalMaxPool GeneratorDataset
  GetMinibatchSplitsWithPhysicalReplica GetMinibatchesInCsrWithPhysicalReplica GetSessionHandle GetSessionHandleV2
  GetSessionTensor GlobalIterId GlobalShuffleDataset GraphDefVersion GroupByReducerDataset IdentityReader
  IdentityReaderV2 ImportEvent InitializeTableFromDataset InitializeTableFromTextFileV2 InitializeTableV2 InplaceAdd
  InplaceSub InplaceUpdate IsResourceHandleRefCounting Iterator IteratorFromStringHandle IteratorFromStringHandleV2
  IteratorGetDevice IteratorGetModelProto IteratorGetNext IteratorGetNextAsOptional IteratorGetNextSync
  IteratorToStringHandle IteratorV2 LMDBDataset LMDBReader LearnedUnigramCandidateSampler ListDataset
  ListSnapshotChunksDataset LoadAndRemapMatrix LoadDataset LogUniformCandidateSampler LookupTableExportV2
  LookupTableImport LookupTableImportV2 LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 MakeIterator
  MakeWeakResourceHandle MapClear MapIncompleteSize MapPeek MapSize MapStage MapUnstage MapUnstageNoKey MatchingFiles
  MatchingFilesDataset MergeV2Checkpoints MultiDeviceIterator MultiDeviceIteratorFromStringHandle
  MultiDeviceIteratorGetNextFromShard MultiDeviceIteratorInit MultiDeviceIteratorToStringHandle Multinomial MutexLock
  MutexV2 NegTrain NonDeterministicInts OneShotIterator OrderedMapClear OrderedMapIncompleteSize OrderedMapPeek
  OrderedMapSize OrderedMapStage OrderedMapUnstage OrderedMapUnstageNoKey PaddingFIFOQueue PaddingFIFOQueueV2
  ParameterizedTruncatedNormal PriorityQueue PriorityQueueV2 PyFunc PyFuncStateless QueueCloseV2 QueueDequeue
  QueueDequeueMany QueueDequeueManyV2 QueueDequeueUpToV2 QueueDequeueV2 QueueEnqueue QueueEnqueueMany
  QueueEnqueueManyV2 QueueEnqueueV2 QueueIsClosedV2 QueueSizeV2 RandomCrop RandomDataset RandomDatasetV2 RandomGamma
  RandomPoisson RandomPoissonV2 RandomShuffle RandomShuffleQueue RandomShuffleQueueV2 RandomStandardNormal
  RandomUniform RandomUniformInt RangeDataset ReadFile ReaderNumRecordsProducedV2 ReaderNumWorkUnitsCompletedV2
  ReaderRead ReaderReadUpToV2 ReaderReadV2 ReaderResetV2 ReaderRestoreStateV2 ReaderSerializeStateV2 RecordInput Recv
  ReduceDataset RemoteCall RequiresOlderGraphVersion ResourceAccumulatorApplyGradient
  ResourceAccumulatorNumAccumulated ResourceAccumulatorSetGlobalStep ResourceAccumulatorTakeGradient
  ResourceApplyAdaMax ResourceApplyAdadelta ResourceApplyAdagrad ResourceApplyAdagradDA ResourceApplyAdagradV2
  ResourceApplyAdam ResourceApplyAdamWithAmsgrad ResourceApplyAddSign ResourceApplyCenteredRMSProp ResourceApplyFtrl
  ResourceApplyFtrlV2 ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum
  ResourceApplyPowerSign ResourceApplyProximalAdagrad ResourceApplyProximalGradientDescent ResourceApplyRMSProp
  ResourceConditionalAccumulator ResourceCountUpTo ResourceCreateOp ResourceInitializedOp ResourceScatterAdd
  ResourceScatterDiv ResourceScatterMax ResourceScatterMin ResourceScatterMul ResourceScatterNdAdd
  ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate ResourceScatterSub
  ResourceScatterUpdate ResourceSparseApplyAdadelta ResourceSparseApplyAdagrad ResourceSparseApplyAdagradDA
  ResourceSparseApplyAdagradV2 ResourceSparseApplyCenteredRMSProp ResourceSparseApplyFtrl ResourceSparseApplyFtrlV2
  ResourceSparseApplyKerasMomentum ResourceSparseApplyMomentum ResourceSparseApplyProximalAdagrad
  ResourceSparseApplyProximalGradientDescent ResourceSparseApplyRMSProp ResourceStridedSliceAssign ResourceUsingOp
  Restore RestoreSlice RestoreV2 RiscWhile RngReadAndSkip RngSkip RpcCall RpcCheckStatus RpcClient RpcGetValue
  RpcServer RpcServerRegister RpcServerStart SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 Save SaveDataset
  SaveDatasetV2 SaveSlices SaveV2 ScatterAdd ScatterDiv ScatterMax ScatterMin ScatterMul ScatterNdAdd ScatterNdMax
  ScatterNdMin ScatterNdSub ScatterNdUpdate ScatterSub ScatterUpdate Send SerializeIterator SetStatsAggregatorDataset
  ShuffleAndRepeatDatasetV2 ShuffleDatasetV2 ShuffleDatasetV3 Skipgram SleepIdentityOp SleepOp
  SparseConditionalAccumulator SparseTensorSliceDataset SqlDataset Stack StackCloseV2 StackPopV2 StackPushV2 StackV2
  Stage StageClear StagePeek StageSize StatefulRandomBinomial StatefulStandardNormal StatefulStandardNormalV2
  StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt StatsAggregatorHandle
  StatsAggregatorHandleV2 StoreMinibatchStatisticsInFdo StridedSliceAssign StubResourceHandleOp SyncDevice
  TFRecordDataset TFRecordDatasetV2 TFRecordReader TFRecordReaderV2 TakeManySparseFromTensorsMap TemporaryVariable
  TensorArray TensorArrayGrad TensorArrayGradV2 TensorArrayGradV3 TensorArrayGradWithShape TensorArrayV2 TensorDataset
  TensorSliceDataset TextLineDataset TextLineReader TextLineReaderV2 ThreadPoolDataset ThreadPoolHandle
  ThreadUnsafeUnigramCandidateSampler Timestamp TruncatedNormal Unbatch UniformCandidateSampler Unstage
  UpdateTaskIdAndGlobalCoreArray WholeFileReader WholeFileReaderV2 WorkerHeartbeat WriteFile
  stablehlo.infeed stablehlo.outfeed stablehlo.recv stablehlo.rng stablehlo.send
`
    .trim()
    .split(/\s+/),
);

/** Operations that keep nothing: they read what others change, or call code that no server has. */
const reading =
  /^(ReadFile|MatchingFiles|(Eager)?PyFunc|PyFuncStateless|Timestamp|DeviceIndex|Sleep(Identity)?Op)$/;

/** Operations that only draw numbers. Such runs may overlap. */
const random =
  /^(Random|Multinomial|ParameterizedTruncatedNormal|TruncatedNormal|SampleDistorted|Fractional|stablehlo\.rng$|.*Sampler$)/;

/** True for an operation that only draws random numbers. */
export function draws(operation: string): boolean {
  return effects.has(operation) && random.test(operation);
}

export interface Effect {
  readonly operation: string;
  /**
   * A write leaves something behind: two runs at once may disturb each other. What draws on has a seed: each run takes the
   * numbers behind those of the run before.
   */
  readonly kind: 'writes' | 'reads' | 'draws' | 'draws on';
}

/**
 * Finds an operation with effects. One that writes is preferred, then one that has a seed.
 *
 * @param seeded those that have a seed somewhere
 * @returns undefined if there is none
 */
export function findEffect(operations: Iterable<string>, seeded: ReadonlySet<string>): Effect | undefined {
  const found = [...operations].filter((operation) => effects.has(operation));
  const effectsFound = found.map((operation) => ({ operation, kind: kindOf(operation, seeded) }));
  const ofKind = (wanted: Effect['kind']) => effectsFound.find(({ kind }) => kind === wanted);
  return ofKind('writes') ?? ofKind('draws on') ?? effectsFound[0];
}

function kindOf(operation: string, seeded: ReadonlySet<string>): Effect['kind'] {
  if (draws(operation)) return seeded.has(operation) ? 'draws on' : 'draws';
  return reading.test(operation) ? 'reads' : 'writes';
}
