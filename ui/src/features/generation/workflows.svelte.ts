import type { GenerationRequest, OwnWorkflow, Placeholder } from '../../backend/types';
import type { MessageKey } from '../../shared/i18n.svelte';
import { Task } from '../../shared/task.svelte';
import type { App } from '../../state/app.svelte';

/** What each part of a request is called; they are fields of the form. */
export const PARTS: Record<Placeholder, MessageKey> = {
  prompt: 'bench.prompt',
  negative: 'bench.negative',
  seed: 'bench.seed',
  steps: 'bench.steps',
  cfg: 'bench.cfg',
  width: 'bench.width',
  height: 'bench.height',
  model: 'bench.model',
  sampler: 'bench.sampler',
  scheduler: 'bench.scheduler',
  batch: 'bench.batch',
};

/** Fields of the form that no workflow takes: the keeper refuses a request that sets them. */
export function placeless(request: GenerationRequest): MessageKey[] {
  const besides: [MessageKey, boolean][] = [
    ['bench.hires', request.hires !== null],
    ['bench.variation', request.variation !== null],
    ['bench.clip_skip', request.clip_skip !== null],
    ['bench.distilled_cfg', request.distilled_cfg !== null],
    ['bench.modules', request.modules.length > 0],
  ];
  return besides.filter(([, set]) => set).map(([key]) => key);
}

/** Workflows of one's own: those that are kept, and which service works with which. */
export class Workflows {
  readonly kept: Task<OwnWorkflow[]>;
  private readonly app: App;

  constructor(app: App) {
    this.app = app;
    this.kept = new Task(() => app.backend.workflows());
  }

  /** The name of the one that a service works with; `null` for the usual graph. */
  of = (service: string): string | null => {
    const kind = this.app.state?.services.find(({ id }) => id === service)?.kind;
    if (kind !== 'comfyui') return null;
    return this.app.preferences.benchView.workflows[service] ?? null;
  };

  find(name: string | null): OwnWorkflow | null {
    return this.kept.value?.find((one) => one.name === name) ?? null;
  }

  choose(services: readonly string[], name: string | null) {
    const { benchView } = this.app.preferences;
    const rest = Object.entries(benchView.workflows).filter(([id]) => !services.includes(id));
    const chosen = name === null ? [] : services.map((id) => [id, name] as const);
    const workflows = Object.fromEntries([...rest, ...chosen]);
    this.app.prefer({ benchView: { ...benchView, workflows } });
  }

  async keep(file: string, text: string): Promise<OwnWorkflow> {
    const made = await this.app.backend.keepWorkflow(file, text);
    await this.kept.again();
    return made;
  }

  async remove(name: string) {
    await this.app.backend.removeWorkflow(name);
    const { workflows } = this.app.preferences.benchView;
    const with_it = Object.keys(workflows).filter((id) => workflows[id] === name);
    this.choose(with_it, null);
    await this.kept.again();
  }
}
