/** What scripts/bench/peer-environments.js has made, in the form in which it reports it. */
export interface Python {
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface Triton {
  readonly tritonserver: string;
  /** The folder of its backends. */
  readonly backends: string;
}

/** Why it is not available. */
export interface Missing {
  readonly missing: string;
}

export interface Environments {
  /** Speaks every format. */
  readonly client: Python;
  readonly python: Python | Missing;
  readonly kserve: Python | Missing;
  readonly triton: Triton | Missing;
}
