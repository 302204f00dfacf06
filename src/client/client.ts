/** The calls of the server. */
import { type RaggedTensor, type SparseTensor, sortOutputs } from './composites.js';
import type { Dict } from './decode.js';
import { dictToBinary, type EncodableDict, inferBody } from './encode.js';
import { RequestError } from './request-error.js';
import type { Tensor } from './tensor.js';
import { type CallOptions, call } from './transport.js';

export interface InferOptions extends CallOptions {
  /** The model; the server's default model if absent. */
  readonly model?: string | undefined;
  /** A version or a label may be given, not both, and only with a model. */
  readonly version?: number | undefined;
  readonly label?: string | undefined;
  readonly signature?: string | undefined;
  /** The outputs to return; all by default. */
  readonly outputs?: readonly string[] | undefined;
}

export interface InferResult {
  readonly model: string;
  readonly version: number;
  readonly generation: number;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** The sparse and ragged outputs. They are not among the others. */
  readonly composites: Readonly<Record<string, SparseTensor | RaggedTensor>>;
}

/** The body of `POST /update_model`, which docs/hot-reload.md describes. */
export interface UpdateRequest {
  readonly model?: string;
  readonly version?: number | 'latest';
  readonly label?: string;
  readonly model_path?: string;
  readonly unload?: true;
  /** The seconds that the server waits until the version serves. */
  readonly timeout?: number;
}

/** The client of one server. It keeps and shares connections as `fetch` does. */
export class Client {
  private readonly url: string;

  /**
   * @param url of the server; a page from the server's own origin may pass `location.origin`
   * @param defaults for every call
   */
  constructor(
    url: string = 'http://127.0.0.1:50000',
    private readonly defaults: CallOptions = {},
  ) {
    this.url = url.replace(/\/+$/, '');
  }

  /**
   * Makes one prediction.
   *
   * @param inputs by name
   * @throws RequestError with the server's code: INVALID_ARGUMENT says what the signature asks for
   */
  async infer(inputs: EncodableDict, options: InferOptions = {}): Promise<InferResult> {
    const { model, version, label, signature, outputs } = options;
    const chosen = { signature, outputs };
    const isBare = isLikeTensor(inputs);
    const body = isBare ? dictToBinary(inputs) : inferBody(inputs, chosen);
    const path = `${inferPath(model, version, label)}${isBare ? queryOf(chosen) : ''}`;
    const answer = await this.call(path, body, options);
    const result = toInferResult(answer);
    if (!result) throw new RequestError('INTERNAL', 'what came is no answer of tfjs-serving');
    return result;
  }

  /**
   * Makes the server look at its folder now (`{}`), or changes what it serves. It needs a key with the scope admin, or
   * a loopback connection.
   *
   * @returns the result: `status` is `pending` if the change is not done within the request's timeout
   */
  updateModel(request: UpdateRequest = {}, options: CallOptions = {}): Promise<Dict> {
    return this.call('/update_model', dictToBinary({ ...request }), options);
  }

  /** The type, device, parameter count and signatures of the default model. */
  modelInfo(options: CallOptions = {}): Promise<Dict> {
    return this.call('/model_info', undefined, options);
  }

  /** Every model with its versions, or the one with this name. */
  models(name?: string, options: CallOptions = {}): Promise<Dict> {
    return this.call(
      name === undefined ? '/models' : `/models/${encodeURIComponent(name)}`,
      undefined,
      options,
    );
  }

  private call(path: string, body: Uint8Array<ArrayBuffer> | undefined, options: CallOptions): Promise<Dict> {
    return call(this.url + path, body, { ...this.defaults, ...options });
  }
}

/** The answer; undefined if something other than our server sent it. */
function toInferResult(answer: Dict): InferResult | undefined {
  const { model, version, generation, outputs } = answer;
  const isAnswer =
    typeof model === 'string' &&
    typeof version === 'number' &&
    typeof generation === 'number' &&
    typeof outputs === 'object' &&
    outputs !== null;
  const sorted = isAnswer ? sortOutputs(outputs as Dict) : undefined;
  return isAnswer && sorted ? { ...answer, model, version, generation, ...sorted } : undefined;
}

/** True for inputs called dtype, shape and data, which an envelope would take for one tensor. */
function isLikeTensor(inputs: EncodableDict): boolean {
  const names = inputs instanceof Map ? [...inputs.keys()] : Object.keys(inputs);
  return names.sort().join() === 'data,dtype,shape';
}

function queryOf({ signature, outputs = [] }: Pick<InferOptions, 'signature' | 'outputs'>): string {
  const query = new URLSearchParams();
  if (signature !== undefined) query.set('signature', signature);
  for (const name of outputs) query.append('outputs', name);
  return `?${query}`;
}

function inferPath(
  model: string | undefined,
  version: number | undefined,
  label: string | undefined,
): string {
  if (model === undefined) {
    if (version !== undefined || label !== undefined)
      throw new TypeError('a version or a label needs the name of its model');
    return '/infer';
  }
  const start = `/models/${encodeURIComponent(model)}`;
  if (version !== undefined) return `${start}/versions/${version}/infer`;
  return label === undefined ? `${start}/infer` : `${start}/labels/${encodeURIComponent(label)}/infer`;
}

/**
 * Sends named values to a URL, and returns the whole answer.
 *
 * @throws RequestError
 */
export async function sendInferenceRequest(
  data: EncodableDict,
  { url = 'http://127.0.0.1:50000/infer', ...options }: CallOptions & { readonly url?: string } = {},
): Promise<Dict> {
  return call(url, dictToBinary(data), options);
}
