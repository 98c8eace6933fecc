import type { Backend } from '../../backend/backend';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, GalleryUse, GenerationRecord } from '../../backend/types';
import { Task } from '../../shared/task.svelte';
import type { Filters } from './query';
import { ALL, queryOf } from './query';
import type { Keys, Selection } from './selection';
import { all, among, choose, NOTHING, none } from './selection';

const TYPING_MS = 250;

/** The kept generations that match, as far as they were looked at. */
export class Gallery {
  filters = $state.raw<Filters>(ALL);
  records = $state.raw<readonly GenerationRecord[]>([]);
  /** Of all that match; `null` until that is known. */
  total = $state<number | null>(null);
  more = $state(false);
  busy = $state(false);
  error = $state.raw<ErrorInfo | null>(null);
  selection = $state.raw<Selection>(NOTHING);
  readonly use: Task<GalleryUse>;

  readonly ids = $derived(this.records.map((record) => record.id));
  readonly filtered = $derived(JSON.stringify(this.filters) !== JSON.stringify(ALL));
  readonly selected = $derived(this.records.filter(({ id }) => this.selection.ids.has(id)));

  private readonly backend: Backend;
  private turn = 0;
  private timer = 0;

  constructor(backend: Backend) {
    this.backend = backend;
    this.use = new Task(() => backend.galleryUse());
  }

  /** Asks with other filters; at once, or when somebody has stopped typing. */
  filter(change: Partial<Filters>, typing = false) {
    this.filters = { ...this.filters, ...change };
    clearTimeout(this.timer);
    if (typing) this.timer = window.setTimeout(() => void this.load(), TYPING_MS);
    else void this.load();
  }

  /** The first page; what was selected and is not there any more is not selected. */
  load = async (): Promise<void> => {
    void this.use.again();
    await this.ask(null);
  };

  next = async (): Promise<void> => {
    const last = this.records.at(-1);
    if (this.busy || !this.more || !last || this.error) return;
    await this.ask(last.id);
  };

  /** Once more what failed: the first page, or the one after what is there. */
  again = async (): Promise<void> => {
    this.error = null;
    await (this.records.length > 0 && this.more ? this.next() : this.load());
  };

  private async ask(after: string | null) {
    const turn = ++this.turn;
    this.busy = true;
    try {
      const page = await this.backend.gallery(queryOf(this.filters, after, Date.now()));
      if (turn !== this.turn) return;
      this.records = after === null ? page.records : [...this.records, ...page.records];
      this.total = page.total;
      this.more = page.more;
      this.error = null;
      if (after === null) this.selection = among(this.selection, this.ids);
    } catch (thrown) {
      if (turn === this.turn) this.error = asErrorInfo(thrown);
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  }

  choose(id: string, keys: Keys) {
    this.selection = choose(this.selection, this.ids, id, keys);
  }

  /** Moves the keyboard's place and leaves what is selected. */
  point(id: string) {
    this.selection = { ...this.selection, cursor: id };
  }

  all() {
    this.selection = all(this.selection, this.ids);
  }

  none() {
    this.selection = none(this.selection);
  }

  /** Deletes generations; how many went. */
  async forget(ids: string[]): Promise<number> {
    const gone = await this.backend.forgetGenerations(ids);
    if (gone === ids.length && this.total !== null) {
      // What one looks at stays where it is.
      this.records = this.records.filter(({ id }) => !ids.includes(id));
      this.total -= gone;
      this.selection = among(this.selection, this.ids);
      void this.use.again();
    } else await this.load();
    return gone;
  }
}
