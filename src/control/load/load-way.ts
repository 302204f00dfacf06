/** Decides how a version is loaded: at once, in a process of its own first, or not at all. */
import { ServingError } from '../../errors.js';
import type { Suspect } from './load-notes.js';

/** The value of `--rehearse`. */
export type RehearsalMode = 'auto' | 'on' | 'off';

export interface LoadFacts {
  readonly rehearse: RehearsalMode;
  /** What is known of it, if it was being loaded when a server died. */
  readonly suspect: Suspect | undefined;
  /** What can be rehearsed. A handler asks other models of the server, so it cannot run in another process. */
  readonly canRehearse: 'all of it' | 'the model beneath its handler' | 'nothing';
  /** True if the start is over and a model serves. */
  readonly isServing: boolean;
}

/** `rehearsed if there is room` loads at once if the memory has no room for another process. */
export type LoadWay = 'at once' | 'rehearsed' | 'rehearsed if there is room';

/** If more servers than this died while loading a version, it is refused, even if its rehearsals pass. */
const mostDeaths = 1;

/** @throws ServingError FAILED_PRECONDITION for a version that must not be tried */
export function loadWay({ rehearse, canRehearse, suspect, isServing }: LoadFacts): LoadWay {
  const mayRehearse = rehearse !== 'off' && canRehearse !== 'nothing';
  if (suspect) {
    // A rehearsal says nothing of a handler, and the server may have died of the handler.
    const isWhole = mayRehearse && canRehearse === 'all of it';
    const mayLoad = suspect.isPardoned || (isWhole && suspect.deaths <= mostDeaths);
    if (!mayLoad) throw new ServingError('FAILED_PRECONDITION', whyNot(suspect));
    return mayRehearse ? 'rehearsed' : 'at once';
  }
  if (!mayRehearse) return 'at once';
  if (rehearse === 'on') return 'rehearsed';
  return isServing ? 'rehearsed if there is room' : 'at once';
}

function whyNot({ at, deaths }: Suspect): string {
  const died = deaths === 1 ? 'a server died' : `${deaths} servers died, the last`;
  return (
    `${died} while it loaded this version (begun at ${at}): it is not tried again until its files change, or ` +
    '/update_model asks for it'
  );
}
