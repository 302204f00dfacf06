module @m {
  func.func public @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>) {
    %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
    %two = stablehlo.constant dense<2> : tensor<i32>
    %many = stablehlo.compare GE, %n, %two : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %r = "stablehlo.if"(%many) ({
    %y = stablehlo.negate %x : tensor<?x4xf32>
    stablehlo.return %y : tensor<?x4xf32>
    }, {
    stablehlo.return %x : tensor<?x4xf32>
    }) : (tensor<i1>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
}
