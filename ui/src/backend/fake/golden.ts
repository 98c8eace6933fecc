import type { Backend } from '../backend';
import type {
  GenerationRecord,
  GoldenComparison,
  GoldenEntry,
  GoldenRun,
  GoldenSet,
  Job,
  Pace,
  Vote,
} from '../types';
import { FakeGallery, PLAIN } from './gallery';
import { generationJob, outOfMemory, recordOf } from './generation';
import { newJob } from './jobs';
import type { FakeOptions } from './life';
import { generator } from './pictures';
import { iso } from './site';
import { thrown } from './workflows';

const VOTES: readonly Vote[] = ['reference', 'candidate', 'equal', 'neither'];
const NAMES = ['Lighthouse', 'Clockmaker', 'Workshop', 'Fern', 'Night market', 'Harbour'];

function median(values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2;
}

function pace(slower: number | null): Pace | null {
  if (slower === null) return null;
  if (Math.abs(slower - 1) < 0.03) return 'as_fast';
  return slower < 1 ? 'faster' : slower <= 1.1 ? 'slower' : 'much_slower';
}

function side(records: (GenerationRecord | null)[]) {
  const made = records.filter((record) => record !== null);
  const proved = made.filter((record) => record.verdict === 'proved');
  const peaks = made.flatMap((record) => record.card?.memory_peak_bytes ?? []);
  return {
    proved: proved.length,
    failed: made.length - proved.length,
    median_ms: median(proved.map((record) => record.took_ms)),
    memory_peak_bytes: peaks.length > 0 ? Math.max(...peaks) : null,
  };
}

/** Sets of golden prompts, their runs, and how two of them compare. */
export class FakeGolden extends FakeGallery {
  private sets: GoldenSet[] = [];
  private runs: GoldenRun[] = [];
  private readonly votes = new Map<string, Vote>();

  constructor(options: FakeOptions) {
    super(options);
    if (this.faults.has('golden-past')) this.goldenPast();
  }

  protected override held(): ReadonlySet<string> {
    return new Set(this.runs.flatMap((run) => run.entries.map((entry) => entry.record.id)));
  }

  private goldenPast() {
    const prompts = NAMES.map((name, index) => ({
      name,
      request: { ...structuredClone(PLAIN), prompt: `${name}, studio`, seed: `${77_000 + index}` },
    }));
    this.sets.push({ name: 'Acceptance', prompts });
    const random = generator('golden');
    const kept = (service: string, ago: number, slow: number, count: number, odd: boolean) => {
      const of = this.find(service);
      const id = `golden-${this.runs.length + 1}`;
      const entries = prompts.slice(0, count).map(({ name, request }, index): GoldenEntry => {
        const record = recordOf(
          `${id}-${index}`,
          of,
          request,
          iso(this.now - ago + index * 8_000),
          (4_200 + index * 420 + random() * 300) * slow,
          {
            pictures: this.pictures,
            card: this.studio(of).card,
            seed: request.seed,
            variant: odd && index > 1 ? ' other noise' : '',
          },
        );
        return { prompt: name, record: odd && index === 4 ? outOfMemory(record) : record };
      });
      this.records.push(...entries.map((entry) => entry.record));
      const complete = count === NAMES.length;
      const started_at = iso(this.now - ago);
      this.runs.unshift({ id, set: 'Acceptance', service, started_at, complete, entries });
    };
    kept('myia-turbo', 172_800_000, 1, NAMES.length, false);
    kept('myia', 86_400_000, 1.38, NAMES.length, true);
    kept('myia', 7_200_000, 1.3, 3, true);
  }

  async goldenSets() {
    if (this.faults.has('gallery-fails')) throw thrown('store', 'the sets could not be read');
    return structuredClone(this.sets);
  }

  async saveGoldenSet(set: GoldenSet) {
    this.calls.push(`golden set ${set.name} of ${set.prompts.length}`);
    this.sets = [...this.sets.filter((one) => one.name !== set.name), structuredClone(set)];
  }

  async removeGoldenSet(name: string) {
    this.calls.push(`golden set ${name} removed`);
    this.sets = this.sets.filter((one) => one.name !== name);
    this.runs = this.runs.filter((run) => run.set !== name);
  }

