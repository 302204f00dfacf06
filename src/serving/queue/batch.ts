/**
 * Requests that share a run.
 */
import type { RunOptions } from '../../engines/inference-model.js';
import type { Padding } from '../../tfjs/rows.js';
import type { NamedTensors } from '../../tfjs/tensors.js';
import type { Moment } from '../../time.js';
import type { QueueEntry } from './queue-entry.js';

export interface Batch {
  readonly members: readonly QueueEntry[];
  /** The rows of all members. */
  readonly rows: number;
  readonly padding: Padding | undefined;
  /** When it was put together. */
  readonly started: Moment;
  /** True if it runs on the event loop. */
  readonly isInline: boolean;
  /** True if its members are run alone as well. */
  readonly isChecked: boolean;
}

export function totalRows(members: readonly QueueEntry[]): number {
  let rows = 0;
  for (const entry of members) rows += entry.rows;
  return rows;
}

/** The rows of the run: those of all members, and the padding. */
export function sizeOf({ rows, padding }: Batch): number {
  return rows + (padding?.rows ?? 0);
}

/** True if the batch asks for all outputs. All its members ask for the same ones. */
export function givesAll(member: QueueEntry | undefined): boolean {
  return member?.request.outputs === undefined;
}

/** True if the whole run belongs to one request. */
export function isWhole({ members, padding }: Batch): boolean {
  return members.length === 1 && padding === undefined;
}

export function inputsOf({ members }: Batch): NamedTensors[] {
  return members.map(({ request }) => request.inputs);
}

export function optionsOf({ members, padding }: Batch): RunOptions {
  return { outputs: members[0]?.request.outputs, padding, callers: callersOf(members) };
}

/** The callers of all members: a batch is within every call that one of its members is within. */
function callersOf(members: readonly QueueEntry[]): readonly string[] | undefined {
  let callers: readonly string[] | undefined;
  for (const { request } of members) {
    if (request.callers === undefined || request.callers === callers) continue;
    callers = callers === undefined ? request.callers : [...new Set([...callers, ...request.callers])];
  }
  return callers;
}
