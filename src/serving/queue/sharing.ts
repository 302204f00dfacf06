/**
 * Decides whether the requests for one signature share runs, and in batches of which size. It explains that to the
 * queue and to people.
 */
import type { Signature } from '../../engines/signature.js';
import { type BatchLimits, type BatchVerdict, signatureLimits } from './batching.js';
import { Trial } from './shared-trial.js';

export interface SharingOptions {
  /** The verdict on the rows before the version served. */
  readonly verdict: BatchVerdict;
  /** The limits as they are now. They change with `serving.json`. */
  readonly limits: () => BatchLimits;
  /** Called when requests stop sharing runs. */
  readonly onDisagreement: (why: string) => void;
}

/**
 * - proven: requests share runs, because the graph shows that rows are not mixed.
 * - trial: they share runs because somebody said so, and are checked.
 * - declared: they share runs because a handler takes batches, or because made-up rows agreed and there is no graph.
 * - alone: they share none.
 */
export type SharingKind = 'proven' | 'trial' | 'declared' | 'alone';

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
    if (this.whyNot !== undefined) return 'alone';
    if (this.isUnproven) return 'trial';
    return this.signature.rows && !this.options.verdict.isDeclared ? 'proven' : 'declared';
  }

  /** Why every request runs alone; undefined if they share runs. */
  get whyNot(): string | undefined {
    const { whyNot, unproven } = this.options.verdict;
    return whyNot ?? this.disagreement ?? (this.limits.isTrusted ? undefined : unproven) ?? this.whyNoBatch;
  }

  private get whyNoBatch(): string | undefined {
    if (this.maxBatchSize > 1) return undefined;
    const { maxBatchSize, isExplicit } = this.limits;
    if (maxBatchSize > 1) return `larger batches ${this.whyNoLarger}, as its warm-up showed`;
    return `somebody set the largest batch to 1 (${isExplicit ? 'batching_parameters' : '--max-batch-size'})`;
  }

  private get whyNoLarger(): string {
    return this.options.verdict.limitedBy === 'time'
      ? 'would keep requests waiting, since a run takes over 0.1 s'
      : 'save nothing';
  }

  /** True if no proof shows that rows are not mixed. */
  get isUnproven(): boolean {
    return this.options.verdict.unproven !== undefined;
  }

  /** True once it turned out that requests must not share runs. */
  get hasDisagreed(): boolean {
    return this.disagreement !== undefined;
  }

  /** The most rows of a batch. */
  get maxBatchSize(): number {
    const { maxBatchSize, isExplicit } = this.limits;
    return isExplicit
      ? maxBatchSize
      : Math.min(maxBatchSize, this.options.verdict.worthwhile ?? maxBatchSize);
  }

  /** How requests are batched and why, for people. */
  get explanation(): string {
    const { whyNot, kind, maxBatchSize, limits, hasDisagreed } = this;
    const { verdict } = this.options;
    const mayTry = verdict.whyNot === undefined && verdict.unproven !== undefined && !hasDisagreed;
    const how = mayTry ? `; ${howToTry}` : '';
    if (whyNot !== undefined) return `alone: ${whyNot}${whyNot === verdict.unproven ? how : ''}`;
    const cut = maxBatchSize < limits.maxBatchSize ? `; larger ones ${this.whyNoLarger}` : '';
    const size = `in batches of up to ${maxBatchSize} rows${cut}`;
    if (kind === 'trial')
      return `on trial, ${size}: ${verdict.unproven}; ${this.trial.checked} batches were compared`;
    return `${kind}, ${size}${verdict.evidence === '' ? '' : `: ${verdict.evidence}`}`;
  }

  /** Stops the sharing of runs. */
  disagree(why: string): void {
    if (this.disagreement !== undefined) return;
    this.disagreement = why;
    this.options.onDisagreement(why);
  }
}

const howToTry = '"batching_parameters": {"enabled": true} in its serving.json has them share runs on trial';
