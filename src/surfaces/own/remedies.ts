/**
 * What our own protocol adds to an error: the path, the request or the page that helps.
 */
import { httpStatusOf, type Remedy, type ServingError } from '../../errors.js';
import { HandlerRefusal } from '../../http/answer/failure.js';

/** An error's message with its remedy. Every 404 of ours says where to look. */
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

/** Paths of other servers, in which the name of a model stands at `model`, and what is to be said of them. */
const routes: readonly (readonly [path: RegExp, whose: string, page?: string])[] = [
  [/^\/v1\/models\/(?<model>[^/:]*)/, 'it is one of TensorFlow Serving, ', 'docs/from-tensorflow-serving.md'],
  [/^\/models\/(?<model>[^/:]+)(?:\/versions\/\d+)?[/:](?:predict|predictions|classify|regress|invoke)$/, ''],
  [/^\/(?:predict|predictions|invocations|invoke)(?:\/(?<model>[^/]+))?$/, ''],
];

/** What stands behind `no route …` for a path that another server has; empty for all others. @param path as it came, escaped */
export function adviceForPath(path: string): string {
  for (const [pattern, whose, page] of routes) {
    const found = pattern.exec(path);
    if (!found) continue;
    const model = found.groups?.['model'] || '{name}';
    const here = model.length > longestName ? '{name}' : model;
    return `: ${whose}here it is /models/${here}/infer${page === undefined ? '' : `, with a body of its own (${page})`}`;
  }
  return '';
}

/** Of a model, escaped; a longer one is not repeated. */
const longestName = 100;
