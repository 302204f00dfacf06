/** The buckets of histograms. */

/** The index of the bucket for a value, of those with these upper bounds; behind the last one if it is beyond all. */
export function bucketOf(value: number, bounds: readonly number[]): number {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
  return bucket;
}
