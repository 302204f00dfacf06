/** The choice of the default signature, and which version may take the place of which. Both are pure functions. */
import { describe, expect, it } from 'vitest';
import { checkSignatures, chooseDefault } from '../../src/control/default-signature.ts';
import type { Signature, UnusableSignature } from '../../src/engines/signature.ts';
import { makeSignature } from '../fixtures/codec.ts';

function signatures(...names: string[]): ReadonlyMap<string, Signature> {
  const one = makeSignature({ x: ['float32', [null]] }, { y: ['float32', [null]] });
  return new Map(names.map((name) => [name, { ...one, name }]));
}

const flag = 'serving_default';

it('the default signature is that of serving.json, else that of the flag, else the only one', () => {
  const chosen = (names: string[], configured?: string) =>
    chooseDefault(signatures(...names), { configured, flag })?.name;
  expect(chosen(['serving_default', 'a'])).toBe('serving_default');
  expect(chosen(['serving_default', 'a'], 'a')).toBe('a');
  expect(chosen(['serving_default', 'a'], 'not there')).toBe('serving_default');
  expect(chosen(['a'])).toBe('a');
  expect(chosen(['a', 'b'])).toBe(undefined);
  expect(chosen([])).toBe(undefined);
});

describe('a version', () => {
  /** Why it is refused. @param before the signatures of the version that serves */
  function refusal(
    names: string[],
    {
      before,
      configured,
      unusable = [],
    }: { before?: string[]; configured?: string; unusable?: UnusableSignature[] } = {},
  ): string | undefined {
    const defaults = { configured, flag };
    const predecessor = before && {
      version: 1,
      defaultSignature: chooseDefault(signatures(...before), defaults),
    };
    try {
      checkSignatures(signatures(...names), unusable, defaults, predecessor);
      return undefined;
    } catch (error) {
      expect(error).toMatchObject({ code: 'FAILED_PRECONDITION' });
      return (error as Error).message;
    }
  }

  it('is refused without any signature, and told which cannot be served', () => {
    expect(refusal([])).toBe('it has no signature that can be served: export it with `signatures`');
    const why = 'output `y` is quint8, which cannot travel';
    const unusable = ['rows', 'all'].map((name) => ({ name, why }));
    expect(refusal([], { unusable })).toBe(
      `it has no signature that can be served: \`rows\`: ${why}; \`all\`: ${why}`,
    );
    const many = Array.from({ length: 4000 }, (_, i) => ({ name: `s${i}`, why }));
    expect(refusal([], { unusable: many })).toMatch(
      /; `s4`: output `y` is quint8, which cannot travel; and 3995 more$/,
    );
  });

  it('may do without a default signature if no other is there, or none has one', () => {
    expect(refusal(['a', 'b'])).toBe(undefined);
    expect(refusal(['a', 'b'], { before: ['c', 'd'] })).toBe(undefined);
  });

  it('must have the default signature of the one before it', () => {
    expect(refusal(['serving_default', 'b'], { before: ['serving_default', 'a'] })).toBe(undefined);
    expect(refusal(['a', 'b'], { before: ['serving_default'] })).toMatch(
      /^version 1 serves the signature `serving_default` by default, and this version has `a`, `b`, none of them the default: export it/,
    );
    // The only one would be the default: another question than the one that is asked.
    expect(refusal(['b'], { before: ['a'] })).toMatch(/`a` by default, and this version has `b`: export it/);
    const unusable = [{ name: 'serving_default', why: 'input `x` is resource, which cannot travel' }];
    expect(refusal(['b'], { before: ['a', 'serving_default'], unusable })).toMatch(
      /and this version has `b`; the one of that name cannot be served: input `x` is resource, which cannot travel$/,
    );
    // It is there, and nothing says any more that it is meant.
    expect(refusal(['a', 'b'], { before: ['a'] })).toMatch(/`a`, `b`, none of them the default/);
  });

  it('may have another one that serving.json names', () => {
    expect(refusal(['a', 'b'], { before: ['serving_default'], configured: 'b' })).toBe(undefined);
    expect(refusal(['a', 'b'], { before: ['serving_default'], configured: 'c' })).toMatch(/export it/);
    expect(refusal(['serving_default'], { before: ['serving_default'], configured: 'c' })).toBe(undefined);
  });
});
