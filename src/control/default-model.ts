/**
 * Finds the model that is meant when a request names none: that of `--default-model`, that of `default_model` in
 * `serving.json`, or the only one there is.
 */
import { listed, quoted } from '../errors.js';
import type { ModelRecord } from './model-record.js';

type Models = ReadonlyMap<string, ModelRecord>;

export class DefaultModel {
  /** The value of `default_model` in `serving.json`. */
  configured: string | undefined;
  private onlyModel: string | undefined;

  /** @param flag is the value of `--default-model` */
  constructor(private readonly flag: string | undefined) {}

  get name(): string | undefined {
    return this.flag ?? this.configured ?? this.onlyModel;
  }

  /**
   * Says which models there are now. Requests without a name stay with a model that was alone, as long as it serves,
   * even if others come.
   */
  follow(models: Models): void {
    const [first, second] = models.keys();
    const before = this.onlyModel;
    const stays = before !== undefined && models.get(before)?.serving !== undefined;
    if (second === undefined) this.onlyModel = first;
    else if (!stays) this.onlyModel = undefined;
  }

  /** Settings that the owner probably did not intend, for the log. */
  doubts(models: Models): string[] {
    const { onlyModel } = this;
    const name = this.flag ?? this.configured;
    if (name === undefined && onlyModel !== undefined && models.size > 1)
      return [
        `requests without a model still go to ${quoted(onlyModel)}, which was the only one; after a restart they go to none: give --default-model`,
      ];
    if (name === undefined || models.has(name) || models.size === 0) return [];
    const file = this.flag === undefined ? 'default_model in serving.json' : '--default-model';
    return [`${file} is ${quoted(name)}, and there is no such model; there are ${listed(models.keys())}`];
  }
}
