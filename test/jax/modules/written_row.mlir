module @m {
  func.func public @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>) {
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %row = stablehlo.constant dense<0.0> : tensor<1x4xf32>
    %r = stablehlo.dynamic_update_slice %x, %row, %zero, %zero : (tensor<?x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
}
