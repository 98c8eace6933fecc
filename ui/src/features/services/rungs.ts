import type { Outcome, Rung, RungOutcome, ServiceState } from '../../backend/types';
import { ago, seconds } from '../../shared/format';
import { t } from '../../shared/i18n.svelte';

/** Shown on every lane; the two rungs of the host appear when they were measured and are not ok. */
const ALWAYS: readonly Rung[] = ['container', 'program', 'api', 'image', 'public', 'stranger'];

export function shownRungs(service: ServiceState): RungOutcome[] {
  return service.ladder.rungs.filter(
    ({ rung, outcome }) =>
      ALWAYS.includes(rung) ||
      (outcome.status !== 'ok' && outcome.cause !== 'rung.not_measured_yet'),
  );
}

const value = (outcome: Outcome, name: string): string | undefined =>
  outcome.evidence.find((e) => e.name === name)?.value;

const latency = (ms: number): string =>
  ms < 1 ? t('rung.detail.latency_low') : t('rung.detail.latency', { ms });

/** A few words below a rung's name: what was measured, or why it is as it is. */
export function rungDetail(service: ServiceState, { rung, outcome }: RungOutcome, now: number) {
  if (rung === 'api' && service.busy && outcome.status !== 'failing') {
    const { percent, loading_model: loading } = service.busy;
    if (loading) return t('rung.detail.loading');
    return percent === null ? t('rung.detail.busy') : t('rung.detail.busy_percent', { percent });
  }
  if (outcome.status !== 'ok') return outcome.cause ? t(`cause.${outcome.cause}`) : '';
  switch (rung) {
    case 'container':
      return service.container?.health
        ? t(`health.${service.container.health}`)
        : t('rung.detail.up');
    case 'program':
      return service.program_state ?? t('rung.detail.up');
    case 'api':
      return service.api_latency_ms === null
        ? t('rung.detail.answers')
        : latency(service.api_latency_ms);
    case 'image': {
      const made = service.last_generation;
      if (made) return `${seconds(made.took_ms)} · ${ago(made.started_at, now)}`;
      const took = Number(value(outcome, 'took_ms'));
      return Number.isFinite(took) && took > 0 ? seconds(took) : t('rung.detail.proved');
    }
    default: {
      const told = value(outcome, 'latency_ms');
      return told !== undefined && Number.isFinite(Number(told))
        ? latency(Number(told))
        : t('rung.detail.proved');
    }
  }
}
