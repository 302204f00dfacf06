/** The requests that wait in a queue, in the order in which they came, and how many places each owner holds. */
import { List } from '../../flow/list.js';
import type { QueueEntry } from './queue-entry.js';

export class WaitingRequests extends List<QueueEntry> {
  /** Only of owners who may not hold all places. */
  private readonly places = new Map<string, number>();

  /** The places that an owner holds. */
  heldBy(id: string): number {
    return this.places.get(id) ?? 0;
  }

  override add(entry: QueueEntry): void {
    super.add(entry);
    this.countPlaces(entry, 1);
  }

  override addFirst(entry: QueueEntry): void {
    super.addFirst(entry);
    this.countPlaces(entry, 1);
  }

  override delete(entry: QueueEntry): boolean {
    const waited = super.delete(entry);
    if (waited) this.countPlaces(entry, -1);
    return waited;
  }

  private countPlaces({ request: { owner } }: QueueEntry, places: number): void {
    if (owner === undefined) return;
    const held = this.heldBy(owner.id) + places;
    if (held > 0) this.places.set(owner.id, held);
    else this.places.delete(owner.id);
  }
}
