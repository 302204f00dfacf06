/**
 * Finds the signature that is meant when a request names none, and decides whether a version may take the place of
 * another that has one.
 */

import type { Signature, UnusableSignature } from '../engines/signature.js';
import { listed, ServingError } from '../errors.js';

type Signatures = ReadonlyMap<string, Signature>;

/** The names for the default signature, in the order in which they count. */
export interface DefaultNames {
  /** The value of `default_signature` in the model's `serving.json`. */
  readonly configured: string | undefined;
  /** The value of `--signature`. */
  readonly flag: string;
}

/** The signature with the first name that the model has, or its only signature. */
export function chooseDefault(
  signatures: Signatures,
  { configured = '', flag }: DefaultNames,
): Signature | undefined {
  return signatures.get(configured) ?? signatures.get(flag) ?? onlyOne(signatures);
}

function onlyOne(signatures: Signatures): Signature | undefined {
  return signatures.size === 1 ? [...signatures.values()][0] : undefined;
}

/** The version that serves before another takes over. */
export interface Predecessor {
  readonly version: number;
  readonly defaultSignature: Signature | undefined;
}

/**
 * Refuses a version that cannot answer requests, or that cannot answer requests without a signature name as its
 * predecessor does.
 *
 * @param unusable are its signatures that cannot be served
 * @throws ServingError FAILED_PRECONDITION with the signatures there are
 */
export function checkSignatures(
  signatures: Signatures,
  unusable: readonly UnusableSignature[],
  names: DefaultNames,
  predecessor: Predecessor | undefined,
): void {
  const reason =
    signatures.size === 0
      ? whyNone(unusable)
      : predecessor && whyNotAfter(predecessor, signatures, names, unusable);
  if (reason !== undefined) throw new ServingError('FAILED_PRECONDITION', reason);
}

function whyNone(unusable: readonly UnusableSignature[]): string {
  const none = 'it has no signature that can be served';
  if (unusable.length === 0) return `${none}: export it with \`signatures\``;
  return `${none}: ${listReasons(unusable)}`;
}

/** The most signatures that a message names. */
const mostNamed = 5;

/** Lists reasons: `` `a`: output `y` is quint8, which cannot travel; `b`: … ``. */
export function listReasons(unusable: readonly UnusableSignature[]): string {
  const reasons = unusable.slice(0, mostNamed).map(({ name, why }) => `\`${name}\`: ${why}`);
  if (unusable.length > mostNamed) reasons.push(`and ${unusable.length - mostNamed} more`);
  return reasons.join('; ');
}

/** Says why requests without a signature name would fail, or would mean another signature, from then on. */
export function whyNotAfter(
  { version, defaultSignature: before }: Predecessor,
  signatures: Signatures,
  names: DefaultNames,
  unusable: readonly UnusableSignature[] = [],
): string | undefined {
  if (!before) return undefined;
  const chosen = chooseDefault(signatures, names);
  // The version also has the predecessor's signature. If it prefers another name, somebody configured that.
  if (chosen && (signatures.has(before.name) || chosen.name === names.configured)) return undefined;
  const lack = chosen ? '' : ', none of them the default';
  const own = unusable.find(({ name }) => name === before.name);
  const why = own
    ? `; the one of that name cannot be served: ${own.why}`
    : ": export it under the same name, or name another as `default_signature` in the model's serving.json";
  return (
    `version ${version} serves the signature \`${before.name}\` by default, and this version has ` +
    `${listed(signatures.keys())}${lack}${why}`
  );
}
