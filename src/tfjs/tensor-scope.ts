/**
 * Collects the tensors that a piece of a program makes, so that they can be disposed together.
 *
 * `tf.tidy` does this for functions that never wait. A scope also works for functions that wait, however they
 * interleave.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { tensorFlowJs } from './open.js';
import type { Tensor } from './tensors.js';

const current = new AsyncLocalStorage<TensorScope>();

let isWatching = false;

/** Makes tf.js report the tensors that it makes. This happens once per process. */
function watchTensors(): void {
  if (isWatching) return;
  isWatching = true;
  tensorFlowJs().tensors.watch(addToScope);
}

/** Adds a tensor to the scope that the caller runs in, if there is one. */
export function addToScope(tensor: Tensor): void {
  current.getStore()?.add(tensor);
}

export class TensorScope {
  private readonly tensors = new Set<Tensor>();

  /** @param isFinal makes the scope dispose variables too, and tensors that `tf.keep` was called for */
  constructor(private readonly isFinal = false) {
    watchTensors();
  }

  /** Runs a function. The scope takes the tensors that the function makes, also after it has waited. */
  run<Result>(action: () => Result): Result {
    return current.run(this, action);
  }

  /** Adds a tensor. */
  add(tensor: Tensor): void {
    this.tensors.add(tensor);
  }

  /** Disposes the tensors that are still alive. */
  dispose(): void {
    const { tf } = tensorFlowJs();
    for (const tensor of this.tensors) {
      const isKept = !this.isFinal && (tensor.kept || tensor instanceof tf.Variable);
      if (!tensor.isDisposed && !isKept) tensor.dispose();
    }
    this.tensors.clear();
  }
}
