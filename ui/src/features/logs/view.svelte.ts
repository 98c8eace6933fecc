import type { LogQuery } from '../../backend/types';
import { finder } from './finder';
import type { Range } from './range';

/** What of a log is asked for on the page. */
export class LogView {
  filter = $state('');
  regex = $state(false);
  /** Only lines at least so grave. */
  level = $state<LogQuery['level']>(null);
  program = $state<string | null>(null);

  /** Whether lines that do not match stay, and those that do are marked. */
  keep = $state(false);
  range = $state.raw<Range | null>(null);
  /** Whether lines that say the same stand together. */
  grouped = $state(false);
  /** The filter that a group set; it covers whole lines, so nothing in them is marked. */
  private grouping = $state<string | null>(null);

  /** Whether there is something to jump to. */
  readonly marking = $derived(this.keep && this.filter !== '');
  readonly query = $derived<LogQuery>({
    filter: this.filter,
    regex: this.regex,
    level: this.level,
    program: this.program,
    since: this.range?.since ?? null,
    until: this.range?.until ?? null,
    tail: null,
    mark: this.marking,
  });
  readonly filtered = $derived(
    (this.filter !== '' && !this.keep) ||
      this.level !== null ||
      this.program !== null ||
      this.range !== null,
  );
  readonly mark = $derived(this.filter === this.grouping ? null : finder(this.filter, this.regex));
  /** Where only some lines of a traceback match, none of them may be hidden. */
  readonly folded = $derived(this.filter === '' && this.level === null);

  constructor(filter: string, keep: boolean) {
    this.filter = filter;
    this.keep = keep;
  }

  clear = (): void => {
    this.filter = '';
    this.level = null;
    this.program = null;
    this.range = null;
  };

  /** Leaves the groups for the lines of one. */
  find = (expression: string): void => {
    this.filter = expression;
    this.grouping = expression;
    this.regex = true;
    this.keep = false;
    this.grouped = false;
  };
}
