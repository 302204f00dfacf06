/**
 * Tells systemd how the server is, if systemd has started it as a service of `Type=notify`: sd_notify(3).
 *
 * The messages of the watchdog come from the event loop, so they end when that hangs, and systemd starts the server anew.
 */
import type { Logger } from '../telemetry/logger.js';
import type { Milliseconds } from '../time.js';

/** Sends a message to a socket. */
type Send = (socket: string, message: string) => void;

export class ServiceManager {
  private readonly socket: string | undefined;
  private isReady = false;
  private failed = false;

  /**
   * @param environment has NOTIFY_SOCKET where somebody listens
   * @param send is undefined where there is no way to send
   */
  constructor(
    environment: NodeJS.ProcessEnv,
    private readonly send: Send | undefined,
    private readonly logger: Logger,
  ) {
    this.socket = environment['NOTIFY_SOCKET'] || undefined;
    if (this.socket === undefined) return;
    const interval = watchdogInterval(environment);
    if (interval !== undefined) setInterval(() => this.tell('WATCHDOG=1'), interval).unref();
  }

  /** @param status is a sentence that `systemctl status` shows */
  status(status: string): void {
    this.tell(`STATUS=${status}`);
  }

  ready(status: string): void {
    this.isReady = true;
    this.tell('READY=1', `STATUS=${status}`);
  }

  reloading(): void {
    if (this.isReady) this.tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  reloaded(): void {
    if (this.isReady) this.tell('READY=1');
  }

  /** @param longest is how long the end may take */
  stopping(status: string, longest: Milliseconds): void {
    this.isReady = false;
    this.tell('STOPPING=1', `STATUS=${status}`, `EXTEND_TIMEOUT_USEC=${Math.ceil(longest * 1000)}`);
  }

  private tell(...lines: readonly string[]): void {
    if (this.socket === undefined || this.failed) return;
    try {
      if (!this.send) throw new Error('--runtime tfjs has no way to send there');
      this.send(this.socket, `${lines.join('\n')}\n`);
    } catch (error) {
      // The server serves all the same, and says so once.
      this.failed = true;
      this.logger.error({ err: error }, 'the service manager at NOTIFY_SOCKET cannot be told anything');
    }
  }
}

/** Half the time within which systemd expects a message; undefined if it expects none of this process. */
function watchdogInterval(environment: NodeJS.ProcessEnv): Milliseconds | undefined {
  const { WATCHDOG_USEC: micros, WATCHDOG_PID: pid } = environment;
  if (!micros || !/^\d+$/.test(micros) || (pid && pid !== String(process.pid))) return undefined;
  return Math.max(1, Number(micros) / 2000);
}
