/** Reads API keys that stand one a line, each for everything or after its scopes. */
import { quoted, ServingError } from '../../errors.js';
import { didYouMean, nearest } from '../../handwritten/nearest.js';
import { defaultId, digestOf, type Grant, keyScopes } from './api-keys.js';

/**
 * @param lines each have one key for everything, or `scope+scope:key` for these scopes; empty lines and lines that
 * begin with `#` are skipped
 * @throws ServingError INVALID_ARGUMENT for a scope without a key, an unknown scope, or a key that no header can carry
 */
export function grantsOfLines(lines: readonly string[]): Grant[] {
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(parseLine);
}

function parseLine(line: string): Grant {
  const separator = line.indexOf(':');
  const names = separator < 0 ? [] : line.slice(0, separator).split('+');
  const named = keyScopes.filter((scope) => names.includes(scope));
  // A key may itself have a colon. The text before it counts as scopes only if all of it is scopes.
  const isScoped = named.length > 0 && named.length === names.length;
  if (!isScoped) refuseMistyped(names);
  const key = isScoped ? line.slice(separator + 1) : line;
  if (key === '')
    throw new ServingError('INVALID_ARGUMENT', `an API key is empty after its scopes ${names.join('+')}`);
  // The key stays out of the message, which may end up in a log.
  if (!isSendable(key))
    throw new ServingError(
      'INVALID_ARGUMENT',
      'an API key holds a space or a letter beyond ASCII: no header carries it',
    );
  const digest = digestOf(key);
  return { digest, id: defaultId(digest), scopes: isScoped ? named : keyScopes, isLine: true };
}

/** True for a key that every header can carry. */
export function isSendable(key: string): boolean {
  return /^[\x21-\x7e]+$/.test(key);
}

/** Refuses a line whose scope is mistyped. Otherwise it would be a key for everything. */
function refuseMistyped(names: readonly string[]): void {
  const isScope = (name: string) => keyScopes.some((scope) => scope === name);
  if (!names.some((name) => nearest(name, keyScopes) !== undefined)) return;
  const wrong = names.find((name) => !isScope(name)) ?? '';
  throw new ServingError(
    'INVALID_ARGUMENT',
    `expected the scopes ${keyScopes.join(', ')} before the colon of an API key, got ${quoted(wrong)}${didYouMean(wrong, keyScopes)}; ` +
      `if your key itself contains a colon, put all scopes before it: ${keyScopes.join('+')}:KEY`,
  );
}
