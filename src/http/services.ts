/** What requests are answered with. It is made once for each event loop, when that is composed. */
import type { WireLimits } from '../codec/wire.js';
import type { Manager } from '../control/manager.js';
import type { EngineRuntime } from '../engines/engine-runtime.js';
import type { Table } from '../serving/table.js';
import type { Logger } from '../telemetry/logger.js';
import type { Telemetry } from '../telemetry/metrics.js';
import type { Seconds } from '../time.js';
import type { ApiKeys } from './access/api-keys.js';
import type { Hosts } from './access/hosts.js';
import type { PageOrigins } from './access/page-origins.js';
import type { BodyLimits } from './body/body.js';
import type { Exchanges } from './request/exchange.js';
import type { TableRoute } from './routes/route.js';

/** What health routes tell. */
export interface ServerState {
  /** True if it should be sent requests. */
  readonly ready: boolean;
  /** True once it has been told to stop, even if it still answers as before. */
  readonly stopping: boolean;
}

/** The parts that inference requests work with. Every event loop has its own. */
export interface InferenceServices {
  /** The API keys, and what each of them may do. */
  readonly keys: ApiKeys;
  /** What is served now. */
  readonly table: () => Table;
  /** The requests that are under way. */
  readonly exchanges: Exchanges;
  readonly logger: Logger;
  /** The names under which the server may be asked. */
  readonly hosts: Hosts;
  /** The origins whose pages may ask for predictions. */
  readonly pageOrigins: PageOrigins;
  /** How large bodies may be, and how much memory all of them may take together. */
  readonly bodyLimits: BodyLimits;
  /** How large the tensors of a body may be. */
  readonly wireLimits: WireLimits;
  /** How long a request may take. A client can ask for less. */
  readonly requestTimeout: Seconds;
  /** True if answers to inference requests tell where their time went. */
  readonly serverTiming: boolean;
  /** Aborted once the server has been told to stop. */
  readonly draining: AbortSignal;
}

/**
 * The parts that other routes work with as well, on the main thread. A surface's inference routes are not given them: the
 * server uses them in their place.
 */
export interface Services extends InferenceServices {
  /** The route table of all surfaces. It is complete once the server is composed. */
  readonly routes: () => readonly TableRoute[];
  /** The control plane. */
  readonly manager: Manager;
  /** How far the server is on its way from its start to its end. */
  readonly state: ServerState;
  /**
   * Has the main thread answer all requests, while a profile of it is taken. It resolves once no worker answers any by
   * itself, or once they do again.
   */
  readonly passAll: (passesAll: boolean) => Promise<void>;
  /** What runs the models. */
  readonly runtime: EngineRuntime;
  /** Counts of requests, by model and version, for metrics and statistics. */
  readonly telemetry: Telemetry;
}
