/**
 * A list whose members leave from anywhere, and leave nothing behind.
 *
 * Not a Set: one that members come to and go from quickly is built anew again and again, and the tables it leaves behind
 * seem to keep what was in them alive until the next major collection. With 64 requests at once, decoder to encoder, this
 * list took a small request from 15.4 to 10.0 µs.
 */

/** What can be in one list at a time. */
export class Linked {
  /** The list's own. */
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

  /** Puts a member that is in no list to the end. */
  add(member: Member): void {
    member.isListed = true;
    member.before = this.last;
    if (this.last) this.last.after = member;
    else this.first = member;
    this.last = member;
    this.count += 1;
  }

  /** Puts a member that is in no list to the front. */
  addFirst(member: Member): void {
    member.isListed = true;
    member.after = this.first;
    if (this.first) this.first.before = member;
    else this.last = member;
    this.first = member;
    this.count += 1;
  }

  /** @returns false if it had left already */
  delete(member: Member): boolean {
    if (!member.isListed) return false;
    const { before, after } = member;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    // A dead member that points on would keep those behind it alive.
    member.before = undefined;
    member.after = undefined;
    member.isListed = false;
    this.count -= 1;
    return true;
  }

  /** The first, which leaves. */
  takeFirst(): Member | undefined {
    const { first } = this;
    if (first) this.delete(first);
    return first;
  }

  /** From the first to the last. The member that was given last may leave meanwhile, and others may come. */
  [Symbol.iterator](): Iterator<Member> {
    let member: Member | undefined;
    let after = this.first;
    // Not a generator, which V8 does not inline.
    return {
      next: () => {
        member = member?.isListed ? member.after : after;
        after = member?.after;
        return member ? { done: false, value: member } : { done: true, value: undefined };
      },
    };
  }
}
