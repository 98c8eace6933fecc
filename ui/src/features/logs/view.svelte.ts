import type { LogQuery } from '../../backend/types';
import { marker } from './highlight';

/** What of a log is asked for on the page. */
export class LogView {
  filter = $state('');
  regex = $state(false);
  problems = $state(false);
  program = $state<string | null>(null);

  readonly query = $derived<LogQuery>({
    filter: this.filter,
    regex: this.regex,
    problems: this.problems,
    program: this.program,
    since: null,
    until: null,
    tail: null,
  });
  readonly filtered = $derived(this.filter !== '' || this.problems || this.program !== null);
  readonly mark = $derived(marker(this.filter, this.regex));
  /** Where only some lines of a traceback match, none of them may be hidden. */
  readonly folded = $derived(this.filter === '' && !this.problems);

  constructor(filter: string) {
    this.filter = filter;
  }

  clear = (): void => {
    this.filter = '';
    this.problems = false;
    this.program = null;
  };
}
