/** Takes CPU profiles of the calling thread. They show what the event loop spends its time on. */
import { type Profiler, Session } from 'node:inspector';
import type { Microseconds } from '../time.js';

/** The content of a `.cpuprofile` file. */
export type CpuProfile = Profiler.Profile;

/** The microseconds between two samples of the stack. */
const samplingInterval: Microseconds = 1000;

export interface CpuProfiling {
  /** Stops profiling. It is called once, even if nobody wants the profile any more. */
  stop(): Promise<CpuProfile>;
}

/** Starts profiling. The thread goes on as usual, a little slower. */
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
