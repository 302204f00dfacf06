/**
 * What `serve --help` prints.
 */
import { flagOf, settingNames, settings } from '../config/settings.js';

export function serveHelp(): string {
  const rows: [flag: string, meaning: string][] = settingNames.map((name) => {
    const setting = settings[name];
    const left = `${flagOf(name)} ${setting.value}`.trimEnd();
    return [left, `${setting.help} (${defaultOf(name)})`];
  });
  rows.push([
    '--config FILE',
    'any of these in JSON, as {"model_path": "models", "port": 8080}, or in YAML if it ends in .yaml or .yml',
  ]);
  rows.push(['--help', 'this text']);
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`);
  return [
    'tfjs-serving serve [flags]: serve models until SIGTERM or SIGINT\n',
    ...lines,
    '\nEvery flag is also an environment variable (--model-path: TFJS_SERVING_MODEL_PATH) and a key of the config',
    'file (model_path). Flags come first, then the environment, then the file. SIGHUP reads the file,',
    'certificates and API keys again, and opens the access log anew. Models are watched.\n',
  ].join('\n');
}

function defaultOf(name: (typeof settingNames)[number]): string {
  const setting = settings[name];
  if ('shownDefault' in setting) return setting.shownDefault;
  return String(setting.schema.parse(undefined));
}
