/**
 * Runs a bundled handler as a module that the garbage collector can free. An imported module would stay for the life of
 * the process.
 */
import { createRequire, isBuiltin, SourceMap } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import { messageOf, ServingError } from '../errors.js';
import type { Bundle } from './bundle.js';
import type { Handler } from './handler.js';

type Module = { exports: Record<string, unknown> };

const parts = ['load', 'preprocess', 'predict', 'postprocess', 'warmup', 'routes'] as const;
const fields = [...parts, 'signature', 'batch'] as const;

/**
 * Runs the module's own code.
 *
 * @param provide returns the server's own packages
 * @throws ServingError INVALID_ARGUMENT for an export that no handler has; whatever its code throws
 */
export function evaluate(bundle: Bundle, provide: (specifier: string) => unknown): Handler<unknown> {
  const { file, code } = bundle;
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {\n${code}\n})`, {
    filename: nameOf(bundle),
    lineOffset: -1,
  });
  const builtins = createRequire(file);
  const require = (specifier: string) => (isBuiltin(specifier) ? builtins(specifier) : provide(specifier));
  const module: Module = { exports: {} };
  const run = script.runInThisContext() as (...args: unknown[]) => void;
  run(module.exports, require, module, file, path.dirname(file));
  return check(module.exports);
}

/** The name of the script in stack traces. It differs between two bundles of one file. */
function nameOf({ file, digest }: Bundle): string {
  return `${file}?${digest.slice(0, 8)}`;
}

function check(exports: Record<string, unknown>): Handler<unknown> {
  const isDefault = typeof exports['default'] === 'object' && exports['default'] !== null;
  const handler = (isDefault ? exports['default'] : exports) as Record<string, unknown>;
  for (const name of parts) {
    if (handler[name] !== undefined && typeof handler[name] !== 'function')
      throw new ServingError('INVALID_ARGUMENT', `the handler's \`${name}\` is no function`);
  }
  if (!fields.some((name) => handler[name] !== undefined))
    throw new ServingError('INVALID_ARGUMENT', `the handler exports none of ${fields.join(', ')}`);
  return handler;
}

/** True if the error's stack has a place in the handler. */
export function isFrom(error: unknown, bundle: Bundle): boolean {
  return error instanceof Error && (error.stack ?? '').includes(nameOf(bundle));
}

/** Describes an error in a handler, with places in its own files: `handler.ts:12:9`. */
export function locate(error: unknown, bundle: Bundle): { message: string; stack: string } {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const name = nameOf(bundle);
  const map = new SourceMap(JSON.parse(bundle.map));
  const folder = path.dirname(bundle.file);
  let first: string | undefined;
  const mapped = stack.replaceAll(
    new RegExp(`${escaped(name)}:(\\d+):(\\d+)`, 'g'),
    (_, line: string, column: string) => {
      const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
      if (!('originalSource' in entry) || entry.originalSource === undefined) return `${bundle.file}:${line}`;
      const place = `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
      first ??= place;
      return path.resolve(folder, place);
    },
  );
  return {
    message: first === undefined ? messageOf(error) : `${messageOf(error)} (${first})`,
    stack: mapped,
  };
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
