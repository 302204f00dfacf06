/**
 * CPU profiles of the calling thread: what the event loop spends its time on.
 */
import { type Profiler, Session } from 'node:inspector';

/** What a `.cpuprofile` file holds. */
export type CpuProfile = Profiler.Profile;

/** Microseconds between two looks at the stack. */
const samplingInterval = 1000;

export interface CpuProfiling {
  /** Ends it. Called once, also if nobody wants the profile any more. */
  stop(): Promise<CpuProfile>;
}

/** Begins a profile; the thread goes on as usual, a little slower. */
export async function startCpuProfile(): Promise<CpuProfiling> {
  const session = new Session();
  session.connect();
  try {
    await post(session, 'Profiler.enable');
    await post(session, 'Profiler.setSamplingInterval', { interval: samplingInterval });
    await post(session, 'Profiler.start');
  } catch (error) {
    session.disconnect();
    throw error;
  }
  return {
    async stop() {
      try {
        const { profile } = (await post(session, 'Profiler.stop')) as Profiler.StopReturnType;
        return profile;
      } finally {
        session.disconnect();
      }
    },
  };
}

function post(session: Session, method: string, parameters: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, parameters, (error, result) => (error ? reject(error) : resolve(result)));
  });
}
