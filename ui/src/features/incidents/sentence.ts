import type { Incident } from '../../backend/types';
import { t, tMaybe } from '../../shared/i18n.svelte';

/** One sentence that names what is wrong with what. */
export function incidentSentence(incident: Incident): string {
  const subject = incident.subject.id;
  return (
    tMaybe(`incident.${incident.cause}`, { subject }) ??
    `${subject}: ${t(`cause.${incident.cause}`)}`
  );
}
