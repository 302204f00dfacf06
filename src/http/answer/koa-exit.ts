/** Leaves answers to Koa, so that an application that mounts the server sees them as those of its own routes. */
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { AnswerBody } from '../../codec/infer-answer.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Exchange } from '../request/exchange.js';
import type { Surface } from '../surface.js';
import { type Answer, headersOf, streamOf, toBuffer } from './answer.js';
import { Exit } from './exit.js';

const exits = new WeakMap<Context, KoaExit>();

/** The exit of a Koa context. */
export function exitOf(ctx: Context): KoaExit {
  const exit = exits.get(ctx);
  if (!exit) throw new Error('this context is of no exchange');
  return exit;
}

export class KoaExit extends Exit {
  /** Resolves once the context has the answer, or the answer was written past Koa. */
  readonly isDone: Promise<void>;
  private done: () => void = () => {};

  constructor(
    exchange: Exchange,
    private readonly ctx: Context,
    logger: Logger,
    private readonly surfaces: readonly Surface[],
  ) {
    super(exchange, ctx, logger);
    exits.set(ctx, this);
    this.isDone = new Promise((resolve) => {
      this.done = resolve;
    });
  }

  /** Called after a route has put its answer into the context. */
  routeAnswered(): void {
    const { exchange, ctx } = this;
    exchange.headIsNext();
    exchange.countAnswer(ctx.length ?? 0);
    exchange.status = 'ok';
    this.ended();
  }

  /** The surface that owns the path. The last one owns all paths. */
  protected get surface(): Surface {
    return this.surfaces.find((each) => each.owns(this.ctx.path)) as Surface;
  }

  protected write({ status, body }: Answer, headers: readonly string[]): void {
    this.ctx.status = status;
    fill(this.ctx, body, headers);
  }

  protected takeOver(): void {
    this.ctx.respond = false;
  }

  protected override ended(): void {
    super.ended();
    this.done();
  }
}

/** Puts the answer of a route into the context. Its status is 200, unless the route has set another. */
export function send(ctx: Context, mediaType: string, body: AnswerBody): void {
  fill(ctx, body, headersOf(exitOf(ctx).exchange, { mediaType, body }));
}

/** Several parts are sent one after another, without being copied together. */
function fill(ctx: Context, body: AnswerBody, headers: readonly string[]): void {
  // Koa guesses the headers of a body only if there are none. `ctx.type` would add a charset, which JSON does not have.
  for (let i = 0; i < headers.length; i += 2) ctx.set(String(headers[i]), String(headers[i + 1]));
  if ('pieces' in body) {
    ctx.body = streamOf(body, ctx.res);
    return;
  }
  const [only, ...more] = body.parts;
  ctx.body =
    only && more.length === 0
      ? toBuffer(only)
      : Readable.from(body.parts.map(toBuffer), { objectMode: false });
}
