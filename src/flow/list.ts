/**
 * A linked list whose members can leave from any place.
 *
 * A Set is no substitute. When members come and go quickly, V8 rebuilds its table again and again, and an old table
 * seems to keep its members alive until the next major collection. With 64 concurrent requests, this list took a small
 * request from 15.4 to 10.0 µs, decoder to encoder.
 */

/** A member. It can be in one list at a time. */
export class Linked {
  /** The list sets it. */
  before: this | undefined;
  after: this | undefined;
  isListed = false;
}

export class List<Member extends Linked> implements Iterable<Member> {
  private first: Member | undefined;
  private last: Member | undefined;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Appends a member that is in no list. */
  add(member: Member): void {
    member.isListed = true;
    member.before = this.last;
    if (this.last) this.last.after = member;
    else this.first = member;
    this.last = member;
    this.count += 1;
  }

  /** Puts a member that is in no list at the front. */
  addFirst(member: Member): void {
    member.isListed = true;
    member.after = this.first;
    if (this.first) this.first.before = member;
    else this.last = member;
    this.first = member;
    this.count += 1;
  }

  /** Removes a member. @returns false if it had left already */
  delete(member: Member): boolean {
    if (!member.isListed) return false;
    const { before, after } = member;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    // A removed member that still pointed at others would keep them alive.
    member.before = undefined;
    member.after = undefined;
    member.isListed = false;
    this.count -= 1;
    return true;
  }

  /** Removes the first member and returns it. */
  takeFirst(): Member | undefined {
    const { first } = this;
    if (first) this.delete(first);
    return first;
  }

  /**
   * Iterates from the first member to the last. The member that was given last may leave meanwhile, and others may
   * come.
   */
  [Symbol.iterator](): Iterator<Member> {
    let member: Member | undefined;
    let after = this.first;
    // This is no generator, because V8 does not inline those.
    return {
      next: () => {
        member = member?.isListed ? member.after : after;
        after = member?.after;
        return member ? { done: false, value: member } : { done: true, value: undefined };
      },
    };
  }
}
