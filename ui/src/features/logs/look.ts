import type { Preferences } from '../../backend/backend';
import type { LogLine } from '../../backend/types';
import type { Finder } from './finder';

/** How lines are shown. */
export interface Look {
  mark: Finder | null;
  wrap: boolean;
  times: Preferences['logs']['times'];
  /** Moves on by itself; for times that are told as an age, and to tell today from other days. */
  now: number;
  today: number;
}

/** A service among several whose lines stand in one list. */
export interface Voice {
  name: string;
  /** The end of the name of its colour: `--voice-0` and so on. */
  colour: number;
}

/** What a row of the list is to the person. */
export interface Place {
  /** Whose line it is, where several are shown. */
  voice: Voice | null;
  selected: boolean;
  /** One to jump to. */
  hit: boolean;
}

export const PLAIN: Place = { voice: null, selected: false, hit: false };

/** Tells a line from every other one in the list; `source` is the number of its service. */
export const lineKey = (line: LogLine, source: number): string => `${line.seq} ${source}`;
