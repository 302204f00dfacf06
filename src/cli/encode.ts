/** `tfjs-serving encode`: writes inputs as the CBOR body of a request. */
import { writeFile } from 'node:fs/promises';
import { inferBody } from '../client/encode.js';
import { messageOf, ServingError } from '../errors.js';
import { inputsHelp, readInputs } from './inputs.js';
import { type Command, parseArguments, UsageError } from './usage.js';

export const command: Command = { help, run };

function help(): string {
  return `tfjs-serving encode [flags] name=value… | FILE…: the CBOR body of a request

${inputsHelp}
  --signature NAME the signature meant
  --outputs A,B    the outputs wanted (all)
  --envelope       {"inputs": …} even without these two
  -o, --out FILE   where the body goes (standard output, if that is no terminal)
  --help           this text
`;
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArguments('encode', args, {
    signature: { type: 'string' },
    outputs: { type: 'string' },
    envelope: { type: 'boolean' },
    out: { type: 'string', short: 'o' },
  });
  if (values.out === undefined && process.stdout.isTTY)
    throw new UsageError('CBOR would only confuse a terminal: add -o FILE, or pipe it on');
  const { inputs, ...said } = await readInputs(positionals);
  const body = inferBody(inputs, {
    signature: values.signature ?? said.signature,
    outputs: values.outputs?.split(',') ?? said.outputs,
    envelope: values.envelope,
  });
  if (values.out === undefined) {
    process.stdout.write(body);
    return;
  }
  await writeFile(values.out, body).catch((error) => {
    throw new ServingError('UNAVAILABLE', `${values.out} cannot be written: ${messageOf(error)}`);
  });
}
