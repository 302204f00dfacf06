module @m {
  func.func public @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>) {
    %first = stablehlo.slice %x [0:1, 0:1] : (tensor<?x4xf32>) -> tensor<1x1xf32>
    %scalar = stablehlo.reshape %first : (tensor<1x1xf32>) -> tensor<f32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %p = stablehlo.compare GT, %scalar, %zero : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %r = "stablehlo.if"(%p) ({
    %y = stablehlo.negate %x : tensor<?x4xf32>
    stablehlo.return %y : tensor<?x4xf32>
    }, {
    stablehlo.return %x : tensor<?x4xf32>
    }) : (tensor<i1>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
}
