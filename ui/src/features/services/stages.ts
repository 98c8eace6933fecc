import type { Job, JobKind, RestartTarget, ServiceState, Stage } from '../../backend/types';

const EXPECTED: Record<'start' | 'stop' | 'container' | 'program', readonly Stage[]> = {
  start: ['asked', 'starting', 'container_up', 'program_up', 'api_answers'],
  stop: ['asked', 'stopping', 'stopped'],
  container: [
    'asked',
    'stopping',
    'stopped',
    'starting',
    'container_up',
    'program_up',
    'api_answers',
  ],
  program: ['asked', 'stopping', 'stopped', 'starting', 'program_up', 'api_answers'],
};

export interface StageRow {
  stage: Stage;
  /** Milliseconds after the request; `null` while it is not reached. */
  after: number | null;
  state: 'reached' | 'current' | 'waiting' | 'missed';
}

const NO_STAGES = ['generate', 'golden', 'prove_placement'] as const;
type Staged = Exclude<JobKind, { what: (typeof NO_STAGES)[number] }>;
/** Whether a job is one of those that go through stages. */
const staged = (kind: JobKind): kind is Staged =>
  !(NO_STAGES as readonly string[]).includes(kind.what);

/** Stages in order: those reached with their times, then those still expected. */
export function stageRows(
  job: Job,
  service: ServiceState,
  /** What a restore stops, where that is known. */
  stops: RestartTarget = 'program',
): StageRow[] {
  if (!staged(job.kind)) return [];
  // A restore that stops nothing goes through none.
  if (job.kind.what === 'restore' && job.stages.length === 0) return [];
  const { what } = job.kind;
  const key = what === 'restart' ? job.kind.target : what === 'restore' ? stops : what;
  const expected = EXPECTED[key].filter((s) => s !== 'program_up' || service.kind === 'forge');
  const reached = new Map(job.stages.map((s) => [s.stage, s.after_ms]));
  const last = job.stages.at(-1)?.stage;
  const rest = expected.slice(last === undefined ? 0 : expected.indexOf(last) + 1);
  const rows: StageRow[] = [...reached].map(([stage, after]) => ({
    stage,
    after,
    state: 'reached',
  }));
  rest
    .filter((stage) => !reached.has(stage))
    .forEach((stage, index) => {
      const running = job.phase === 'running';
      const state = running ? (index === 0 ? 'current' : 'waiting') : 'missed';
      // A job that succeeded proved everything it had to: nothing is missing.
      if (job.phase !== 'succeeded') rows.push({ stage, after: null, state });
    });
  return rows;
}

/** The job whose stages a lane shows: the newest that runs or ended lately and was not put away. */
export function shownJob(
  jobs: Job[],
  service: string,
  dismissed: ReadonlySet<string>,
  now: number,
): Job | undefined {
  const KEEP_MS = 10 * 60_000;
  const job = jobs.find((j) => j.service === service && staged(j.kind));
  if (!job || dismissed.has(job.id)) return undefined;
  if (job.phase === 'running' || job.phase === 'failed') return job;
  return job.finished_at && now - Date.parse(job.finished_at) < KEEP_MS ? job : undefined;
}
