import type { Incident } from '../../backend/types';
import { t } from '../../shared/i18n.svelte';
import { numberOf, valueOf } from './evidence';
import { listed } from './listed';

/** Lost settings that are named; the evidence has more. */
const NAMED = 4;

/** Which settings have not their values any more. */
function lost(incident: Incident): string {
  const all = incident.evidence.filter(({ name }) => name === 'key').map(({ value }) => value);
  if (all.length === 0) return t('incident.basis.config.reset_unknown');
  const count = all.length + (numberOf(incident, 'more_keys') ?? 0);
  const named = all.slice(0, NAMED).map((line) => line.split(': ')[0] ?? line);
  const keys = count > named.length ? `${named.join(', ')}, …` : listed(named);
  return t('incident.basis.config.reset', { count, keys });
}

/** What was found of a configuration, where the evidence tells it. */
export function configurationDetail(incident: Incident): string | null {
  const read = (name: string) => valueOf(incident, name);
  switch (incident.cause) {
    case 'config.reset':
      return lost(incident);
    case 'config.model_unset': {
      const [model, request] = [read('model_before'), read('request')];
      if (model === undefined) return null;
      return request === undefined
        ? t('incident.basis.config.model_unset', { model })
        : t('incident.basis.config.model_unset_by', { model, request });
    }
    case 'config.second_writer': {
      const [others, file] = [read('shared_with'), read('file')];
      if (others === undefined || file === undefined) return null;
      const services = listed([incident.subject.id, ...others.split(', ')]);
      return t('incident.basis.config.second_writer', { services, file });
    }
    case 'config.workspace_unmounted': {
      const mount = read('mount');
      return mount === undefined ? null : t('incident.basis.config.workspace_unmounted', { mount });
    }
    default:
      return null;
  }
}
