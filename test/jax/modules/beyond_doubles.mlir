module @m {
  func.func public @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>) {
    %a = stablehlo.constant dense<1152921504606846976> : tensor<i64>
    %b = stablehlo.constant dense<1152921504606846977> : tensor<i64>
    %equal = stablehlo.compare EQ, %a, %b : (tensor<i64>, tensor<i64>) -> tensor<i1>
    %r = "stablehlo.if"(%equal) ({
      %same = stablehlo.negate %x : tensor<?x4xf32>
      stablehlo.return %same : tensor<?x4xf32>
    }, {
      %back = stablehlo.reverse %x, dims = [0] : tensor<?x4xf32>
      stablehlo.return %back : tensor<?x4xf32>
    }) : (tensor<i1>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
}
