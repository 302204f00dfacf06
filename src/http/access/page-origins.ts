/** Knows the origins whose pages may ask for predictions. */

/** The origins of `--cors-origin`. */
export class PageOrigins {
  private readonly origins: ReadonlySet<string>;
  /** True if the pages of every origin may ask. */
  readonly takesAny: boolean;

  /** @param origins each as a browser says it, or `*` */
  constructor(origins: readonly string[]) {
    this.origins = new Set(origins);
    this.takesAny = this.origins.has('*');
  }

  get isEmpty(): boolean {
    return this.origins.size === 0;
  }

  has(origin: string): boolean {
    return this.takesAny || this.origins.has(origin);
  }
}

/** True for an origin as a browser says it, and for `*`. */
export function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text && text !== 'null');
}
