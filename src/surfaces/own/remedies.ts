/** What our own protocol adds to an error: the path, the request or the page that helps. */
import { httpStatusOf, type Remedy, type ServingError } from '../../errors.js';
import { HandlerRefusal } from '../../http/answer/failure.js';

/** An error's message with its remedy. Each of our 404s says where to look. */
export function helpfulMessage(error: ServingError): string {
  const { code, message, remedy } = error;
  if (remedy) return `${message}${help(remedy)}`;
  if (error instanceof HandlerRefusal || httpStatusOf[code] !== 404 || message.includes('/docs'))
    return message;
  return `${message}; see /docs`;
}

function help(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'name a model':
      return ': name one in the path, as /models/NAME/infer or /models/NAME; see /docs';
    case 'list models':
      return ': GET /models lists them; see /docs';
    case 'load':
      return `: POST /update_model ${JSON.stringify({ model: remedy.model })} loads it again`;
    case 'look at a model':
      return `; see /models/${encodeURIComponent(remedy.model)}`;
    case 'send a dtype':
      if (remedy.bytes === undefined) return '';
      return `: send {"dtype": "${remedy.dtype}", "shape": x.shape, "data": ${remedy.bytes}}`;
    case 'look at the paths':
      return `${adviceForPath(remedy.path)}; see /docs for those there are`;
  }
}

/** A path of another server. */
interface ForeignPath {
  /** The pattern. The group `model` matches the name of a model. */
  readonly path: RegExp;
  /** The name of the other server; empty if many servers have this path. */
  readonly whose: string;
  /** Our path for the same, after `/models/NAME`, and what else to say of it. */
  readonly here: string;
}

const infer = '/infer';
const whose = 'it is one of TensorFlow Serving, ';
const page = 'docs/from-tensorflow-serving.md';

const foreignPaths: readonly ForeignPath[] = [
  {
    path: /^\/v1\/models\/(?<model>[^/:]+)[^:]*:/,
    whose,
    here: `${infer}, with a body of its own (${page})`,
  },
  { path: /^\/v1\/models(?:\/(?<model>[^/]+).*)?$/, whose, here: ` (${page})` },
  {
    path: /^\/models\/(?<model>[^/:]+)(?:\/versions\/\d+)?[/:](?:predict|predictions|classify|regress|invoke)$/,
    whose: '',
    here: infer,
  },
  { path: /^\/(?:predict|predictions|invocations|invoke)(?:\/(?<model>[^/]+))?$/, whose: '', here: infer },
];

/**
 * The text after `no route …` for a path that another server has; empty for all others.
 * @param path of the request, escaped
 */
export function adviceForPath(path: string): string {
  for (const foreign of foreignPaths) {
    const found = foreign.path.exec(path);
    if (!found) continue;
    const model = found.groups?.['model'] || '{name}';
    const name = model.length > longestName ? '{name}' : model;
    return `: ${foreign.whose}here it is /models/${name}${foreign.here}`;
  }
  return '';
}

/** The most characters of a model's escaped name. A longer one is not repeated. */
const longestName = 100;
