import type {
  Cause,
  ContainerSnapshot,
  Incident,
  KindId,
  Outcome,
  Rung,
  RungOutcome,
  ServiceSettings,
  ServiceState,
  Status,
} from '../types';
import type { Fault } from './faults';
import type { FakeLog } from './logs';
import { isSilent, meterOf, SILENT_EVIDENCE } from './meter';
import { placementOf } from './placement';
import { LOST_LINE } from './said';

export { FAULTS, type Fault } from './faults';

/** One service as the fake knows it. */
export interface FakeService {
  settings: ServiceSettings;
  running: boolean;
  startedAt: number;
  programUp: boolean;
  apiUp: boolean;
  acting: string | null;
  generating: { job: string; fraction: number } | null;
  image: ServiceState['last_generation'];
  credentials: ServiceState['credentials'];
  restarts: number;
  log: FakeLog;
  /** The newest placement proof. */
  proved: ServiceState['placement']['proved'];
}

const RUNGS: Rung[] = [
  'host',
  'engine',
  'container',
  'program',
  'api',
  'image',
  'public',
  'stranger',
];
const CHECKS: Record<Rung, string> = {
  host: 'host.awake',
  engine: 'engine.ping',
  container: 'container.state',
  program: 'program.state',
  api: 'api.models',
  image: 'image.last',
  public: 'public.same',
  stranger: 'stranger.refused',
};

export const iso = (at: number) => new Date(at).toISOString();

/** A verdict without evidence. */
export function outcome(status: Status, cause: Cause | null, since: number, now: number): Outcome {
  const measured = status !== 'unknown' && status !== 'not_configured';
  return {
    status,
    cause,
    transient: cause?.endsWith('.starting') ?? false,
    evidence: [],
    since: measured ? iso(since) : null,
    checked_at: measured ? iso(now - (now % 2000)) : null,
  };
}

const with_ = (verdict: Outcome, evidence: Record<string, string | number>): Outcome => ({
  ...verdict,
  evidence: Object.entries(evidence).map(([name, value]) => ({ name, value: String(value) })),
});

export function engineOutcome(faults: ReadonlySet<Fault>, now: number, born: number): Outcome {
  if (faults.has('engine-refused')) {
    return with_(outcome('failing', 'engine.refused', born, now), {
      endpoint: 'unix:///var/run/docker.sock',
      reason: 'Connection refused (os error 111)',
    });
  }
  return with_(outcome('ok', null, born, now), { ping_ms: 3, version: '28.3.0' });
}

function container(service: FakeService): ContainerSnapshot {
  const kind = service.settings.kind;
  return {
    id: '4f1c0d7e9a2b',
    name: service.settings.container,
    image: kind === 'forge' ? 'ai-dock/stable-diffusion-webui-forge:latest' : 'comfyui:latest',
    image_id: 'sha256:77aa',
    state: service.running ? 'running' : 'exited',
    exit_code: service.running ? null : 0,
    oom_killed: false,
    error: null,
    started_at: iso(service.startedAt),
    finished_at: service.running ? null : iso(service.startedAt + 3_600_000),
    created_at: iso(service.startedAt - 86_400_000),
    restart_count: 0,
    health: service.settings.id === 'myia-turbo' && service.running ? 'healthy' : null,
    memory_limit: null,
    tty: false,
    ports: [{ container_port: 17860, host_ip: '0.0.0.0', host_port: 17861 }],
    compose_project: 'forge',
    compose_service: service.settings.id,
    compose_file: service.settings.compose_file,
    image_title: null,
    image_source: null,
    gpu_device_ids:
      service.settings.declared_gpu === null ? [] : [`${service.settings.declared_gpu}`],
    gpu_count: null,
    command: ['init.sh'],
    env_names: ['WEB_ENABLE_AUTH'],
    gpu_env: [],
    compose_hash: '5d0f3c',
  };
}