  async runGolden(name: string, id: string, force = false) {
    this.calls.push(`golden run ${name} on ${id}${force ? ' all the same' : ''}`);
    const set = this.sets.find((one) => one.name === name);
    if (!set) throw thrown('bad_request', `there is no set \`${name}\``);
    const service = this.find(id);
    for (const { request } of force ? [] : set.prompts) {
      if (this.roomOf(id, request).verdict !== 'too_little') continue;
      throw thrown('gpu_memory_low', 'the picture needs about 5.1 GiB on its card');
    }
    const key = `job-${this.jobs.length + 1}`;
    const job: Job = newJob(key, { what: 'golden' }, service, this.now);
    const run: GoldenRun = {
      id: key,
      set: name,
      service: id,
      started_at: job.started_at,
      complete: false,
      entries: [],
    };
    let begun = this.now;
    const next = () => {
      const prompt = set.prompts[run.entries.length];
      if (!prompt) return null;
      begun = this.now;
      const request = { ...prompt.request, cfg_scale: prompt.request.cfg_scale ?? 7 };
      const path = `${key}-${run.entries.length}`;
      return { prompt, made: generationJob(path, service, request, begun, this.studio(service)) };
    };
    let current = next();
    const keep = () => {
      if (run.entries.length > 0 && !this.runs.includes(run)) this.runs.unshift(run);
    };
    this.jobs.push({
      job,
      service,
      begun,
      cancelled: keep,
      move: (_elapsed, at) => {
        const done = run.entries.length;
        current?.made.move(at - begun, at);
        job.generation = current?.made.job.generation ?? null;
        const prompt = current?.prompt.name ?? '';
        job.golden = { set: name, prompt, done, of: set.prompts.length };
        const record = current?.made.job.record;
        if (record) {
          run.entries.push({ prompt, record });
          this.records.unshift(record);
          current = next();
        }
        if (current) return;
        run.complete = true;
        keep();
        job.phase = 'succeeded';
        job.finished_at = iso(at);
        job.cancellable = false;
        job.golden = { set: name, prompt, done: set.prompts.length, of: set.prompts.length };
      },
    });
    this.advance(0);
    return key;
  }

  async goldenRuns(set: string) {
    const runs = structuredClone(this.runs.filter((run) => run.set === set));
    const reference = (runs.findLast((run) => run.complete) ?? runs.at(-1))?.id ?? null;
    const others = runs.filter((run) => run.id !== reference);
    const candidate = (others.find((run) => run.complete) ?? others[0])?.id ?? null;
    return { runs, reference, candidate, frozen: runs.length > 0 };
  }

  async removeGoldenRun(id: string) {
    this.calls.push(`golden run ${id} removed`);
    this.runs = this.runs.filter((run) => run.id !== id);
  }

  async compareGolden(reference: string, candidate: string): Promise<GoldenComparison> {
    const [a, b] = [reference, candidate].map((id) => this.runs.find((run) => run.id === id));
    if (!a || !b) throw thrown('bad_request', 'there is no such run');
    const rows = a.entries.map(({ prompt, record }) => {
      const other = b.entries.find((entry) => entry.prompt === prompt)?.record ?? null;
      const pictures = [record.pictures[0], other?.pictures[0]] as const;
      const both = pictures[0] !== undefined && pictures[1] !== undefined;
      const identical = both && pictures[0]?.hash === pictures[1]?.hash;
      const slower = both && other ? other.took_ms / record.took_ms : null;
      const alike = generator(`${prompt}${b.service}`);
      return {
        prompt,
        reference: record,
        candidate: other,
        likeness: both ? { identical, similarity: identical ? 1 : 0.55 + alike() * 0.35 } : null,
        slower,
        pace: pace(slower),
        vote: this.votes.get(`${reference} ${candidate} ${prompt}`) ?? null,
      };
    });
    const votes = VOTES.map((vote) => rows.filter((row) => row.vote === vote).length);
    const slower = median(rows.flatMap((row) => row.slower ?? []));
    const finding = rows.some((row) => row.candidate?.verdict !== 'proved')
      ? 'worse'
      : rows.every((row) => row.likeness?.identical)
        ? 'same'
        : 'different';
    const holds = finding === 'same' || (finding === 'different' && a.service !== b.service);
    return structuredClone({
      set: a.set,
      holds,
      reference,
      candidate,
      services: [a.service, b.service],
      rows,
      summary: {
        finding,
        reference: side(rows.map((row) => row.reference)),
        candidate: side(rows.map((row) => row.candidate)),
        identical: rows.filter((row) => row.likeness?.identical).length,
        slower,
        pace: pace(slower),
        similarity: median(rows.flatMap((row) => row.likeness?.similarity ?? [])),
        votes: votes as [number, number, number, number],
      },
    });
  }

  async voteGolden(...[reference, candidate, prompt, vote]: Parameters<Backend['voteGolden']>) {
    this.calls.push(`vote ${prompt} ${vote}`);
    this.votes.set(`${reference} ${candidate} ${prompt}`, vote);
  }

  async saveGoldenTable(reference: string, candidate: string) {
    this.calls.push(`golden table ${reference} ${candidate}`);
    return '/home/admin/golden.csv';
  }
}
