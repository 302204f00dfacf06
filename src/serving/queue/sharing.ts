/**
 * Decides whether the requests for one signature share runs, and in batches of which size. It explains that to the
 * queue and to people.
 */
import type { Signature } from '../../engines/signature.js';
import { type BatchLimits, type BatchVerdict, type EnoughRows, signatureLimits } from './batching.js';
import { Trial } from './shared-trial.js';

export interface SharingOptions {
  /** The verdict on the rows before the version served. */
  readonly verdict: BatchVerdict;
  /** The limits as they are now. They change with `serving.json`. */
  readonly limits: () => BatchLimits;
  /** Called when requests stop sharing runs. */
  readonly onDisagreement: (why: string) => void;
}

/** How requests are run now. A verdict other than `alone` becomes `alone` if limits or a difference say so. */
export type SharingKind = BatchVerdict['sharing'];

export class Sharing {
  readonly trial = new Trial();
  /** A difference that was found while serving. From then on every request runs alone. */
  private disagreement: string | undefined;
  /** The limits that were computed last, and what they came from. */
  private known: { readonly given: BatchLimits; readonly limits: BatchLimits } | undefined;

  constructor(
    private readonly signature: Signature,
    private readonly options: SharingOptions,
  ) {}

  get limits(): BatchLimits {
    const given = this.options.limits();
    if (this.known?.given !== given) this.known = { given, limits: signatureLimits(this.signature, given) };
    return this.known.limits;
  }

  get kind(): SharingKind {
    return this.whyNot === undefined ? this.options.verdict.sharing : 'alone';
  }

  /** Why every request runs alone; undefined if they share runs. */
  get whyNot(): string | undefined {
    const { verdict } = this.options;
    if (verdict.sharing === 'alone') return verdict.why;
    if (this.disagreement !== undefined) return this.disagreement;
    if (verdict.sharing === 'trial' && !this.limits.isTrusted) return verdict.why;
    return this.whyNoBatch;
  }

  private get whyNoBatch(): string | undefined {
    if (this.maxBatchSize > 1) return undefined;
    const { maxBatchSize, isExplicit } = this.limits;
    if (maxBatchSize > 1) return `larger batches ${this.whyNoLarger}, as its warm-up showed`;
    return `somebody set the largest batch to 1 (${isExplicit ? 'batching_parameters' : '--max-batch-size'})`;
  }

  private get whyNoLarger(): string {
    return this.enough?.limitedBy === 'time'
      ? 'would keep requests waiting, since a run takes over 0.1 s'
      : 'save nothing';
  }

  /** True if requests share runs only on trial. */
  get isOnTrial(): boolean {
    return this.options.verdict.sharing === 'trial';
  }

  /** True once it turned out that requests must not share runs. */
  get hasDisagreed(): boolean {
    return this.disagreement !== undefined;
  }

  /** The most rows of a batch. */
  get maxBatchSize(): number {
    const { maxBatchSize, isExplicit } = this.limits;
    return isExplicit ? maxBatchSize : Math.min(maxBatchSize, this.enough?.rows ?? maxBatchSize);
  }

  private get enough(): EnoughRows | undefined {
    const { verdict } = this.options;
    return verdict.sharing === 'alone' ? undefined : verdict.enough;
  }

  /** How requests are batched and why, for people. */
  get explanation(): string {
    const { whyNot, maxBatchSize, limits, hasDisagreed } = this;
    const { verdict } = this.options;
    if (verdict.sharing === 'alone') return `alone: ${verdict.why}`;
    if (whyNot !== undefined) {
      const mayTry = verdict.sharing === 'trial' && whyNot === verdict.why && !hasDisagreed;
      return `alone: ${whyNot}${mayTry ? `; ${howToTry}` : ''}`;
    }
    const cut = maxBatchSize < limits.maxBatchSize ? `; larger ones ${this.whyNoLarger}` : '';
    const size = `in batches of up to ${maxBatchSize} rows${cut}`;
    if (verdict.sharing === 'trial')
      return `on trial, ${size}: ${verdict.why}; ${this.trial.checked} batches were compared`;
    return `${verdict.sharing}, ${size}${verdict.evidence === '' ? '' : `: ${verdict.evidence}`}`;
  }

  /** Stops the sharing of runs. */
  disagree(why: string): void {
    if (this.disagreement !== undefined) return;
    this.disagreement = why;
    this.options.onDisagreement(why);
  }
}

const howToTry = '"batching_parameters": {"enabled": true} in its serving.json has them share runs on trial';
