/**
 * `node scripts/bench.js worker-model` computes how many workers a machine with many cores needs. It measures nothing: it
 * plays the server with the costs of a request that were measured elsewhere (`make bench-workers`).
 *
 * Each core does one thing at a time. A worker reads and decodes requests and sends answers, one after another. A run
 * takes the requests that wait on its worker, up to a batch, and a core. Clients are on other machines, and ask again as
 * soon as they have their answers.
 */
import { parseArgs } from 'node:util';
import { table } from './statistics.ts';

interface Costs {
  readonly model: string;
  /** The microseconds of a worker for a request: before its run, and after it. */
  readonly before: number;
  readonly after: number;
  /** The microseconds of a run, and of each of its rows. */
  readonly run: number;
  readonly row: number;
  readonly batch: number;
}

const { values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    /** MODEL:BEFORE:AFTER:RUN:ROW:BATCH, in microseconds and rows, separated by commas. */
    costs: { type: 'string', default: 'mlp:18:14:30:0.6:32,policy:260:40:300:1900:1' },
    cores: { type: 'string', default: '2,4,16,64' },
    connections: { type: 'string', default: '1024' },
    milliseconds: { type: 'string', default: '500' },
  },
});
const connections = Number(flags.connections);
const end = Number(flags.milliseconds) * 1000;

/** The rows for doubling numbers of workers. */
function tryWorkers(costs: Costs, cores: number): string[][] {
  const found: string[][] = [];
  let one = 0;
  for (let workers = 1; workers <= cores; workers *= 2) {
    const { answered, coreTime, workerTime, runs } = new Machine(costs, cores, workers).play();
    const perSecond = (answered / end) * 1e6;
    if (workers === 1) one = perSecond;
    found.push([
      ...[costs.model, String(cores), String(workers), perSecond.toFixed(0), (perSecond / one).toFixed(2)],
      ...[(coreTime / end / cores).toFixed(2), (workerTime / end / workers).toFixed(2)],
      (answered / runs).toFixed(1),
    ]);
  }
  return found;
}

/** A step of work, with what follows it. */
interface Task {
  readonly micros: number;
  readonly done: () => void;
}

interface Worker {
  readonly tasks: Task[];
  isBusy: boolean;
  isWoken: boolean;
  waiting: number;
  runs: number;
}

class Machine {
  private readonly workers: readonly Worker[];
  private readonly slots: number;
  /** What happens next, by its time: a heap would be faster, but is not needed. */
  private readonly events: { readonly at: number; readonly happens: () => void }[] = [];
  private readonly waitingForCore: (() => void)[] = [];
  private freeCores: number;
  private moment = 0;
  private answered = 0;
  private runs = 0;
  private coreTime = 0;
  private workerTime = 0;

  constructor(
    private readonly costs: Costs,
    cores: number,
    workers: number,
  ) {
    this.freeCores = cores;
    this.slots = Math.max(1, Math.ceil(cores / workers));
    this.workers = Array.from({ length: workers }, () => ({
      ...{ tasks: [], isBusy: false, isWoken: false },
      ...{ waiting: 0, runs: 0 },
    }));
  }

  play(): { answered: number; coreTime: number; workerTime: number; runs: number } {
    for (let i = 0; i < connections; i++) this.ask(this.workers[i % this.workers.length] as Worker);
    for (let next = this.events.shift(); next && next.at <= end; next = this.events.shift()) {
      this.moment = next.at;
      next.happens();
    }
    const { answered, coreTime, workerTime, runs } = this;
    return { answered, coreTime, workerTime, runs };
  }

  /** A request comes to a worker. */
  private ask(worker: Worker): void {
    this.add(worker, {
      micros: this.costs.before,
      done: () => {
        worker.waiting += 1;
        this.wake(worker);
      },
    });
  }

  /** Runs start once the worker has read what had come by now. So requests that come together share a run. */
  private wake(worker: Worker): void {
    if (worker.isWoken) return;
    worker.isWoken = true;
    this.add(worker, {
      micros: 0,
      done: () => {
        worker.isWoken = false;
        this.startRuns(worker);
      },
    });
  }

  private startRuns(worker: Worker): void {
    if (worker.waiting === 0 || worker.runs >= this.slots) return;
    worker.runs += 1;
    this.onCore(() => {
      const members = Math.min(worker.waiting, this.costs.batch);
      worker.waiting -= members;
      this.runs += members > 0 ? 1 : 0;
      return {
        micros: members > 0 ? this.costs.run + members * this.costs.row : 0,
        done: () => {
          worker.runs -= 1;
          for (let i = 0; i < members; i++) this.answer(worker);
          this.startRuns(worker);
        },
      };
    });
  }

  private answer(worker: Worker): void {
    this.add(worker, {
      micros: this.costs.after,
      done: () => {
        this.answered += 1;
        this.ask(worker);
      },
    });
  }

  /** Has a worker do something, after what it has to do before. */
  private add(worker: Worker, task: Task): void {
    worker.tasks.push(task);
    if (!worker.isBusy) this.workOn(worker);
  }

  private workOn(worker: Worker): void {
    const task = worker.tasks.shift();
    worker.isBusy = task !== undefined;
    if (!task) return;
    this.onCore(() => ({
      micros: task.micros,
      done: () => {
        this.workerTime += task.micros;
        task.done();
        this.workOn(worker);
      },
    }));
  }

  /** Waits for a core, and takes it for a task. */
  private onCore(begin: () => Task): void {
    const start = () => {
      this.freeCores -= 1;
      const { micros, done } = begin();
      this.at(this.moment + micros, () => {
        this.coreTime += micros;
        this.freeCores += 1;
        this.waitingForCore.shift()?.();
        done();
      });
    };
    if (this.freeCores > 0) start();
    else this.waitingForCore.push(start);
  }

  private at(time: number, happens: () => void): void {
    let place = this.events.length;
    while (place > 0 && (this.events[place - 1]?.at ?? 0) > time) place -= 1;
    this.events.splice(place, 0, { at: time, happens });
  }
}

const rows: string[][] = [];
for (const text of flags.costs.split(',')) {
  const [model = '', ...numbers] = text.split(':');
  const [before, after, run, row, batch] = numbers.map(Number) as [number, number, number, number, number];
  for (const cores of flags.cores.split(',').map(Number))
    rows.push(...tryWorkers({ model, before, after, run, row, batch }, cores));
}
const headers = ['model', 'cores', 'workers', 'requests/s', '÷ one worker', 'cores busy', 'workers busy'];
console.log(table([...headers, 'rows/run'], rows));
