import type { Preferences } from '../../backend/backend';

/** How the time of a line may be told, in the order in which they are offered. */
export const TIMES = [
  'off',
  'local',
  'utc',
  'relative',
] as const satisfies readonly Preferences['logs']['times'][];
