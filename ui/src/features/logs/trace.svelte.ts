import type { LogLine } from '../../backend/types';

/** A Python traceback: one row, that opens to its lines. */
export class Trace {
  readonly head: LogLine;
  /** What the program saw in the end; `null` while it is not told. */
  cause = $state.raw<LogLine | null>(null);
  count = $state(0);
  open = $state(false);
  /** Numbers of its lines. */
  readonly ids: number[] = [];
  /** Somebody opened or closed it: it stays so. */
  chosen = false;
  /** The sentence that another traceback follows has been. */
  continued = false;

  constructor(head: LogLine) {
    this.head = head;
  }

  toggle = (): void => {
    this.open = !this.open;
    this.chosen = true;
  };
}
