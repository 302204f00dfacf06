module @m {
  func.func public @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>) {
    %r = func.call @f0(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f0(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f1(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f1(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f1(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f2(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f2(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f2(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f3(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f3(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f3(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f4(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f4(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f4(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f5(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f5(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f5(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f6(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f6(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f6(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f7(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f7(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f7(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f8(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f8(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f8(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f9(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f9(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f9(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f10(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f10(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f10(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f11(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f11(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f11(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f12(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f12(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f12(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f13(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f13(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f13(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f14(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f14(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f14(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f15(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f15(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f15(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f16(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f16(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f16(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f17(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f17(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f17(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f18(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f18(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f18(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f19(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f19(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f19(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f20(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f20(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f20(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f21(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f21(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f21(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f22(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f22(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f22(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f23(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f23(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f23(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f24(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f24(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f24(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f25(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f25(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f25(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f26(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f26(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f26(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f27(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f27(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f27(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f28(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f28(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f28(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f29(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f29(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f29(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f30(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f30(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f30(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f31(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f31(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f31(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f32(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f32(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f32(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f33(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f33(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f33(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f34(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f34(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f34(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f35(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f35(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f35(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f36(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f36(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f36(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f37(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f37(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f37(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f38(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f38(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f38(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f39(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f39(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f39(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %a = func.call @f40(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = func.call @f40(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return %r : tensor<?x4xf32>
  }
  func.func private @f40(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    return %x : tensor<?x4xf32>
  }
}
