module @m {
  func.func public @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>) {
    %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %i, %r = stablehlo.while(%a = %zero, %b = %x) : tensor<i32>, tensor<?x4xf32>
    cond {
    %go = stablehlo.compare LT, %a, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %go : tensor<i1>
    } do {
    %next = stablehlo.add %a, %one : tensor<i32>
    %more = stablehlo.add %b, %b : tensor<?x4xf32>
    stablehlo.return %next, %more : tensor<i32>, tensor<?x4xf32>
    }
    return %r : tensor<?x4xf32>
  }
}
