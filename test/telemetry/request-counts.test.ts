/** Counts of requests: their number is bounded, whatever versions come and go. */
import { expect, it } from 'vitest';
import { RequestCounts } from '../../src/telemetry/request-counts.ts';
import { blankRecord } from '../../src/telemetry/request-record.ts';

const record = (version: number) =>
  ({ ...blankRecord, via: 'process', status: 'ok', isInference: true, model: 'm', version }) as const;

it('the counts of old versions are forgotten, but not of those that serve', () => {
  const counts = new RequestCounts({ index: 0, count: 1 });
  counts.isServed = (_, version) => version === 1;
  for (let version = 1; version <= 100; version++) counts.add(record(version));
  const versions = Array.from(counts.of('m'), (series) => series.version);
  expect(versions).toHaveLength(32);
  expect(versions).toContain(1);
  expect(versions).toContain(100);
  expect(versions).not.toContain(2);
});

it('so are those that another event loop has made', () => {
  const loops = [0, 1].map((index) => new RequestCounts({ index, count: 2 })) as [
    RequestCounts,
    RequestCounts,
  ];
  const [main, worker] = loops;
  for (const counts of loops) counts.isServed = (_, version) => version === 1;
  for (let version = 1; version <= 100; version++) {
    worker.open('m', version, main.memoryOf('m', version));
    worker.add(record(version));
  }
  for (const counts of loops) {
    const versions = Array.from(counts.of('m'), (series) => series.version);
    expect(versions).toHaveLength(32);
    expect(versions).toEqual(expect.arrayContaining([1, 100]));
  }
});
