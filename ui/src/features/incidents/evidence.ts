import type { Incident } from '../../backend/types';

/** A value of an incident's evidence, when it is there. */
export const valueOf = (incident: Incident, name: string): string | undefined =>
  incident.evidence.find((one) => one.name === name)?.value;

/** The same as a number. */
export function numberOf(incident: Incident, name: string): number | null {
  const value = Number(valueOf(incident, name) ?? NaN);
  return Number.isFinite(value) ? value : null;
}
