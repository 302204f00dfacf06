/** Measures a slice of time under load by wrk, and what it cost the server. */
import { cpuSeconds } from './process.ts';
import { type Load, type Measured, wrk } from './wrk.ts';

export interface Slice extends Measured {
  /** The CPU seconds of the server for a request. */
  readonly serverCpu: number;
}

/** @param load includes the process of the server at that address */
export async function measureSlice(load: Load & { readonly pid: number }): Promise<Slice> {
  const before = cpuSeconds(load.pid) ?? 0;
  const measured = await wrk(load);
  return { ...measured, serverCpu: ((cpuSeconds(load.pid) ?? 0) - before) / measured.requests };
}
