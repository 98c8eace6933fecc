import type { Backend, Release } from '../../backend/backend';
import { asErrorInfo, unreadable } from '../../backend/errors';
import type { ErrorInfo, LogBatch, LogQuery } from '../../backend/types';
import { arrived, type Arrived } from './arrived';
import { takeYoungest, type Way } from './ways';

/** Lines asked of each service at a time. */
const PAGE = 500;

/**
 * The past of one or more services, given backwards in the order of time. A line is given only
 * when nothing younger of another service can still come: what is shown has no holes.
 */
export class OlderLines {
  loading = $state(false);
  error = $state.raw<ErrorInfo | null>(null);
  exhausted = $state(false);

  private readonly ways: Way[];
  private releases: Release[] = [];
  private ended = false;
  private readonly backend: Backend;
  private readonly query: LogQuery;

  constructor(backend: Backend, services: readonly string[], query: LogQuery) {
    this.backend = backend;
    this.query = query;
    this.ways = services.map((service, source) => ({
      service,
      source,
      lines: [],
      before: null,
      exhausted: false,
    }));
  }

  /** What a service's reader began with; not yet given. */
  begin(source: number, batch: Pick<LogBatch, 'lines' | 'hits'>): void {
    const way = this.ways[source];
    if (!way) return;
    way.before = batch.lines[0]?.seq ?? null;
    way.lines = arrived(batch, source).reverse();
  }

  /** A line came although nothing was held before it: what is older is what comes before it. */
  bound(source: number, seq: number): void {
    const way = this.ways[source];
    if (way) way.before ??= seq;
  }

  /** Gets older lines where none wait, then gives what can be given, oldest first. */
  async more(): Promise<Arrived[]> {
    if (this.loading || this.exhausted || this.ended) return [];
    this.loading = true;
    this.error = null;
    try {
      await Promise.all(
        this.ways.filter((way) => way.lines.length === 0 && !way.exhausted).map(this.fetch),
      );
    } catch (thrown) {
      this.error = asErrorInfo(thrown);
    }
    for (const release of this.releases.splice(0)) release();
    this.loading = false;
    return this.error ? [] : this.give();
  }

  /** What can be given of what was got, oldest first. */
  give(): Arrived[] {
    const given = takeYoungest(this.ways);
    this.exhausted = this.ways.every((way) => way.exhausted && way.lines.length === 0);
    return given;
  }

  end(): void {
    this.ended = true;
    for (const release of this.releases) release();
    this.releases = [];
  }

  private readonly fetch = async (way: Way): Promise<void> => {
    const got: Arrived[] = [];
    await new Promise<void>((resolve, reject) => {
      this.backend
        .searchLogs(way.service, this.query, way.before, PAGE, (batch) => {
          got.push(...arrived(batch, way.source));
          if (!batch.done) return;
          if (batch.error === null) resolve();
          else reject(unreadable(batch.error));
        })
        .then((release) => {
          if (this.ended) release();
          else this.releases.push(release);
        }, reject);
    });
    way.exhausted = got.length < PAGE;
    // What came by itself meanwhile is no older line.
    const bound = way.before;
    way.lines.push(...got.filter(({ line }) => bound === null || line.seq < bound));
    way.before = way.lines.at(-1)?.line.seq ?? way.before;
  };
}
