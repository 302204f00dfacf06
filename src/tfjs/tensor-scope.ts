/**
 * The tensors that a piece of a program makes, so that they can be given back when it is over: what `tf.tidy` does for
 * functions that never wait, for those that do as well, however they interleave.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { tensorFlowJs } from './open.js';
import type { Tensor } from './tensors.js';

const current = new AsyncLocalStorage<TensorScope>();

let isWatching = false;

/** Has tf.js tell of the tensors that it makes. Once per process. */
function watchTensors(): void {
  if (isWatching) return;
  isWatching = true;
  tensorFlowJs().tensors.watch(addToScope);
}

/** Takes a tensor into the scope that the caller runs in, if it runs in one. */
export function addToScope(tensor: Tensor): void {
  current.getStore()?.add(tensor);
}

export class TensorScope {
  private readonly tensors = new Set<Tensor>();

  /** @param isFinal disposes also variables and what `tf.keep` was asked to keep */
  constructor(private readonly isFinal = false) {
    watchTensors();
  }

  /** Runs a function whose tensors are the scope's, also those that it makes after it has waited. */
  run<Result>(action: () => Result): Result {
    return current.run(this, action);
  }

  /** Takes a tensor in. */
  add(tensor: Tensor): void {
    this.tensors.add(tensor);
  }

  /** Disposes what was made and is still there. */
  dispose(): void {
    const { tf } = tensorFlowJs();
    for (const tensor of this.tensors) {
      const isKept = !this.isFinal && (tensor.kept || tensor instanceof tf.Variable);
      if (!tensor.isDisposed && !isKept) tensor.dispose();
    }
    this.tensors.clear();
  }
}
