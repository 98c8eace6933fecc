import type { Attribution, ChangeOrigin, PartId, SnapshotReason, SnapshotView } from '../types';
import { iso } from './site';

/** A part as the fake keeps it: its text, `null` when it was not there, or why it could not be read. */
export type KeptPart =
  { path: string; text: string | null } | { path: string; why: 'not_in_time' | 'api' | 'no_place' };
export type KeptParts = Partial<Record<PartId, KeptPart>>;

/** A snapshot as the fake keeps it. */
export interface Kept {
  id: string;
  service: string;
  at: number;
  reason: SnapshotReason;
  note: string | null;
  healthy: boolean | null;
  pinned: boolean;
  image: string;
  parts: KeptParts;
  /** By whom what changed since the one before was changed. */
  causes: Partial<Record<PartId, Attribution>>;
}

export const cause = (
  by: ChangeOrigin,
  certainty: Attribution['certainty'],
  evidence: string | null = null,
): Attribution => ({ by, certainty, evidence });

const HOME = '/opt/stable-diffusion-webui-forge';
const json = (value: unknown) => JSON.stringify(value, null, 2);
const OPTIONS = {
  sd_model_checkpoint: 'realisticVisionV60B1_v51VAE.safetensors [15012c538f]',
  CLIP_stop_at_last_layers: 1,
  samples_format: 'png',
  jpeg_quality: 80,
  outdir_txt2img_samples: '/workspace/storage/txt2img',
  quicksettings_list: ['sd_model_checkpoint', 'sd_vae'],
};
const COMPOSE = [
  'services:',
  '  supervisor:',
  '    image: ghcr.io/ai-dock/stable-diffusion-webui-forge:v2-cuda-12.1.1',
  '    build:',
  '      context: ./build',
  '    environment:',
  '      - CUDA_VISIBLE_DEVICES=0',
  '      - WEB_PASSWORD=***',
  '    ports:',
  '      - "36525:17860"',
  '    volumes:',
  '      - ./workspace:/workspace',
  '    restart: unless-stopped',
];
const STYLES = ['name,prompt,negative_prompt', 'oil,"oil painting, thick strokes",photo'];

const image = (tag: string) =>
  json({ image: `ghcr.io/ai-dock/stable-diffusion-webui-forge:${tag}`, restart: 'unless-stopped' });
const commits = (head: string) =>
  json({
    'sd-civitai-browser-plus': { commit: head, branch: 'main' },
    adetailer: { commit: 'a89c01d' },
  });

function founding(): KeptParts {
  const options = { path: `${HOME}/config.json`, text: json(OPTIONS) };
  return {
    compose: { path: 'D:\\Production\\forge\\docker-compose.yaml', text: COMPOSE.join('\n') },
    env_file: { path: '', why: 'no_place' },
    container: { path: '', text: image('v2-cuda-12.1.1') },
    environment: { path: '', text: json({ env: { WEB_PASSWORD: '***' }, cmd: ['init.sh'] }) },
    forge_config: options,
    forge_config_moved: { path: `${HOME}/tmp/config.json`, text: null },
    forge_ui_config: { path: `${HOME}/ui-config.json`, text: json({ 'txt2img/Steps/value': 20 }) },
    forge_styles: { path: `${HOME}/styles.csv`, text: STYLES.join('\n') },
    forge_extensions: { path: `${HOME}/extensions`, text: commits('02a91b3') },
    forge_options: { path: '/sdapi/v1/options', text: options.text },
  };
}

type Step = Partial<Pick<Kept, 'reason' | 'note' | 'healthy' | 'pinned' | 'causes' | 'image'>> & {
  /** Minutes before the present. */
  ago: number;
  parts?: KeptParts;
};

const path = (part: KeptPart | undefined) => part?.path ?? '';
const RESTART = 'docker restart myia-supervisor-1';
const POSTED = 'POST /sdapi/v1/options HTTP/1.1" 200 OK';
const LOST = 'The file config.json is likely corrupted. It was moved to tmp/config.json.';
const HOSTILE =
  '"<img src=x onerror=alert(1)>\u202e\u001b[31m<script>document.title=1</script>{name}"';

