import type { LogQuery } from '../../backend/types';

/** Asks for every line. */
export const EVERYTHING: LogQuery = {
  filter: '',
  regex: false,
  level: null,
  program: null,
  since: null,
  until: null,
  tail: null,
  mark: false,
};

/** Whether two ask for the same lines. */
export const sameQuery = (a: LogQuery, b: LogQuery): boolean =>
  (Object.keys(EVERYTHING) as (keyof LogQuery)[]).every((key) => a[key] === b[key]);
