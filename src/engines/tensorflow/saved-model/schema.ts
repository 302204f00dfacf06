/**
 * saved_model.proto and all that it needs, for protobufjs. Made by scripts/make_saved_model_schema.py.
 *
 * Every field that is not repeated is optional: TensorFlow tells a value that is there from one that is left out.
 */
export const savedModelSchema = `
  syntax = "proto3";
  package tensorflow;
  message SavedModel { optional int64 saved_model_schema_version = 1; repeated MetaGraphDef meta_graphs = 2; }
  message MetaGraphDef { optional MetaGraphDef_MetaInfoDef meta_info_def = 1; optional GraphDef graph_def = 2;
    optional SaverDef saver_def = 3; map<string, CollectionDef> collection_def = 4; map<string, SignatureDef>
    signature_def = 5; repeated AssetFileDef asset_file_def = 6; optional SavedObjectGraph object_graph_def = 7; }
  message MetaGraphDef_MetaInfoDef { optional string meta_graph_version = 1; optional OpList stripped_op_list = 2;
    optional Any any_info = 3; repeated string tags = 4; optional string tensorflow_version = 5; optional string
    tensorflow_git_version = 6; optional bool stripped_default_attrs = 7; map<string, string> function_aliases = 8;
    }
  message OpList { repeated OpDef op = 1; }
  message OpDef { optional string name = 1; repeated OpDef_ArgDef input_arg = 2; repeated OpDef_ArgDef output_arg =
    3; repeated string control_output = 20; repeated OpDef_AttrDef attr = 4; optional OpDeprecation deprecation = 8;
    optional string summary = 5; optional string description = 6; optional bool is_commutative = 18; optional bool
    is_aggregate = 16; optional bool is_stateful = 17; optional bool allows_uninitialized_input = 19; optional bool
    is_distributed_communication = 21; }
  message OpDef_ArgDef { optional string name = 1; optional string description = 2; optional DataType type = 3;
    optional string type_attr = 4; optional string number_attr = 5; optional string type_list_attr = 6; repeated
    ResourceHandleProto_DtypeAndShape handle_data = 7; optional bool is_ref = 16; optional FullTypeDef
    experimental_full_type = 17; }
  enum DataType { DT_INVALID = 0; DT_FLOAT = 1; DT_DOUBLE = 2; DT_INT32 = 3; DT_UINT8 = 4; DT_INT16 = 5; DT_INT8 =
    6; DT_STRING = 7; DT_COMPLEX64 = 8; DT_INT64 = 9; DT_BOOL = 10; DT_QINT8 = 11; DT_QUINT8 = 12; DT_QINT32 = 13;
    DT_BFLOAT16 = 14; DT_QINT16 = 15; DT_QUINT16 = 16; DT_UINT16 = 17; DT_COMPLEX128 = 18; DT_HALF = 19; DT_RESOURCE
    = 20; DT_VARIANT = 21; DT_UINT32 = 22; DT_UINT64 = 23; DT_FLOAT8_E5M2 = 24; DT_FLOAT8_E4M3FN = 25;
    DT_FLOAT8_E4M3FNUZ = 26; DT_FLOAT8_E4M3B11FNUZ = 27; DT_FLOAT8_E5M2FNUZ = 28; DT_INT4 = 29; DT_UINT4 = 30;
    DT_INT2 = 31; DT_UINT2 = 32; DT_FLOAT4_E2M1FN = 33; DT_FLOAT_REF = 101; DT_DOUBLE_REF = 102; DT_INT32_REF = 103;
    DT_UINT8_REF = 104; DT_INT16_REF = 105; DT_INT8_REF = 106; DT_STRING_REF = 107; DT_COMPLEX64_REF = 108;
    DT_INT64_REF = 109; DT_BOOL_REF = 110; DT_QINT8_REF = 111; DT_QUINT8_REF = 112; DT_QINT32_REF = 113;
    DT_BFLOAT16_REF = 114; DT_QINT16_REF = 115; DT_QUINT16_REF = 116; DT_UINT16_REF = 117; DT_COMPLEX128_REF = 118;
    DT_HALF_REF = 119; DT_RESOURCE_REF = 120; DT_VARIANT_REF = 121; DT_UINT32_REF = 122; DT_UINT64_REF = 123;
    DT_FLOAT8_E5M2_REF = 124; DT_FLOAT8_E4M3FN_REF = 125; DT_FLOAT8_E4M3FNUZ_REF = 126; DT_FLOAT8_E4M3B11FNUZ_REF =
    127; DT_FLOAT8_E5M2FNUZ_REF = 128; DT_INT4_REF = 129; DT_UINT4_REF = 130; DT_INT2_REF = 131; DT_UINT2_REF = 132;
    DT_FLOAT4_E2M1FN_REF = 133; }
  message ResourceHandleProto_DtypeAndShape { optional DataType dtype = 1; optional TensorShapeProto shape = 2; }
  message TensorShapeProto { repeated TensorShapeProto_Dim dim = 2; optional bool unknown_rank = 3; }
  message TensorShapeProto_Dim { optional int64 size = 1; optional string name = 2; }
  message FullTypeDef { optional FullTypeId type_id = 1; repeated FullTypeDef args = 2; optional string s = 3;
    optional int64 i = 4; }
  enum FullTypeId { TFT_UNSET = 0; TFT_VAR = 1; TFT_ANY = 2; TFT_PRODUCT = 3; TFT_NAMED = 4; TFT_FOR_EACH = 20;
    TFT_CALLABLE = 100; TFT_TENSOR = 1000; TFT_ARRAY = 1001; TFT_OPTIONAL = 1002; TFT_LITERAL = 1003; TFT_ENCODED =
    1004; TFT_SHAPE_TENSOR = 1005; TFT_BOOL = 200; TFT_UINT8 = 201; TFT_UINT16 = 202; TFT_UINT32 = 203; TFT_UINT64 =
    204; TFT_INT8 = 205; TFT_INT16 = 206; TFT_INT32 = 207; TFT_INT64 = 208; TFT_HALF = 209; TFT_FLOAT = 210;
    TFT_DOUBLE = 211; TFT_BFLOAT16 = 215; TFT_COMPLEX64 = 212; TFT_COMPLEX128 = 213; TFT_STRING = 214; TFT_DATASET =
    10102; TFT_RAGGED = 10103; TFT_ITERATOR = 10104; TFT_MUTEX_LOCK = 10202; TFT_LEGACY_VARIANT = 10203; }
  message OpDef_AttrDef { optional string name = 1; optional string type = 2; optional AttrValue default_value = 3;
    optional string description = 4; optional bool has_minimum = 5; optional int64 minimum = 6; optional AttrValue
    allowed_values = 7; }
  message AttrValue { optional bytes s = 2; optional int64 i = 3; optional float f = 4; optional bool b = 5;
    optional DataType type = 6; optional TensorShapeProto shape = 7; optional TensorProto tensor = 8; optional
    AttrValue_ListValue list = 1; optional NameAttrList func = 10; optional string placeholder = 9; }
  message TensorProto { optional DataType dtype = 1; optional TensorShapeProto tensor_shape = 2; optional int32
    version_number = 3; optional bytes tensor_content = 4; repeated int32 half_val = 13; repeated float float_val =
    5; repeated double double_val = 6; repeated int32 int_val = 7; repeated bytes string_val = 8; repeated float
    scomplex_val = 9; repeated int64 int64_val = 10; repeated bool bool_val = 11; repeated double dcomplex_val = 12;
    repeated ResourceHandleProto resource_handle_val = 14; repeated VariantTensorDataProto variant_val = 15;
    repeated uint32 uint32_val = 16; repeated uint64 uint64_val = 17; optional bytes float8_val = 18; }
  message ResourceHandleProto { optional string device = 1; optional string container = 2; optional string name = 3;
    optional uint64 hash_code = 4; optional string maybe_type_name = 5; repeated ResourceHandleProto_DtypeAndShape
    dtypes_and_shapes = 6; }
  message VariantTensorDataProto { optional string type_name = 1; optional bytes metadata = 2; repeated TensorProto
    tensors = 3; }
  message AttrValue_ListValue { repeated bytes s = 2; repeated int64 i = 3; repeated float f = 4; repeated bool b =
    5; repeated DataType type = 6; repeated TensorShapeProto shape = 7; repeated TensorProto tensor = 8; repeated
    NameAttrList func = 9; }
  message NameAttrList { optional string name = 1; map<string, AttrValue> attr = 2; }
  message OpDeprecation { optional int32 version = 1; optional string explanation = 2; }
  message Any { optional string type_url = 1; optional bytes value = 2; }
  message GraphDef { repeated NodeDef node = 1; optional VersionDef versions = 4; optional int32 version = 3;
    optional FunctionDefLibrary library = 2; optional GraphDebugInfo debug_info = 5; }
  message NodeDef { optional string name = 1; optional string op = 2; repeated string input = 3; optional string
    device = 4; map<string, AttrValue> attr = 5; optional NodeDef_ExperimentalDebugInfo experimental_debug_info = 6;
    optional FullTypeDef experimental_type = 7; }
  message NodeDef_ExperimentalDebugInfo { repeated string original_node_names = 1; repeated string
    original_func_names = 2; }
  message VersionDef { optional int32 producer = 1; optional int32 min_consumer = 2; repeated int32 bad_consumers =
    3; }
  message FunctionDefLibrary { repeated FunctionDef function = 1; repeated GradientDef gradient = 2; repeated
    RegisteredGradient registered_gradients = 3; }
  message FunctionDef { optional OpDef signature = 1; map<string, AttrValue> attr = 5; map<uint32,
    FunctionDef_ArgAttrs> arg_attr = 7; map<uint32, uint32> resource_arg_unique_id = 8; repeated NodeDef node_def =
    3; map<string, string> ret = 4; map<string, string> control_ret = 6; }
  message FunctionDef_ArgAttrs { map<string, AttrValue> attr = 1; }
  message GradientDef { optional string function_name = 1; optional string gradient_func = 2; }
  message RegisteredGradient { optional string gradient_func = 1; optional string registered_op_type = 2; }
  message GraphDebugInfo { repeated string files = 1; map<fixed64, GraphDebugInfo_FileLineCol> frames_by_id = 4;
    map<fixed64, GraphDebugInfo_StackTrace> traces_by_id = 6; map<string, GraphDebugInfo_StackTrace> traces = 2;
    map<string, fixed64> name_to_trace_id = 5; }
  message GraphDebugInfo_FileLineCol { optional int32 file_index = 1; optional int32 line = 2; optional int32 col =
    3; optional string func = 4; optional string code = 5; }
  message GraphDebugInfo_StackTrace { repeated GraphDebugInfo_FileLineCol file_line_cols = 1; repeated fixed64
    frame_id = 2; }
  message SaverDef { optional string filename_tensor_name = 1; optional string save_tensor_name = 2; optional string
    restore_op_name = 3; optional int32 max_to_keep = 4; optional bool sharded = 5; optional float
    keep_checkpoint_every_n_hours = 6; optional SaverDef_CheckpointFormatVersion version = 7; }
  enum SaverDef_CheckpointFormatVersion { LEGACY = 0; V1 = 1; V2 = 2; }
  message CollectionDef { optional CollectionDef_NodeList node_list = 1; optional CollectionDef_BytesList bytes_list
    = 2; optional CollectionDef_Int64List int64_list = 3; optional CollectionDef_FloatList float_list = 4; optional
    CollectionDef_AnyList any_list = 5; }
  message CollectionDef_NodeList { repeated string value = 1; }
  message CollectionDef_BytesList { repeated bytes value = 1; }
  message CollectionDef_Int64List { repeated int64 value = 1; }
  message CollectionDef_FloatList { repeated float value = 1; }
  message CollectionDef_AnyList { repeated Any value = 1; }
  message SignatureDef { map<string, TensorInfo> inputs = 1; map<string, TensorInfo> outputs = 2; optional string
    method_name = 3; map<string, TensorProto> defaults = 4; }
  message TensorInfo { optional string name = 1; optional TensorInfo_CooSparse coo_sparse = 4; optional
    TensorInfo_CompositeTensor composite_tensor = 5; optional DataType dtype = 2; optional TensorShapeProto
    tensor_shape = 3; }
  message TensorInfo_CooSparse { optional string values_tensor_name = 1; optional string indices_tensor_name = 2;
    optional string dense_shape_tensor_name = 3; }
  message TensorInfo_CompositeTensor { optional TypeSpecProto type_spec = 1; repeated TensorInfo components = 2; }
  message TypeSpecProto { optional TypeSpecProto_TypeSpecClass type_spec_class = 1; optional StructuredValue
    type_state = 2; optional string type_spec_class_name = 3; optional int32 num_flat_components = 4; }
  enum TypeSpecProto_TypeSpecClass { UNKNOWN = 0; SPARSE_TENSOR_SPEC = 1; INDEXED_SLICES_SPEC = 2;
    RAGGED_TENSOR_SPEC = 3; TENSOR_ARRAY_SPEC = 4; DATA_DATASET_SPEC = 5; DATA_ITERATOR_SPEC = 6; OPTIONAL_SPEC = 7;
    PER_REPLICA_SPEC = 8; VARIABLE_SPEC = 9; ROW_PARTITION_SPEC = 10; REGISTERED_TYPE_SPEC = 12; EXTENSION_TYPE_SPEC
    = 13; }
  message StructuredValue { optional NoneValue none_value = 1; optional double float64_value = 11; optional sint64
    int64_value = 12; optional string string_value = 13; optional bool bool_value = 14; optional TensorShapeProto
    tensor_shape_value = 31; optional DataType tensor_dtype_value = 32; optional TensorSpecProto tensor_spec_value =
    33; optional TypeSpecProto type_spec_value = 34; optional BoundedTensorSpecProto bounded_tensor_spec_value = 35;
    optional ListValue list_value = 51; optional TupleValue tuple_value = 52; optional DictValue dict_value = 53;
    optional NamedTupleValue named_tuple_value = 54; optional TensorProto tensor_value = 55; optional TensorProto
    numpy_value = 56; }
  message NoneValue {  }
  message TensorSpecProto { optional string name = 1; optional TensorShapeProto shape = 2; optional DataType dtype =
    3; }
  message BoundedTensorSpecProto { optional string name = 1; optional TensorShapeProto shape = 2; optional DataType
    dtype = 3; optional TensorProto minimum = 4; optional TensorProto maximum = 5; }
  message ListValue { repeated StructuredValue values = 1; }
  message TupleValue { repeated StructuredValue values = 1; }
  message DictValue { map<string, StructuredValue> fields = 1; }
  message NamedTupleValue { optional string name = 1; repeated PairValue values = 2; }
  message PairValue { optional string key = 1; optional StructuredValue value = 2; }
  message AssetFileDef { optional TensorInfo tensor_info = 1; optional string filename = 2; }
  message SavedObjectGraph { repeated SavedObject nodes = 1; map<string, SavedConcreteFunction> concrete_functions =
    2; }
  message SavedObject { repeated TrackableObjectGraph_TrackableObject_ObjectReference children = 1; repeated
    TrackableObjectGraph_TrackableObject_ObjectReference dependencies = 15; repeated
    TrackableObjectGraph_TrackableObject_SlotVariableReference slot_variables = 3; optional SavedUserObject
    user_object = 4; optional SavedAsset asset = 5; optional SavedFunction function = 6; optional SavedVariable
    variable = 7; optional SavedBareConcreteFunction bare_concrete_function = 8; optional SavedConstant constant =
    9; optional SavedResource resource = 10; optional CapturedTensor captured_tensor = 12; map<string,
    SaveableObject> saveable_objects = 11; optional string registered_name = 13; optional Any serialized_user_proto
    = 14; optional string registered_saver = 16; }
  message TrackableObjectGraph_TrackableObject_ObjectReference { optional int32 node_id = 1; optional string
    local_name = 2; }
  message TrackableObjectGraph_TrackableObject_SlotVariableReference { optional int32 original_variable_node_id = 1;
    optional string slot_name = 2; optional int32 slot_variable_node_id = 3; }
  message SavedUserObject { optional string identifier = 1; optional VersionDef version = 2; optional string
    metadata = 3; }
  message SavedAsset { optional int32 asset_file_def_index = 1; }
  message SavedFunction { repeated string concrete_functions = 1; optional FunctionSpec function_spec = 2; }
  message FunctionSpec { optional StructuredValue fullargspec = 1; optional bool is_method = 2; optional
    StructuredValue input_signature = 5; optional FunctionSpec_JitCompile jit_compile = 6; }
  enum FunctionSpec_JitCompile { DEFAULT = 0; ON = 1; OFF = 2; }
  message SavedVariable { optional DataType dtype = 1; optional TensorShapeProto shape = 2; optional bool trainable
    = 3; optional VariableSynchronization synchronization = 4; optional VariableAggregation aggregation = 5;
    optional string name = 6; optional string device = 7; repeated SavedVariable
    experimental_distributed_variable_components = 8; }
  enum VariableSynchronization { VARIABLE_SYNCHRONIZATION_AUTO = 0; VARIABLE_SYNCHRONIZATION_NONE = 1;
    VARIABLE_SYNCHRONIZATION_ON_WRITE = 2; VARIABLE_SYNCHRONIZATION_ON_READ = 3; }
  enum VariableAggregation { VARIABLE_AGGREGATION_NONE = 0; VARIABLE_AGGREGATION_SUM = 1; VARIABLE_AGGREGATION_MEAN
    = 2; VARIABLE_AGGREGATION_ONLY_FIRST_REPLICA = 3; }
  message SavedBareConcreteFunction { optional string concrete_function_name = 1; repeated string argument_keywords
    = 2; optional int64 allowed_positional_arguments = 3; optional FunctionSpec function_spec = 4; }
  message SavedConstant { optional string operation = 1; }
  message SavedResource { optional string device = 1; }
  message CapturedTensor { optional string name = 1; optional string concrete_function = 2; }
  message SaveableObject { optional int32 save_function = 2; optional int32 restore_function = 3; }
  message SavedConcreteFunction { repeated int32 bound_inputs = 2; optional StructuredValue
    canonicalized_input_signature = 3; optional StructuredValue output_signature = 4; }
`;
