/**
 * What the routes work with; made once, when the server is composed.
 */
import type { WireLimits } from '../codec/wire.js';
import type { Manager } from '../control/manager.js';
import type { Runtime } from '../engines/tensorflow/runtime.js';
import type { Logger } from '../telemetry/logger.js';
import type { Telemetry } from '../telemetry/metrics.js';
import type { ApiKeys } from './access/api-keys.js';
import type { Hosts } from './access/hosts.js';
import type { BodyLimits } from './body/body.js';
import type { Exchanges } from './request/exchange.js';
import type { TableRoute } from './routes/route.js';

export interface Services {
  readonly keys: ApiKeys;
  /** Of all surfaces. */
  readonly routes: () => readonly TableRoute[];
  readonly manager: Manager;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly exchanges: Exchanges;
  readonly logger: Logger;
  readonly hosts: Hosts;
  readonly bodyLimits: BodyLimits;
  readonly wireLimits: WireLimits;
  /** Seconds that a request may take; a client can ask for less. */
  readonly requestTimeout: number;
  /** Answers to inference requests tell where their time went. */
  readonly serverTiming: boolean;
  /** Aborted once the server has been told to stop. */
  readonly draining: AbortSignal;
}
