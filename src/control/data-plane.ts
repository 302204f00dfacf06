/**
 * The event loops that answer requests beside the main thread, as the control plane sees them.
 *
 * A version is made ready on all of them before it serves, and all of them change to a new table at once.
 */
import type { Deployment } from '../serving/deployment.js';
import type { Servable } from '../serving/servable.js';
import type { Table } from '../serving/table.js';

export interface DataPlane {
  /**
   * Makes a version ready on every event loop.
   *
   * @param servable is the version on the main thread
   * @throws ServingError (rejects) INTERNAL if one of them cannot: then none of them has it
   */
  prepare(deployment: Deployment, servable: Servable): Promise<void>;
  /** Lets all event loops change to a table at once, as soon as each of them knows it. */
  publish(table: Table): void;
  /** Resolves once the table that was published last is in force on every event loop. */
  inForce(): Promise<void>;
  /** Resolves once no event loop holds a version that has left the table. */
  retired(servable: Servable): Promise<void>;
}
