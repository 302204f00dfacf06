/** Makes a folder of models as Triton wants it, with the file that triton_backend.c reads. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Signature, TensorSpec } from '#dist/engines/signature.js';

export interface ServedModel {
  readonly name: string;
  /** The folder of the SavedModel. */
  readonly folder: string;
  readonly signature: Signature;
}

export interface TritonModelSettings {
  readonly instances: number;
  readonly intra: number;
  readonly inter: number;
  readonly maxBatch: number;
  /** In microseconds. */
  readonly delay: number;
}

const dtypes: Readonly<Record<string, string>> = { float32: 'TYPE_FP32', uint8: 'TYPE_UINT8' };

/** The name of the model is always `model`, so that its URL is always the same. */
export async function writeTritonRepository(
  repository: string,
  { folder, signature }: ServedModel,
  { instances, intra, inter, maxBatch, delay }: TritonModelSettings,
): Promise<void> {
  const root = path.join(repository, 'model');
  await mkdir(path.join(root, '1'), { recursive: true });
  await symlink(path.resolve(folder), path.join(root, '1', 'model.savedmodel'));
  const inputs = [...signature.inputs.values()];
  const outputs = [...signature.outputs.values()];
  const config = [
    'backend: "savedmodel"',
    `max_batch_size: ${maxBatch}`,
    ...inputs.map((spec) => `input [${configOf(spec)}]`),
    ...outputs.map((spec) => `output [${configOf(spec)}]`),
    `instance_group [{ kind: KIND_CPU count: ${instances} }]`,
    `dynamic_batching { max_queue_delay_microseconds: ${delay} }`,
  ];
  const session = [
    `threads ${intra} ${inter}`,
    ...inputs.map((spec) => `input ${placeOf(spec)}`),
    ...outputs.map((spec) => `output ${placeOf(spec)}`),
  ];
  await writeFile(path.join(root, 'config.pbtxt'), `${config.join('\n')}\n`);
  await writeFile(path.join(root, 'session.txt'), `${session.join('\n')}\n`);
}

/** Its dims are those of a row. */
function configOf({ name, dtype, shape }: TensorSpec): string {
  const dims = shape?.slice(1).map((dim) => dim ?? -1);
  if (!dims || !dtypes[dtype]) throw new Error(`no Triton tensor for ${name}`);
  return `{ name: "${name}" data_type: ${dtypes[dtype]} dims: [${dims.join(', ')}] }`;
}

/** Writes `state serving_default_state 0`. */
function placeOf({ name, graphName = name }: TensorSpec): string {
  const [operation = '', index = '0'] = graphName.split(':');
  return `${name} ${operation} ${index}`;
}
