/** A list behaves like an array, whoever comes and goes during an iteration. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Linked, List } from '../../src/flow/list.ts';

class Member extends Linked {
  constructor(readonly name: number) {
    super();
  }
}

const names = (members: Iterable<Member>) => Array.from(members, ({ name }) => name);

it('members come to either end and leave from anywhere', () => {
  const step = fc.tuple(fc.constantFrom('add', 'addFirst', 'delete', 'takeFirst'), fc.nat({ max: 7 }));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const members = Array.from({ length: 8 }, (_, name) => new Member(name));
      const list = new List<Member>();
      let expected: Member[] = [];
      for (const [action, which] of steps) {
        const member = members[which] as Member;
        const isListed = expected.includes(member);
        expect(member.isListed).toBe(isListed);
        if (action === 'delete') {
          expect(list.delete(member)).toBe(isListed);
          expected = expected.filter((each) => each !== member);
        } else if (action === 'takeFirst') {
          expect(list.takeFirst()).toBe(expected.shift());
        } else if (!isListed) {
          list[action as 'add' | 'addFirst'](member);
          expected = action === 'add' ? [...expected, member] : [member, ...expected];
        }
        expect(names(list)).toEqual(names(expected));
        expect(list.size).toBe(expected.length);
      }
    }),
  );
});

it('each is given once, though the one that was given last may leave, and others come', () => {
  const what = fc.constantFrom('nothing', 'leaves', 'another comes');
  fc.assert(
    fc.property(fc.array(what, { minLength: 1, maxLength: 20 }), (deeds) => {
      const list = new List<Member>();
      for (const name of deeds.keys()) list.add(new Member(name));
      const given: number[] = [];
      let next = deeds.length;
      for (const member of list) {
        given.push(member.name);
        const deed = deeds[member.name];
        if (deed === 'leaves') list.delete(member);
        if (deed === 'another comes') list.add(new Member(next++));
      }
      expect(given).toEqual(Array.from({ length: next }, (_, name) => name));
      expect(list.size).toBe(next - deeds.filter((deed) => deed === 'leaves').length);
    }),
  );
});
