/**
 * Which signature is meant when a request names none, and whether a version may take the place of another that has one.
 */

import type { Signature } from '../engines/signature.js';
import { ServingError } from '../errors.js';

type Signatures = ReadonlyMap<string, Signature>;

/** Names for the default signature, in the order in which they count. */
export interface DefaultNames {
  /** `default_signature` in the model's `serving.json`. */
  readonly configured: string | undefined;
  /** `--signature` */
  readonly flag: string;
}

/** The first name that the model has, or the only signature there is. */
export function chooseDefault(
  signatures: Signatures,
  { configured = '', flag }: DefaultNames,
): Signature | undefined {
  return signatures.get(configured) ?? signatures.get(flag) ?? onlyOne(signatures);
}

function onlyOne(signatures: Signatures): Signature | undefined {
  return signatures.size === 1 ? [...signatures.values()][0] : undefined;
}

/** What serves before a version takes over. */
export interface Predecessor {
  readonly version: number;
  readonly defaultSignature: Signature | undefined;
}

/**
 * Refuses a version that can answer nothing, or not what its predecessor answers to those who name no signature.
 *
 * @param unusable names of signatures with a tensor that cannot travel
 * @throws ServingError FAILED_PRECONDITION with the signatures there are
 */
export function checkSignatures(
  signatures: Signatures,
  unusable: readonly string[],
  names: DefaultNames,
  predecessor: Predecessor | undefined,
): void {
  const reason =
    signatures.size === 0
      ? whyNone(unusable)
      : predecessor && whyNotAfter(predecessor, signatures, names, unusable);
  if (reason !== undefined) throw new ServingError('FAILED_PRECONDITION', reason);
}

function whyNone(unusable: readonly string[]): string {
  const none = 'it has no signature that can be served';
  if (unusable.length === 0) return `${none}: export it with \`signatures\``;
  return `${none}: ${listed(unusable)} ${unusable.length === 1 ? 'has' : 'have'} tensors of a kind that cannot travel`;
}

/** Why requests without a signature's name would fail, or would mean another one, from then on. */
export function whyNotAfter(
  { version, defaultSignature: before }: Predecessor,
  signatures: Signatures,
  names: DefaultNames,
  unusable: readonly string[] = [],
): string | undefined {
  if (!before) return undefined;
  const chosen = chooseDefault(signatures, names);
  // One that has the predecessor's, too, and another name that comes first, was told to.
  if (chosen && (signatures.has(before.name) || chosen.name === names.configured)) return undefined;
  const lack = chosen ? '' : ', none of them the default';
  const why = unusable.includes(before.name)
    ? '; the one of that name has tensors of a kind that cannot travel'
    : ": export it under the same name, or name another as `default_signature` in the model's serving.json";
  return (
    `version ${version} serves the signature \`${before.name}\` by default, and this version has ` +
    `${listed([...signatures.keys()])}${lack}${why}`
  );
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