/** Judges one service the way the keeper does: nothing above a broken rung is judged. */
export function judge(
  service: FakeService,
  faults: ReadonlySet<Fault>,
  now: number,
  born: number,
): RungOutcome[] {
  const fault = (name: Fault) => faults.has(name) && service.settings.id === 'myia';
  const since = service.startedAt;
  const verdicts: Record<Rung, () => Outcome> = {
    host: () => outcome('ok', null, born, now),
    engine: () => engineOutcome(faults, now, born),
    container: () =>
      service.running
        ? with_(outcome('ok', null, since, now), { state: 'running' })
        : with_(outcome('failing', 'container.exited', since, now), {
            exit_code: 0,
            finished_at: iso(since + 3_600_000),
          }),
    program: () => {
      if (service.settings.kind === 'comfyui') {
        return outcome('not_configured', 'rung.not_measurable', since, now);
      }
      if (fault('program-fatal')) {
        return with_(outcome('failing', 'program.fatal', since, now), {
          state: 'FATAL',
          detail: 'Exited too quickly (process log may have details)',
        });
      }
      if (fault('context-lost')) {
        return with_(outcome('failing', 'program.context_lost', since, now), { line: LOST_LINE });
      }
      if (isSilent(service, faults)) {
        const silent = outcome('degraded', 'logs.silent', since, now);
        return { ...silent, evidence: SILENT_EVIDENCE };
      }
      return service.programUp
        ? with_(outcome('ok', null, since, now), { state: 'RUNNING' })
        : with_(outcome('degraded', 'program.starting', now, now), { state: 'STARTING' });
    },
    api: () => {
      if (fault('api-unauthorized')) {
        return with_(outcome('failing', 'api.unauthorized', since, now), { http_status: 401 });
      }
      return service.apiUp
        ? with_(outcome('ok', null, since, now), { latency_ms: 38, models: 42 })
        : with_(outcome('degraded', 'api.starting', now, now), { answer: 'placeholder' });
    },
    image: () => {
      const { proved } = service;
      if (proved?.verdict === 'shared_card' && !proved.faded) {
        return with_(outcome('degraded', 'placement.mismatch', Date.parse(proved.at), now), {
          declared_card: 'GPU 0 · RTX 3080',
          measured_card: 'GPU 1 · RTX 3090',
          shared_with: proved.shared_with.join(', '),
        });
      }
      if (service.image === null) return outcome('unknown', 'image.not_since_restart', since, now);
      if (service.image.verdict === 'blank') return outcome('failing', 'image.blank', now, now);
      if (faults.has('image-cpu')) return outcome('failing', 'image.cpu_fallback', now, now);
      if (service.image.verdict !== 'proved') return outcome('failing', 'image.failed', now, now);
      const at = Date.parse(service.image.started_at);
      return with_(outcome('ok', null, at, now), { took_ms: service.image.took_ms });
    },
    public: () => outcome('not_configured', 'rung.not_configured', since, now),
    stranger: () => outcome('not_configured', 'rung.not_configured', since, now),
  };
  let broken = false;
  return RUNGS.map((rung) => {
    let verdict: Outcome;
    if (faults.has('not-measured')) verdict = outcome('unknown', 'rung.not_measured_yet', now, now);
    else if (broken) verdict = outcome('unknown', 'rung.below', now, now);
    else verdict = verdicts[rung]();
    broken ||= verdict.status === 'failing' || verdict.status === 'asleep';
    return { rung, check: CHECKS[rung], outcome: verdict };
  });
}

export function lowestBroken(rungs: RungOutcome[]): RungOutcome | undefined {
  return (
    rungs.find((r) => r.outcome.status === 'failing' || r.outcome.status === 'asleep') ??
    rungs.find((r) => r.outcome.status === 'degraded')
  );
}

export function serviceState(
  service: FakeService,
  faults: ReadonlySet<Fault>,
  now: number,
  born: number,
): ServiceState {
  const rungs = judge(service, faults, now, born);
  const broken = lowestBroken(rungs);
  const measured = !faults.has('not-measured') && !faults.has('engine-refused');
  const lost = faults.has('log-lost') || faults.has('engine-refused') || !service.running;
  return {
    id: service.settings.id,
    kind: service.settings.kind,
    host: 'local',
    container_name: service.settings.container,
    container: measured ? container(service) : null,
    api: service.settings.api,
    public_url: service.settings.public_url,
    declared_gpu: service.settings.declared_gpu,
    status: faults.has('not-measured') ? 'unknown' : (broken?.outcome.status ?? 'ok'),
    ladder: { rungs },
    program_state:
      measured && service.running && service.settings.kind === 'forge' ? 'RUNNING' : null,
    api_latency_ms: measured && service.apiUp ? 34 + (Math.floor(now / 2000) % 9) : null,
    models: measured && service.apiUp ? 42 : null,
    busy: service.generating
      ? {
          percent: Math.round(service.generating.fraction * 100),
          loading_model: false,
          eta_s: null,
        }
      : null,
    acting: service.acting,
    busy_known: measured,
    forecasts: {
      start: null,
      stop: null,
      container: { median_ms: 12_400, spread_ms: 900, runs: 6 },
      program: { median_ms: 9_200, spread_ms: null, runs: 1 },
    },
    restarts_30d: service.restarts,
    last_generation: service.image,
    log: meterOf(service, faults, lost),
    placement: placementOf(service, faults),
    credentials: service.credentials,
  };
}

export function incident(
  of: 'host' | 'service' | 'gpu',
  id: string,
  broken: RungOutcome,
  now: number,
  hides: string[],
): Incident | null {
  const { status, cause, evidence, since } = broken.outcome;
  if (cause === null) return null;
  return {
    id: `${of}:${id}:${broken.rung}:${cause}`,
    subject: { of, id },
    rung: broken.rung,
    status,
    cause,
    evidence,
    opened_at: since ?? iso(now),
    last_seen_at: iso(now),
    count: 1,
    flapping: false,
    hides,
  };
}

export const settingsOf = (
  id: string,
  kind: KindId,
  container: string,
  port: number,
  gpu: number | null,
): ServiceSettings => ({
  id,
  kind,
  host: 'local',
  container,
  api: `http://localhost:${port}`,
  public_url: kind === 'forge' ? `https://${id}.example.org` : null,
  declared_gpu: gpu,
  compose_file: null,
  workspace: null,
});
