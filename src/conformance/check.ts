/** One check of an engine, a surface or a source, for any test runner. */
export interface Check {
  /** What a correct implementation does, in words that follow its name. */
  readonly name: string;
  /** Runs the check. @throws Error (rejects) saying what was expected and what came */
  run(): Promise<void>;
}

/** The implementation breaks the contract. */
export class Unmet extends Error {
  override readonly name = 'Unmet';
}

/** @throws Unmet unless `isMet` */
export function expectThat(isMet: boolean, expected: string, got: unknown): asserts isMet {
  if (!isMet)
    throw new Unmet(`expected ${expected}, got ${typeof got === 'string' ? got : JSON.stringify(got)}`);
}

/** The error that a promise rejects with. @throws Unmet if it resolves */
export async function rejectionOf(promise: Promise<unknown>, expected: string): Promise<unknown> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  expectThat(outcome !== undefined, expected, 'none');
  return outcome.error;
}
