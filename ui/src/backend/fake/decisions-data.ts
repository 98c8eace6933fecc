import type { ExtensionList, ImageChoice, PlanSetting } from '../decisions';
import { words } from './migration-plan';

const none = { found: null, choices: [] };
const bare = (...values: string[]) => values.map((value) => ({ value, name: null }));
const CARD = 'GPU-3b2c1d0e-aaaa-bbbb-cccc-000000000001';

/** The values of a plan that is half said. */
export const SETTINGS: PlanSetting[] = [
  { field: 'target.from', value: 'myia', found: 'myia', choices: bare('myia', 'myia-turbo') },
  { field: 'target.to', value: null, found: 'comfyui', choices: bare('comfyui') },
  {
    field: 'target.image',
    value: 'comfyanonymous/comfyui:latest-cu124',
    found: null,
    choices: [],
  },
  { field: 'target.port', value: null, found: '8188', choices: [] },
  {
    field: 'target.gpu',
    value: null,
    found: null,
    choices: [
      { value: 'GPU-3b2c1d0e-aaaa-bbbb-cccc-000000000000', name: 'NVIDIA GeForce RTX 3080 Ti' },
      { value: CARD, name: 'NVIDIA GeForce RTX 3090' },
    ],
  },
  { field: 'target.compose_file', value: null, found: 'compose.comfyui.yaml', choices: [] },
  { field: 'target.extra_model_paths', value: 'extra_model_paths.yaml', found: null, choices: [] },
  { field: 'target.models', value: null, found: 'D:\\genai\\forge\\models', choices: [] },
  { field: 'iis.web_config', value: 'D:\\sites\\genai\\web.config', ...none },
  { field: 'iis.public_url', value: null, found: 'https://turbo.example.org', choices: [] },
  { field: 'iis.rule', value: null, found: null, choices: bare('to Forge', 'rehearsal') },
  { field: 'iis.rehearsal_rule', value: null, found: null, choices: bare('to Forge', 'rehearsal') },
  { field: 'iis.rehearsal_url', value: null, ...none },
];

/** Images with one of each verdict. */
export const IMAGES: Omit<ImageChoice, 'chosen'>[] = [
  {
    image: 'yanwk/comfyui-boot:cu126-slim',
    verdict: 'suited',
    note: words(
      'Built from a public repository that is kept up; several builds for CUDA.',
      'Construite depuis un dépôt public suivi\u202f; plusieurs variantes CUDA.',
    ),
    source: 'https://github.com/YanWenKun/ComfyUI-Docker',
  },
  {
    image: 'ghcr.io/ai-dock/comfyui:latest-cuda',
    verdict: 'limited',
    note: words(
      'Of the same house as Forge’s image; it is built seldom.',
      'De la même maison que l’image de Forge\u202f; elle est rarement reconstruite.',
    ),
    source: 'https://github.com/ai-dock/comfyui',
  },
  {
    image: 'comfyanonymous/comfyui:latest-cu124',
    verdict: 'unproved',
    note: words(
      'Named by the report; nobody has seen it.',
      'Nommée par le rapport\u202f; personne ne l’a vue.',
    ),
    source: null,
  },
];

const seen = (name: string, commit: string | null, days: number) => ({
  name,
  commit,
  since: commit === null ? null : new Date(Date.UTC(2026, 8, 20) - days * 86_400_000).toISOString(),
  unknown: commit === null ? 'no .git' : null,
});
const pack = (name: string, repository: string) => ({ name, repository, classes: [] });

/** Extensions of every fate. */
export const EXTENSIONS: Omit<ExtensionList, 'counted'> = {
  service: 'myia',
  at: new Date(Date.UTC(2026, 8, 20)).toISOString(),
  extensions: [
    {
      ...seen('adetailer', 'c0ffee1234567890', 420),
      known: {
        id: 'adetailer',
        names: [],
        title: words(
          'Finds faces and hands and paints them again',
          'Retrouve visages et mains et les repeint',
        ),
        fate: 'nodes',
        nodes: [
          pack('ComfyUI-Impact-Pack', 'ltdrdata/ComfyUI-Impact-Pack'),
          pack('ComfyUI-Impact-Subpack', 'ltdrdata/ComfyUI-Impact-Subpack'),
        ],
        note: words('Its detectors have other names.', 'Ses détecteurs portent d’autres noms.'),
      },
      decision: null,
    },
    {
      ...seen('sd-webui-controlnet', '1234567890abcdef', 390),
      known: {
        id: 'sd-webui-controlnet',
        names: [],
        title: words('ControlNet', 'ControlNet'),
        fate: 'built_in',
        nodes: [pack('comfyui_controlnet_aux', 'Fannovel16/comfyui_controlnet_aux')],
        note: words(
          'Only preprocessors need nodes.',
          'Seuls les préprocesseurs demandent des nœuds.',
        ),
      },
      decision: { kind: 'not_needed', node: null, note: null },
    },
    {
      ...seen('sd-webui-infinite-image-browsing', 'abcdef1234567890', 12),
      known: {
        id: 'sd-webui-infinite-image-browsing',
        names: [],
        title: words('Browses pictures', 'Parcourt les images'),
        fate: 'needless',
        nodes: [],
        note: words('It served Forge’s page.', 'Elle servait la page de Forge.'),
      },
      decision: { kind: 'open', node: null, note: 'ask the class' },
    },
    { ...seen('our-own-things', null, 0), known: null, decision: null },
  ],
  stray: ['gone-extension'],
};
