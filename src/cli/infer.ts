/** `tfjs-serving infer`: makes one prediction with inputs from the command line, and prints it. */
import { Client } from '../client/client.js';
import { greatestVersion, versionOf } from '../stores/version-name.js';
import { show } from './decode.js';
import { inputsHelp, readInputs } from './inputs.js';
import { type Command, parseArguments, UsageError } from './usage.js';

export const command: Command = { help, run };

const defaultTimeout = 120;

function help(): string {
  return `tfjs-serving infer [flags] URL name=value… | FILE…: asks a server for a prediction

  URL              of the server, as http://127.0.0.1:50000
${inputsHelp}
  --model NAME     the server's default model
  --version N      its newest version that serves
  --signature NAME the server's default signature
  --outputs A,B    the outputs wanted (all)
  --api-key KEY    sent as X-API-Key
  --timeout SECONDS for all of it (${defaultTimeout})
  --json           the answer as JSON, in full
  --help           this text
`;
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArguments('infer', args, {
    model: { type: 'string' },
    version: { type: 'string' },
    signature: { type: 'string' },
    outputs: { type: 'string' },
    'api-key': { type: 'string' },
    timeout: { type: 'string', default: String(defaultTimeout) },
    json: { type: 'boolean' },
  });
  const [url = '', ...rest] = positionals;
  if (!/^https?:\/\//.test(url))
    throw new UsageError('infer takes the address of a server first, as http://127.0.0.1:50000');
  const version = readVersion(values.version);
  if (version !== undefined && values.model === undefined) throw new UsageError('--version needs --model');
  const { inputs, signature, outputs } = await readInputs(rest);
  const {
    outputs: tensors,
    composites,
    ...answer
  } = await new Client(url.replace(/\/infer\/?$/, '')).infer(inputs, {
    model: values.model,
    version,
    signature: values.signature ?? signature,
    outputs: values.outputs?.split(',') ?? outputs,
    apiKey: values['api-key'],
    timeout: positive('--timeout', values.timeout),
  });
  process.stdout.write(show({ ...answer, outputs: { ...tensors, ...composites } }, values.json ?? false));
}

function readVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const version = versionOf(text);
  if (version === undefined)
    throw new UsageError(`--version ${text}: expected a whole number from 0 to ${greatestVersion}`);
  return version;
}

function positive(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number)))
    throw new UsageError(`${flag} ${text}: must be a number above 0`);
  return number;
}
