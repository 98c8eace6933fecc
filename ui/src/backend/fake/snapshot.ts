import type { Incident, Job, KeeperState, RulesStatus } from '../types';
import { gpus } from './gpus';
import type { Fault, FakeService } from './site';
import { unsilenced } from './said';
import { engineOutcome, incident, iso, lowestBroken, outcome, serviceState } from './site';

/** Everything the snapshot is made of. */
export interface Site {
  revision: number;
  now: number;
  born: number;
  demo: boolean;
  services: FakeService[];
  jobs: Job[];
  loads: Map<number, (number | null)[]>;
  faults: ReadonlySet<Fault>;
  rules: RulesStatus;
  silenced: ReadonlySet<string>;
}

/** One state as the keeper would publish it. */
export function snapshot(site: Site): KeeperState {
  const { now, born, faults } = site;
  const services = site.services.map((s) => {
    const state = serviceState(s, faults, now, born);
    state.log.said = unsilenced(state.log.said, site.silenced);
    return state;
  });
  const engine = engineOutcome(faults, now, born);
  const up = engine.status === 'ok';
  const incidents: (Incident | null)[] = [];
  if (!up) {
    const broken = { rung: 'engine' as const, check: 'engine.ping', outcome: engine };
    const hidden = services.map((s) => s.id);
    incidents.push(incident('host', 'local', broken, now, hidden));
  }
  for (const service of up ? services : []) {
    const broken = service.acting ? undefined : lowestBroken(service.ladder.rungs);
    if (broken) incidents.push(incident('service', service.id, broken, now, []));
  }
  const view = gpus(site.services, site.loads, faults, now);
  for (const { latest, outcome: verdict } of view.cards) {
    if (verdict.cause === null) continue;
    const broken = { rung: 'host' as const, check: verdict.cause, outcome: verdict };
    incidents.push(incident('gpu', latest.uuid, broken, now, []));
  }
  return {
    revision: site.revision,
    at: iso(now),
    demo: site.demo,
    hosts: [
      {
        id: 'local',
        endpoint: 'unix:///var/run/docker.sock',
        origin: 'default',
        engine_version: up ? '28.3.0' : null,
        api_version: up ? '1.51' : null,
        host: outcome('ok', null, born, now),
        engine,
        retry_in_ms: up ? null : 4_000,
        gpus: view,
      },
    ],
    services,
    incidents: incidents.filter((i) => i !== null),
    jobs: [...site.jobs].reverse().slice(0, 10),
    settings: {
      path: site.demo ? 'demo host' : '/home/admin/.config/forgekeeper/forgekeeper.toml',
      exists: site.services.length > 0,
      problem: faults.has('settings-error')
        ? {
            line: 12,
            column: 9,
            reason: 'unknown kind `fordge`',
            remedy: 'use `forge` or `comfyui`',
          }
        : null,
      keyring_available: !faults.has('no-keyring'),
    },
    rules: site.rules,
  };
}
