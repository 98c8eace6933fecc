import type { Candidate, DiscoveryReport, ServiceSettings } from '../types';
import { settingsOf } from './site';

/** What a look at the fake engines finds; `none` leaves them unreachable. */
export function discoveryReport(known: ReadonlySet<string>, none: boolean): DiscoveryReport {
  const candidate = (s: ServiceSettings, image: string): Candidate => ({
    id: s.id,
    kind: s.kind,
    host: 'local',
    endpoint: 'unix:///var/run/docker.sock',
    container: s.container,
    image,
    api: s.api,
    gpu_device_ids: s.declared_gpu === null ? [] : [`${s.declared_gpu}`],
    compose_file: null,
    running: s.kind === 'forge',
    why: [
      { by: 'image', image, word: s.kind },
      { by: 'port', port: 17860 },
    ],
    known_as: known.has(s.id) ? s.id : null,
  });
  const forge = 'ai-dock/stable-diffusion-webui-forge';
  return {
    engines: [
      {
        endpoint: 'unix:///var/run/docker.sock',
        origin: 'default',
        version: none ? null : '28.3.0',
        cause: none ? 'engine.refused' : null,
        detail: none ? 'No such file or directory (os error 2)' : null,
      },
      {
        endpoint: 'tcp://nas:2375',
        origin: 'context nas',
        version: null,
        cause: 'engine.timeout',
        detail: null,
      },
    ],
    candidates: none
      ? []
      : [
          candidate(settingsOf('myia-turbo', 'forge', 'myia-turbo-supervisor-1', 17861, 1), forge),
          candidate(settingsOf('myia', 'forge', 'myia-supervisor-1', 36525, 0), forge),
          candidate(settingsOf('comfyui', 'comfyui', 'comfyui-1', 8188, null), 'comfyui:latest'),
        ],
  };
}
