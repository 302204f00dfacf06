module @m {
  func.func public @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>) {
    %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
    %large = stablehlo.constant dense<65536> : tensor<i32>
    %a = stablehlo.multiply %n, %large : tensor<i32>
    %b = stablehlo.multiply %a, %large : tensor<i32>
    %c = stablehlo.divide %b, %large : tensor<i32>
    %d = stablehlo.divide %c, %large : tensor<i32>
    %start = stablehlo.subtract %n, %d : tensor<i32>
    %start1 = stablehlo.reshape %start : (tensor<i32>) -> tensor<1xi32>
    %zero = stablehlo.constant dense<0> : tensor<1xi32>
    %starts = stablehlo.concatenate %start1, %zero, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
    %n1 = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
    %four = stablehlo.constant dense<4> : tensor<1xi32>
    %limits = stablehlo.concatenate %n1, %four, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
    %ones = stablehlo.constant dense<1> : tensor<2xi32>
    %r = stablehlo.real_dynamic_slice %x, %starts, %limits, %ones : (tensor<?x4xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
}
