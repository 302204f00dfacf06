/** Writes the answers of the fast entrance, straight to Node's response. */
import type { Logger } from '../../telemetry/logger.js';
import type { Exchange } from '../request/exchange.js';
import type { Head } from '../request/head.js';
import type { Surface } from '../surface.js';
import { type Answer, streamOf, toBuffer } from './answer.js';
import { Exit } from './exit.js';

const nothing = new Uint8Array(0);

export class DirectExit extends Exit {
  constructor(
    exchange: Exchange,
    head: Head,
    logger: Logger,
    protected readonly surface: Surface,
  ) {
    super(exchange, head, logger);
  }

  protected write({ status, body }: Answer, headers: string[]): void {
    const { res } = this.exchange;
    res.writeHead(status, headers);
    if ('pieces' in body) {
      streamOf(body, res).pipe(res);
      return;
    }
    const { parts } = body;
    for (let i = 0; i < parts.length - 1; i++) res.write(toBuffer(parts[i] as Uint8Array));
    res.end(toBuffer(parts.at(-1) ?? nothing));
  }

  protected takeOver(): void {}
}
