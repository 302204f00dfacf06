/**
 * The server's calls.
 */
import { type RaggedTensor, type SparseTensor, sortOutputs } from './composites.js';
import type { Dict } from './decode.js';
import { dictToBinary, type EncodableDict, inferBody } from './encode.js';
import { RequestError } from './request-error.js';
import type { Tensor } from './tensor.js';
import { type CallOptions, call } from './transport.js';

export interface InferOptions extends CallOptions {
  /** The default model by default. */
  readonly model?: string | undefined;
  /** At most one of version and label, with a model. */
  readonly version?: number | undefined;
  readonly label?: string | undefined;
  readonly signature?: string | undefined;
  /** The outputs to give; all by default. */
  readonly outputs?: readonly string[] | undefined;
}

export interface InferResult {
  readonly model: string;
  readonly version: number;
  readonly generation: number;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** The outputs that are sparse or ragged, which are not among the others. */
  readonly composites: Readonly<Record<string, SparseTensor | RaggedTensor>>;
}

/** What `POST /update_model` takes: see the README. */
export interface UpdateRequest {
  readonly model?: string;
  readonly version?: number | 'latest';
  readonly label?: string;
  readonly model_path?: string;
  readonly unload?: true;
  /** Seconds that the server waits until it serves. */
  readonly timeout?: number;
}

/** Of a server. Connections are kept and shared, as `fetch` does. */
export class Client {
  private readonly url: string;

  /**
   * @param url where the server is; a page that the server's own origin gave out may say `location.origin`
   * @param defaults for every call
   */
  constructor(
    url: string = 'http://127.0.0.1:50000',
    private readonly defaults: CallOptions = {},
  ) {
    this.url = url.replace(/\/+$/, '');
  }

  /**
   * One prediction.
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
   * Has the server look at its folder now (`{}`), or changes what it serves. It needs a key of scope admin, or loopback.
   *
   * @returns what became of it: `status` is `pending` if it is not done within the request's timeout
   */
  updateModel(request: UpdateRequest = {}, options: CallOptions = {}): Promise<Dict> {
    return this.call('/update_model', dictToBinary({ ...request }), options);
  }

  /** Type, device, parameter count and signatures of the default model. */
  modelInfo(options: CallOptions = {}): Promise<Dict> {
    return this.call('/model_info', undefined, options);
  }

  /** Every model with its versions, or only the one of this name. */
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

/** Undefined if something else listens there. */
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

/** True of inputs called dtype, shape and data, which would be one tensor within an envelope. */
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
 * Sends named values to an address and gives back the whole answer.
 *
 * @throws RequestError
 */
export async function sendInferenceRequest(
  data: EncodableDict,
  { url = 'http://127.0.0.1:50000/infer', ...options }: CallOptions & { readonly url?: string } = {},
): Promise<Dict> {
  return call(url, dictToBinary(data), options);
}
