/** Finds the models that a request may see. */
import type { Context } from 'koa';
import type { Table } from '../../serving/table.js';
import { exitOf } from '../answer/koa-exit.js';
import type { InferenceServices } from '../services.js';

/** What is served now, without the models that the key of the request may not use. */
export function visibleTable(ctx: Context, { table }: Pick<InferenceServices, 'table'>): Table {
  return table().limitedTo(exitOf(ctx).exchange.principal.models);
}
