/**
 * `tf.Tensor`s over host memory that tf.js hears of only when one of its ops asks for them.
 *
 * Most tensors of a request never meet an op: they go from the decoder to the run, and from the run to the encoder. Not to
 * register them in the engine's and the backend's WeakMaps took a small request from 17.6 to 15.4 µs, decoder to encoder.
 */
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import { dtypes } from '../tensors/dtypes.js';
import type { HostBackend, HostTensor } from './backend.js';

/** What tf.js's engine does when a tensor is made, private in its typings; checked when it is opened. */
interface Engine {
  readonly state: { activeScope: unknown };
  trackTensor(tensor: tfjs.Tensor, backend: unknown): void;
  nextTensorId(): number;
}

function isEngine(engine: object): engine is Engine {
  const methods = ['trackTensor', 'nextTensorId'];
  return 'state' in engine && methods.every((name) => typeof Reflect.get(engine, name) === 'function');
}

/** Makes tensors and knows those it made. */
export interface HostTensors {
  /** A tensor over `host`, which counts it. */
  make(host: HostTensor, shape: readonly number[]): tfjs.Tensor;
  /** What is under a tensor, if it was made here or shares the data of one that was. */
  hostOf(tensor: tfjs.Tensor): HostTensor | undefined;
  /** Tells of every tensor that tf.js itself makes from now on. */
  watch(listener: (tensor: tfjs.Tensor) => void): void;
  /** Tensors that are not disposed and that tf.js has not heard of. */
  readonly unregistered: number;
}

export function hostTensors(tf: typeof tfjs, backend: HostBackend): HostTensors {
  const found: object = tf.engine();
  if (!isEngine(found)) throw new Error('tf.engine() is not the engine of tfjs-core 4.22.0');
  const engine = found;
  let unregistered = 0;

  class HostBackedTensor extends tf.Tensor {
    /** Set once, by {@link make}: tf.Tensor's constructor takes no more arguments. */
    host!: HostTensor;
    private registered: object | undefined;

    /** Where tf.js keeps the values; made when it is first asked for. */
    register(): object {
      if (this.registered) return this.registered;
      if (this.isDisposed) return {};
      unregistered -= 1;
      const dataId = backend.register(this.host, this.shape);
      // The entry has taken over the tensor's own count.
      this.host.references -= 1;
      this.registered = dataId;
      // It was not made by the op that asks for it: the end of that op's scope is not its own.
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

  // What every op begins with. An accessor that tf.Tensor's constructor assigns to, and that its typings know as a property.
  Object.defineProperty(HostBackedTensor.prototype, 'dataId', {
    get(this: HostBackedTensor) {
      return this.register();
    },
    set() {},
  });

  return {
    make(host, shape) {
      // complex128 has no counterpart in tf.js; ops refuse it by name.
      const seenAs = dtypes[host.dtype].seenAs ?? 'complex64';
      const tensor = new HostBackedTensor([...shape], seenAs, {}, engine.nextTensorId());
      tensor.host = host;
      host.references += 1;
      unregistered += 1;
      return tensor;
    },
    // Not by instanceof: tf.Tensor takes all that looks like a tensor for an instance, of its subclasses too.
    hostOf: (tensor) => (tensor as Partial<HostBackedTensor>).host ?? backend.hostOf(tensor.dataId),
    watch(listener) {
      const trackTensor = engine.trackTensor.bind(engine);
      engine.trackTensor = (tensor, keeper) => {
        trackTensor(tensor, keeper);
        // One of ours is heard of when an op first takes it, and was not made by that.
        if (!('host' in tensor)) listener(tensor);
      };
    },
    get unregistered() {
      return unregistered;
    },
  };
}
