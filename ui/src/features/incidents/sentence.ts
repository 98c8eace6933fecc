import type { HostState, Incident } from '../../backend/types';
import { cardTitle } from '../../shared/cards';
import { t, tMaybe } from '../../shared/i18n.svelte';
import { cardOfEvidence, shortUuid } from '../placement/names';
import { valueOf } from './evidence';
import { listed } from './listed';

/** What an incident is of, as people call it: a card has a better name than its UUID. */
function subjectOf({ subject }: Incident, hosts: readonly HostState[]): string {
  if (subject.of !== 'gpu') return subject.id;
  const cards = hosts.flatMap((host) => host.gpus.cards);
  const card = cards.find(({ latest }) => latest.uuid === subject.id);
  return card ? cardTitle(card.latest) : shortUuid(subject.id);
}

/** On which card a service computes, and with whom, by the incident's own evidence. */
function placed(incident: Incident, hosts: readonly HostState[]): string | null {
  const measured = valueOf(incident, 'measured_card');
  if (measured === undefined) return null;
  const cards = hosts.flatMap((host) => host.gpus.cards);
  const card = cardOfEvidence(cards, measured);
  const others = valueOf(incident, 'shared_with')?.split(', ') ?? [];
  const subject = incident.subject.id;
  if (others.length > 0) {
    const services = listed([subject, ...others]);
    return t('incident.placement.shared', { count: others.length, services, card });
  }
  const declared = valueOf(incident, 'declared_card');
  if (declared === undefined) return null;
  const meant = cardOfEvidence(cards, declared);
  return t('incident.placement.differs', { subject, card, declared: meant });
}

/** One sentence that names what is wrong with what. */
export function incidentSentence(incident: Incident, hosts: readonly HostState[]): string {
  const subject = subjectOf(incident, hosts);
  const placement = incident.cause === 'placement.mismatch' ? placed(incident, hosts) : null;
  return (
    placement ??
    tMaybe(`incident.${incident.cause}`, { subject }) ??
    `${subject}: ${t(`cause.${incident.cause}`)}`
  );
}
