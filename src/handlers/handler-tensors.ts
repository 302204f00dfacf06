/** Tensors on their way into a handler and out of it: objects of `tf.Tensor`s there, dtypes of the graph outside. */
import type { WireLimits } from '../codec/wire.js';
import type { RunOptions } from '../engines/inference-model.js';
import { formatSpec, type Signature, type TensorSpec } from '../engines/signature.js';
import { invalidArgument, listed, messageOf } from '../errors.js';
import { inputTensor } from '../inference/in-process-inputs.js';
import { noOutputs } from '../serving/admitted.js';
import { inputOf, joinTensors } from '../tfjs/rows.js';
import type { TensorScope } from '../tfjs/tensor-scope.js';
import {
  disposeTensors,
  type NamedTensors,
  reshapeTensor,
  type Tensor,
  viewTensor,
} from '../tfjs/tensors.js';
import type { Tensors } from './handler.js';

/** Joins the inputs of the members into one set of tensors. The scope disposes those that are made here. */
export function toTensors(
  members: readonly NamedTensors[],
  { padding }: RunOptions,
  scope: TensorScope,
): Tensors {
  const [first] = members as [NamedTensors];
  return toObject(
    new Map(
      Array.from(first.keys(), (name) => [
        name,
        joinTensors(inputOf(name, members), padding, (tensor) => scope.add(tensor)),
      ]),
    ),
  );
}

export function toObject(tensors: NamedTensors): Tensors {
  const object: Record<string, Tensor> = Object.create(null);
  for (const [name, tensor] of tensors) object[name] = tensor;
  return object;
}

export function checkTensors(value: unknown, part: string): Tensors {
  const isObject = typeof value === 'object' && value !== null;
  const odd = isObject ? Object.entries(value).find(([, each]) => !isTensor(each))?.[0] : '';
  if (isObject && odd === undefined) return value as Tensors;
  throw new TypeError(
    isObject
      ? `\`${part}\` gave \`${odd}\`, which is no tensor`
      : `\`${part}\` must give an object of tensors, as { y: tensor }`,
  );
}

function isTensor(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'dataSync' in value && 'shape' in value;
}

/** Converts tensors to the dtypes of the graph, since tf.js has fewer. */
export function toGraphInputs(signature: Signature, inputs: Tensors, limits: WireLimits): NamedTensors {
  const matched = new Map<string, Tensor>();
  try {
    for (const spec of signature.inputs.values()) {
      const tensor = inputs[spec.name];
      if (!tensor) throw new TypeError(`expected an input \`${spec.name}\` for the model, got none`);
      matched.set(spec.name, toSpec('an input of the model', tensor, spec, limits));
    }
    return matched;
  } catch (error) {
    disposeTensors(matched);
    throw error;
  }
}

/** The outputs as tensors that belong to the caller, whoever made them. */
export function takeOutputs(
  outputs: Tensors,
  signature: Signature,
  selection: readonly string[] | undefined,
  limits: WireLimits,
): NamedTensors {
  const taken = new Map<string, Tensor>();
  const names =
    selection ?? (signature.outputs.size > 0 ? [...signature.outputs.keys()] : Object.keys(outputs));
  try {
    for (const name of names) {
      const tensor = outputs[name];
      // Without a signature for this output, the caller could not know that the handler does not make it.
      if (!tensor && selection && !signature.outputs.has(name))
        throw invalidArgument(
          `${noOutputs(names.filter((each) => !outputs[each]))}; the handler gave ${listed(Object.keys(outputs))}`,
        );
      if (!tensor) throw new TypeError(`the handler gave no output \`${name}\``);
      const spec = signature.outputs.get(name);
      taken.set(name, spec ? toSpec('an output', tensor, spec, limits) : reshapeTensor(tensor, tensor.shape));
    }
    return taken;
  } catch (error) {
    disposeTensors(taken);
    throw error;
  }
}

/**
 * Converts a tensor to the dtype of a spec.
 * @throws TypeError if it does not fit, since that is the handler's fault and not the caller's
 */
function toSpec(what: string, tensor: Tensor, spec: TensorSpec, limits: WireLimits): Tensor {
  let converted: Tensor;
  try {
    converted = inputTensor(tensor, spec, limits);
  } catch (error) {
    throw new TypeError(`${what} does not fit: ${messageOf(error)}`);
  }
  const { dtype } = viewTensor(converted);
  if (dtype === spec.dtype) return converted;
  converted.dispose();
  throw new TypeError(`${what} does not fit: \`${spec.name}\` is ${dtype} where ${formatSpec(spec)} must be`);
}
