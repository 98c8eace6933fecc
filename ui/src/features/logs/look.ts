import type { Preferences } from '../../backend/backend';

/** How lines are shown. */
export interface Look {
  mark: RegExp | null;
  wrap: boolean;
  times: Preferences['logs']['times'];
  /** Moves on by itself; for times that are told as an age, and to tell today from other days. */
  now: number;
  today: number;
}
