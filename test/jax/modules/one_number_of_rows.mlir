module @m {
  func.func public @main(%x: tensor<1x4xf32>) -> (tensor<1x4xf32>) {
    %r = stablehlo.negate %x : tensor<1x4xf32>
    return %r : tensor<1x4xf32>
  }
}
