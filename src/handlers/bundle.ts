/** Bundles a handler's file and everything it imports into one script. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ServingError } from '../errors.js';
import type { HandlerFiles } from '../stores/folder/handler-file.js';

export interface Bundle {
  /** The handler's own file. */
  readonly file: string;
  /** The code, as a CommonJS module. */
  readonly code: string;
  /** The source map, in JSON. */
  readonly map: string;
  /** Changes when the code does. */
  readonly digest: string;
  /** Every file that is in the bundle. */
  readonly inputs: readonly string[];
}

/** Packages that are not bundled. The server provides its own when the handler asks for them. */
const providedPackages = ['@tensorflow/*', 'tfjs-serving', 'tfjs-serving/*', '@koa/router'];

/** Bundles handlers. It keeps a bundle until one of its files changes. */
export class HandlerBundles implements HandlerFiles {
  onFiles: (files: readonly string[]) => void = () => {};
  private readonly bundles = new Map<string, { facts: string; bundle: Bundle }>();

  /** @param defaultFile is for versions that have no handler of their own */
  constructor(readonly defaultFile: string | undefined) {}

  /** @throws ServingError (rejects) INVALID_ARGUMENT with the place where the handler does not compile */
  async bundle(where: string): Promise<Bundle> {
    const file = path.resolve(where);
    const known = this.bundles.get(file);
    if (known && (await factsOf(known.bundle.inputs)) === known.facts) return known.bundle;
    const bundle = await build(file);
    this.onFiles(bundle.inputs);
    // The facts are taken after the build. A file that changed meanwhile causes another build.
    this.bundles.set(file, { bundle, facts: await factsOf(bundle.inputs) });
    return bundle;
  }

  async digest(file: string): Promise<string> {
    try {
      return (await this.bundle(file)).digest;
    } catch (error) {
      return digestOf(messageOf(error));
    }
  }
}

async function factsOf(files: readonly string[]): Promise<string> {
  const facts = files.map(async (file) => {
    const { size, ctimeNs, ino } = await stat(file, { bigint: true });
    return `${file}\0${size}\0${ctimeNs}\0${ino}`;
  });
  return Promise.all(facts).then(
    (all) => all.join('\n'),
    () => '',
  );
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

async function build(file: string): Promise<Bundle> {
  const esbuild = await import('esbuild');
  const folder = path.dirname(file);
  try {
    const { outputFiles, metafile } = await esbuild.build({
      entryPoints: [file],
      absWorkingDir: folder,
      outdir: folder,
      bundle: true,
      write: false,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      sourcemap: 'external',
      sourcesContent: false,
      metafile: true,
      external: providedPackages,
      logLevel: 'silent',
    });
    const code = outputFiles.find((output) => output.path.endsWith('.js'))?.text ?? '';
    const map = outputFiles.find((output) => output.path.endsWith('.map'))?.text ?? '';
    const inputs = Object.keys(metafile.inputs).map((input) => path.resolve(folder, input));
    return { file, code, map, digest: digestOf(code), inputs };
  } catch (error) {
    throw new ServingError('INVALID_ARGUMENT', `the handler does not compile: ${describe(error)}`);
  }
}

/** Describes an error of the compiler: `handler.ts:3:7: Expected ";" but found "x"`. */
function describe(error: unknown): string {
  const [first] = (error as { errors?: readonly Message[] }).errors ?? [];
  if (!first) return messageOf(error);
  const { location, text } = first;
  return location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text;
}

interface Message {
  readonly text: string;
  readonly location: { readonly file: string; readonly line: number; readonly column: number } | null;
}
