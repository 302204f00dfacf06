/**
 * The attributes of VHLO's operations. They are needed to read the properties of an operation, which hold no names.
 * Each version of an operation is listed, except operations whose attributes no rule needs.
 */
const convolution = `
  batch_group_count feature_group_count input_batch_dimension input_feature_dimension input_spatial_dimensions
  kernel_input_feature_dimension kernel_output_feature_dimension kernel_spatial_dimensions lhs_dilation
  output_batch_dimension output_feature_dimension output_spatial_dimensions padding precision_config rhs_dilation
  window_reversal window_strides
`;
const customCall = `
  api_version backend_config call_target_name called_computations has_side_effect operand_layouts
  output_operand_aliases result_layouts
`;
const dots = 'lhs_batching_dimensions lhs_contracting_dimensions';
const otherDots = 'rhs_batching_dimensions rhs_contracting_dimensions';

/** The attributes of each operation, in the order of their names. */
const listed: Readonly<Record<string, string>> = {
  batch_norm_inference_v1: 'epsilon feature_index',
  broadcast_in_dim_v1: 'broadcast_dimensions',
  call_v1: 'callee',
  compare_v1: 'compare_type comparison_direction',
  composite_v1: 'composite_attributes decomposition name version',
  composite_v2: 'composite_attributes decomposition name version',
  concatenate_v1: 'dimension',
  constant_v1: 'value',
  convolution_v1: convolution,
  custom_call_v1: customCall,
  custom_call_v2: `${customCall} result_tilings`,
  dot_general_v1: `${dots} precision_config ${otherDots}`,
  dot_general_v2: `
    accumulation_type allow_imprecise_accumulation lhs_batching_dimensions lhs_component_count
    lhs_contracting_dimensions lhs_precision_type num_primitive_operations precision_config rhs_batching_dimensions
    rhs_component_count rhs_contracting_dimensions rhs_precision_type
  `,
  dynamic_broadcast_in_dim_v1:
    'broadcast_dimensions known_expanding_dimensions known_nonexpanding_dimensions',
  dynamic_conv_v1: convolution,
  dynamic_conv_v2: convolution.replace(' padding', ''),
  dynamic_gather_v1: 'collapsed_slice_dims index_vector_dim indices_are_sorted offset_dims start_index_map',
  dynamic_gather_v2: `
    collapsed_slice_dims index_vector_dim indices_are_sorted offset_dims operand_batching_dims start_index_map
    start_indices_batching_dims
  `,
  dynamic_iota_v1: 'iota_dimension',
  dynamic_slice_v1: 'slice_sizes',
  einsum_v1: 'einsum_config',
  fft_v1: 'fft_length fft_type',
  func_v1: 'arg_attrs function_type res_attrs sym_name sym_visibility',
  gather_v1:
    'collapsed_slice_dims index_vector_dim indices_are_sorted offset_dims slice_sizes start_index_map',
  gather_v2: `
    collapsed_slice_dims index_vector_dim indices_are_sorted offset_dims operand_batching_dims slice_sizes
    start_index_map start_indices_batching_dims
  `,
  get_dimension_size_v1: 'dimension',
  iota_v1: 'iota_dimension',
  pad_v1: 'edge_padding_high edge_padding_low interior_padding',
  reduce_v1: 'dimensions',
  reduce_window_v1: 'base_dilations padding window_dilations window_dimensions window_strides',
  reverse_v1: 'dimensions',
  scatter_v1: `
    index_vector_dim indices_are_sorted inserted_window_dims scatter_dims_to_operand_dims unique_indices
    update_window_dims
  `,
  scatter_v2: `
    index_vector_dim indices_are_sorted input_batching_dims inserted_window_dims scatter_dims_to_operand_dims
    scatter_indices_batching_dims unique_indices update_window_dims
  `,
  slice_v1: 'limit_indices start_indices strides',
  sort_v1: 'dimension is_stable',
  transpose_v1: 'permutation',
};

export const attributeNames: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(listed).map(([operation, names]) => [operation, names.trim().split(/\s+/)]),
);