/** What happened to a service, oldest first. */
function steps(hostile: boolean): Step[] {
  const first = founding();
  const emptied = json({ ...OPTIONS, sd_model_checkpoint: null, CLIP_stop_at_last_layers: 2 });
  const defaults = json({ sd_model_checkpoint: null, samples_format: 'png', jpeg_quality: 80 });
  const options = (text: string): KeptParts => ({
    forge_config: { path: path(first.forge_config), text },
    forge_options: { path: path(first.forge_options), text },
  });
  const both = (by: Attribution) => ({ forge_config: by, forge_options: by });
  const styles = [...STYLES, 'noir,"film noir, hard light",colour'].join('\n');
  const compose = COMPOSE.map((line) =>
    line.replace('12.1.1', '12.4.1').replace('DEVICES=0', 'DEVICES=1'),
  );
  const long = json({ 'txt2img/Steps/value': 28, 'txt2img/Prompt/value': 'a '.repeat(240) });
  return [
    { ago: 12_900, parts: first, pinned: true },
    {
      ago: 8_700,
      reason: 'before_action',
      note: RESTART,
      parts: { forge_styles: { path: path(first.forge_styles), text: styles } },
      causes: { forge_styles: cause('ui', 'likely') },
    },
    {
      ago: 4_310,
      image: 'sha256:9c41d2f0aa17',
      parts: {
        compose: { path: path(first.compose), text: compose.join('\n') },
        container: { path: '', text: image('v2-cuda-12.4.1') },
        forge_ui_config: {
          path: path(first.forge_ui_config),
          text: hostile ? json({ '<b>key</b>\u202e': HOSTILE }) : long,
        },
        forge_extensions: { path: path(first.forge_extensions), text: commits('7fe2210') },
      },
      causes: {
        compose: cause('file_edited', 'proved'),
        container: cause('image_changed', 'proved'),
        forge_ui_config: cause('ui', 'likely', hostile ? HOSTILE : null),
        forge_extensions: cause('updated', 'likely'),
      },
    },
    { ago: 2_870 },
    {
      ago: 1_460,
      reason: 'before_action',
      note: RESTART,
      healthy: false,
      parts: options(emptied),
      causes: both(cause('api_call', 'likely', POSTED)),
    },
    {
      ago: 310,
      healthy: null,
      parts: {
        forge_config: { path: path(first.forge_config), why: 'not_in_time' },
        forge_options: { path: path(first.forge_options), why: 'api' },
      },
    },
    {
      ago: 42,
      reason: 'on_demand',
      healthy: true,
      parts: {
        ...options(defaults),
        forge_config_moved: { path: path(first.forge_config_moved), text: '{"sd_model' },
        forge_styles: { path: path(first.forge_styles), text: STYLES.join('\n') },
      },
      causes: {
        ...both(cause('crash_reset', 'proved', LOST)),
        forge_config_moved: cause('crash_reset', 'proved'),
      },
    },
  ];
}

/** The id of a snapshot of that moment. */
export const idOf = (at: number, mark: string): string =>
  `${iso(at).replace(/[-:.]/g, '').replace('Z', '')}Z-${mark.padEnd(12, '0')}`;

/** What is kept of a service at the beginning, oldest first; `extra` days without a change before it. */
export function past(service: string, now: number, hostile: boolean, extra: number): Kept[] {
  let parts = founding();
  let image = 'sha256:77aa0d31b2c9';
  const quiet = Array.from({ length: extra }, (_, day): Step => ({
    ago: 12_900 + (extra - day) * 1_440,
  }));
  return [...quiet, ...steps(hostile)].map((step, index) => {
    parts = { ...parts, ...step.parts };
    image = step.image ?? image;
    const at = now - step.ago * 60_000;
    return {
      id: idOf(at, `${index.toString(16)}${service.length}`),
      service,
      at,
      reason: step.reason ?? 'daily',
      note: step.note ?? null,
      healthy: step.healthy === undefined ? true : step.healthy,
      pinned: step.pinned ?? false,
      image,
      parts,
      causes: step.causes ?? {},
    };
  });
}

/** As the keeper shows it. */
export function viewOf(kept: Kept, memory: boolean): SnapshotView {
  const items = Object.entries(kept.parts).map(([part, of]): SnapshotView['items'][number] => {
    const head = { part: part as PartId, path: of.path };
    if ('why' in of) return { ...head, state: 'not_readable', why: of.why, words: WORDS[of.why] };
    if (of.text === null) return { ...head, state: 'absent' };
    const secret = ['compose', 'environment'].includes(part);
    return {
      ...head,
      state: secret && memory ? 'in_memory' : 'kept',
      address: `sha256:${part}`,
      bytes: of.text.length,
      mode: 0o644,
      modified_at: iso(kept.at - 3_600_000),
      via: part === 'forge_options' ? 'api' : of.path === '' ? 'inspect' : 'container',
      key: secret ? 'k1' : null,
    };
  });
  return {
    id: kept.id,
    format: 1,
    service: kept.service,
    kind: 'forge',
    taken_at: iso(kept.at),
    reason: kept.reason,
    note: kept.note,
    healthy: kept.healthy,
    container: {
      id: '4f1c0d7e9a2b77aa0d31b2c9',
      created_at: iso(kept.at - 86_400_000),
      started_at: iso(kept.at - 75_840_000),
      image_id: kept.image,
      workspace: '/home/jesse/SD/workspace',
      shared_with: [],
    },
    items,
  };
}

const WORDS = {
  not_in_time: 'not read within 4 s',
  api: 'GET /sdapi/v1/options: connection refused (os error 111)',
  no_place: 'no compose file is known',
};
