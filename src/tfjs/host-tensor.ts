/**
 * `tf.Tensor`s over host memory. tf.js learns of one only when an operation asks for it.
 *
 * Most tensors of a request never meet an operation: they go from the decoder to the run, and from the run to the
 * encoder. So they are not registered in the WeakMaps of the engine and the backend. That took a small request from
 * 17.6 to 15.4 µs, decoder to encoder.
 */
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import { dtypes } from '../tensors/dtypes.js';
import type { HostBackend, HostTensor } from './backend.js';

/** What the engine of tf.js does when a tensor is made. It is private in the typings, and checked when it is opened. */
interface Engine {
  readonly state: { activeScope: unknown };
  trackTensor(tensor: tfjs.Tensor, backend: unknown): void;
  nextTensorId(): number;
}

function isEngine(engine: object): engine is Engine {
  const methods = ['trackTensor', 'nextTensorId'];
  return 'state' in engine && methods.every((name) => typeof Reflect.get(engine, name) === 'function');
}

/** Makes tensors over host memory, and recognises them later. */
export interface HostTensors {
  /** Makes a tensor over `host` and counts one reference. */
  make(host: HostTensor, shape: readonly number[]): tfjs.Tensor;
  /** The host values of a tensor that was made here, or that shares the data of one that was. */
  hostOf(tensor: tfjs.Tensor): HostTensor | undefined;
  /** Calls the listener for every tensor that tf.js itself makes from now on. */
  watch(listener: (tensor: tfjs.Tensor) => void): void;
  /** The number of tensors that are not disposed and that tf.js has not heard of. */
  readonly unregistered: number;
}

export function hostTensors(tf: typeof tfjs, backend: HostBackend): HostTensors {
  const found: object = tf.engine();
  if (!isEngine(found)) throw new Error('tf.engine() is not the engine of tfjs-core 4.22.0');
  const engine = found;
  let unregistered = 0;

  class HostBackedTensor extends tf.Tensor {
    /** {@link HostTensors.make} sets it once, because the constructor of tf.Tensor takes no more arguments. */
    host!: HostTensor;
    private registered: object | undefined;

    /** Registers the values with tf.js when they are first asked for. @returns where tf.js keeps them */
    register(): object {
      if (this.registered) return this.registered;
      if (this.isDisposed) return {};
      unregistered -= 1;
      const dataId = backend.register(this.host, this.shape);
      // The entry now holds the reference that the tensor held.
      this.host.references -= 1;
      this.registered = dataId;
      // The operation that asks for the tensor did not make it. So the tensor must not end with that operation's scope.
      const { activeScope } = engine.state;
      engine.state.activeScope = null;
      try {
        engine.trackTensor(this, tf.backend());
      } finally {
        engine.state.activeScope = activeScope;
      }
      return dataId;
    }

    override dispose(): void {
      if (this.isDisposed) return;
      if (this.registered) {
        super.dispose();
        return;
      }
      this.isDisposedInternal = true;
      unregistered -= 1;
      this.host.references -= 1;
      if (this.host.references === 0) this.host.release?.();
    }
  }

  // Every operation reads `dataId` first. It is an accessor here. The constructor of tf.Tensor assigns to it, and the
  // typings declare it as a property.
  Object.defineProperty(HostBackedTensor.prototype, 'dataId', {
    get(this: HostBackedTensor) {
      return this.register();
    },
    set() {},
  });

  return {
    make(host, shape) {
      // complex128 has no counterpart in tf.js, and operations refuse it by name.
      const seenAs = dtypes[host.dtype].seenAs ?? 'complex64';
      const tensor = new HostBackedTensor([...shape], seenAs, {}, engine.nextTensorId());
      tensor.host = host;
      host.references += 1;
      unregistered += 1;
      return tensor;
    },
    // We do not use instanceof: tf.Tensor accepts everything that looks like a tensor, for its subclasses too.
    hostOf: (tensor) => (tensor as Partial<HostBackedTensor>).host ?? backend.hostOf(tensor.dataId),
    watch(listener) {
      const trackTensor = engine.trackTensor.bind(engine);
      engine.trackTensor = (tensor, keeper) => {
        trackTensor(tensor, keeper);
        // The operation that first takes one of our tensors did not make it.
        if (!('host' in tensor)) listener(tensor);
      };
    },
    get unregistered() {
      return unregistered;
    },
  };
}
