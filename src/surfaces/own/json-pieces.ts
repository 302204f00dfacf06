/** Makes a large JSON text while the event loop goes on. */
import { Turns } from '../../flow/turns.js';

/**
 * Does the same as `JSON.stringify`, member by member.
 *
 * @param levels is the depth of objects that are split; deeper ones are written at once
 */
export async function stringifyInTurns(
  value: object,
  levels: number,
  turns = new Turns('in its turn'),
): Promise<string> {
  const members: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    await turns.pause();
    const isDeep = levels > 1 && typeof member === 'object' && member !== null && !Array.isArray(member);
    const text = isDeep ? await stringifyInTurns(member, levels - 1, turns) : JSON.stringify(member);
    members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join()}}`;
}
