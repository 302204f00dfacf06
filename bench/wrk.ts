/** Makes load with wrk (Debian's package of that name), in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cpuSeconds } from './process.ts';

export interface Load {
  readonly url: string;
  /** Paths that are asked in turn, instead of the one in the address. */
  readonly paths?: readonly string[];
  readonly bodyFile: string;
  /** The headers; those of a CBOR request by default. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

/** Latencies are in milliseconds. */
export interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly failures: number;
  readonly requests: number;
  /** The CPU seconds of the client itself. */
  readonly clientCpu: number;
}

const script = `
local file = io.open(os.getenv("BODY_FILE"), "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
for name, value in os.getenv("HEADERS"):gmatch("([^:\\n]+): ([^\\n]*)") do wrk.headers[name] = value end
if os.getenv("PATHS") then
  local requests, turn = {}, 0
  function init()
    for path in os.getenv("PATHS"):gmatch("%S+") do requests[#requests + 1] = wrk.format(nil, path) end
  end
  function request()
    turn = turn % #requests + 1
    return requests[turn]
  end
end
function done(summary, latency)
  local errors = summary.errors
  local kinds = { "status", "connect", "read", "write", "timeout" }
  for _, kind in ipairs(kinds) do
    if errors[kind] > 0 then io.stderr:write(string.format("wrk: %d of %s\\n", errors[kind], kind)) end
  end
  io.write(string.format('JSON {"perSecond":%f,"p50":%f,"p99":%f,"p999":%f,"requests":%d,"failures":%d}\\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency:percentile(99.9) / 1e3, summary.requests,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
`;

const scriptFile = path.join(tmpdir(), `tfjs-serving-wrk-${process.pid}.lua`);
await writeFile(scriptFile, script);

/** @throws Error if wrk is not installed */
export async function wrk(load: Load): Promise<Measured> {
  const {
    url,
    paths,
    bodyFile,
    headers = { 'content-type': 'application/cbor' },
    connections,
    seconds,
  } = load;
  if (!Number.isInteger(seconds)) throw new Error(`wrk takes whole seconds, not ${seconds}`);
  const headerLines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', scriptFile, url];
  const settings = {
    BODY_FILE: bodyFile,
    HEADERS: headerLines.join('\n'),
    ...(paths && { PATHS: paths.join(' ') }),
  };
  const child = spawn('wrk', args, {
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.on('error', () => {
    throw new Error('the benchmark needs wrk: install the package of that name');
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  let clientCpu = 0;
  const watch = setInterval(() => {
    clientCpu = cpuSeconds(child.pid ?? 0) ?? clientCpu;
  }, 50);
  await once(child, 'close');
  clearInterval(watch);
  const line = output.split('\n').find((each) => each.startsWith('JSON '));
  if (!line) throw new Error(`wrk said: ${output}`);
  return { ...JSON.parse(line.slice('JSON '.length)), clientCpu };
}
