/** `tfjs-serving decode`: prints the bodies of requests and answers as text. */
import { binaryToDict, type Dict } from '../client/decode.js';
import { refuseForeignBody } from '../codec/foreign-body.js';
import { isDict, toJson, toText } from './elements.js';
import { readInput } from './input.js';
import { type Command, parseArguments, UsageError } from './usage.js';

export const command: Command = { help, run };

function help(): string {
  return `tfjs-serving decode [flags] [FILE]: the CBOR of a request or an answer, as text

  FILE     the body; - or nothing: standard input
  --json   as JSON, in full; without it more than 1000 elements are abbreviated
  --help   this text
`;
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArguments('decode', args, { json: { type: 'boolean' } });
  const [file = '-', ...more] = positionals;
  if (more.length > 0) throw new UsageError('decode takes one file');
  const body = await readInput(file);
  refuseForeignBody(body);
  process.stdout.write(show(binaryToDict(body), values.json ?? false));
}

/** A request or an answer as text, with a line end. */
export function show(body: Dict, asJson: boolean): string {
  if (asJson) return `${toJson(body)}\n`;
  const { status, error, inputs, outputs, ...others } = body;
  if (status === 'error' && isDict(error)) return `${error['code']}: ${error['message']}\n`;
  if (status === 'ok' && isDict(outputs)) return `${headline(others)}${toText(outputs)}`;
  const isEnvelope = Object.keys(body).every((key) => ['inputs', 'signature', 'outputs'].includes(key));
  if (isEnvelope && isDict(inputs)) return `${headline({ ...others, outputs })}${toText(inputs)}`;
  return toText(body);
}

/** Names the model: `model policy, version 1`. */
function headline(fields: Dict): string {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  const texts = said.map(([key, value]) => `${key} ${typeof value === 'string' ? value : toJson(value)}`);
  return texts.length === 0 ? '' : `${texts.join(', ')}\n`;
}
