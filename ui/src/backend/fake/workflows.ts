import type { Backend } from '../backend';
import type { ErrorInfo, OwnWorkflow, Placeholder } from '../types';
import { FakeCards } from './cards';
import type { FakeOptions } from './life';

export const thrown = (code: ErrorInfo['code'], message: string, hint: string | null = null) =>
  ({ code, message, hint, detail: null }) satisfies ErrorInfo;

const WORDS: readonly Placeholder[] = [
  'prompt',
  'negative',
  'seed',
  'steps',
  'cfg',
  'width',
  'height',
  'model',
  'sampler',
  'scheduler',
  'batch',
];

/** What the keeper would say of a file. */
function readWorkflow(name: string, text: string): OwnWorkflow {
  let nodes: unknown;
  try {
    nodes = JSON.parse(text);
  } catch {
    throw thrown('bad_workflow', 'the workflow is no JSON');
  }
  if (typeof nodes !== 'object' || nodes === null) {
    throw thrown('bad_workflow', "the workflow is no graph in ComfyUI's API format");
  }
  if ('nodes' in nodes && 'links' in nodes) {
    throw thrown(
      'editor_workflow',
      "this is a workflow of ComfyUI's editor, not its API format: export it with `Export (API)`",
    );
  }
  const takes = WORDS.filter((word) => text.includes(`%${word}%`));
  const lacks = WORDS.filter((word) => !takes.includes(word));
  return { name, nodes: Object.keys(nodes).length, takes, lacks, problem: null };
}

/** Workflows of one's own, and graphs. */
export class FakeWorkflows extends FakeCards {
  private flows: OwnWorkflow[] = [];

  constructor(options: FakeOptions) {
    super(options);
    if (!this.faults.has('workflows-kept')) return;
    const graph = { 1: { inputs: { text: '%prompt%', seed: '%seed%', size: '%width%%height%' } } };
    this.flows = [
      readWorkflow('Portrait, two passes', JSON.stringify(graph)),
      readWorkflow('Needs a model', JSON.stringify({ 1: '%prompt% %model%' })),
      {
        name: 'torn',
        nodes: null,
        takes: [],
        lacks: [],
        problem: thrown('bad_workflow', 'the workflow is no JSON: EOF while parsing'),
      },
    ];
  }

  async workflows() {
    if (this.faults.has('presets-fail')) throw thrown('settings', 'the folder cannot be read');
    return structuredClone(this.flows);
  }

  async keepWorkflow(file: string, text: string) {
    this.calls.push(`workflow ${file} of ${text.length} characters`);
    const made = readWorkflow(file.replace(/\.json$/, ''), text);
    this.flows = [...this.flows.filter((one) => one.name !== made.name), made];
    return structuredClone(made);
  }

  async removeWorkflow(name: string) {
    this.calls.push(`workflow ${name} removed`);
    this.flows = this.flows.filter((one) => one.name !== name);
  }

  async generationGraph(...[id, request, workflow]: Parameters<Backend['generationGraph']>) {
    const { kind } = this.find(id).settings;
    if (kind !== 'comfyui') throw thrown('bad_request', 'Forge takes parameters, not a graph');
    const node = (class_type: string, inputs: object) => ({ class_type, inputs });
    const graph = {
      '1': node('CheckpointLoaderSimple', { ckpt_name: request.model ?? 'model.safetensors' }),
      '2': node('CLIPTextEncode', { clip: ['1', 1], text: request.prompt }),
      '3': node('KSampler', { steps: request.steps, cfg: request.cfg_scale, positive: ['2', 0] }),
      ...(workflow === null ? {} : { '4': node('FaceDetailer', { image: ['3', 0] }) }),
    };
    return JSON.stringify(graph, null, 2);
  }

  async saveGraph(...[id, , workflow]: Parameters<Backend['saveGraph']>) {
    this.calls.push(`graph of ${id} by ${workflow ?? 'the usual way'} saved`);
    return '/home/admin/workflow.json';
  }
}
