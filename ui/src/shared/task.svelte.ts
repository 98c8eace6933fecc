import { asErrorInfo } from '../backend/errors';
import type { ErrorInfo } from '../backend/types';

/** One question to the keeper that may be asked again; only the newest answer counts. */
export class Task<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ErrorInfo | null>(null);
  busy = $state(false);
  private turn = 0;
  private readonly ask: () => Promise<T>;

  constructor(ask: () => Promise<T>) {
    this.ask = ask;
  }

  again = async (): Promise<T | null> => {
    const turn = ++this.turn;
    this.busy = true;
    try {
      const value = await this.ask();
      if (turn !== this.turn) return null;
      this.value = value;
      this.error = null;
      return value;
    } catch (thrown) {
      if (turn === this.turn) this.error = asErrorInfo(thrown);
      return null;
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  };

  dismiss = () => {
    this.error = null;
  };
}
