import { WORKFLOW_BYTES } from '../../backend/constants';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, GenerationRequest } from '../../backend/types';
import { t } from '../../shared/i18n.svelte';
import type { App } from '../../state/app.svelte';
import { isPicture, MOST_BYTES, readFile } from './fill';
import type { Workflows } from './workflows.svelte';

/** Why a file was not even read. */
export type Unfit = 'bench.not_a_picture' | 'bench.too_large' | 'bench.workflow_too_large';

export const isWorkflow = (file: File) =>
  file.type === 'application/json' || /\.json$/i.test(file.name);

/** The picture or workflow among what is dropped, if there is one. */
export const fileIn = (data: DataTransfer | null): File | null =>
  [...(data?.files ?? [])].find((file) => isPicture(file) || isWorkflow(file)) ?? null;

/** Files that the form is given: pictures fill it in, workflows are kept and chosen. */
export class FormFiles {
  error = $state.raw<ErrorInfo | null>(null);
  unfit = $state<Unfit | null>(null);
  private readonly app: App;
  private readonly workflows: Workflows;

  constructor(app: App, workflows: Workflows) {
    this.app = app;
    this.workflows = workflows;
  }

  /** Takes a file in; `null` is one that is neither. */
  async take(file: File | null, request: GenerationRequest, painters: readonly string[]) {
    this.error = null;
    const workflow = file !== null && isWorkflow(file);
    this.unfit =
      file === null
        ? 'bench.not_a_picture'
        : workflow && file.size > WORKFLOW_BYTES
          ? 'bench.workflow_too_large'
          : file.size > MOST_BYTES
            ? 'bench.too_large'
            : null;
    if (!file || this.unfit) return;
    try {
      if (workflow) await this.keep(file, painters);
      else await this.fill(file, request);
    } catch (thrown) {
      this.error = asErrorInfo(thrown);
    }
  }

  undo = () => {
    const { bench } = this.app;
    if (bench.filled) bench.draft = bench.filled.before;
    bench.filled = null;
  };

  private async fill(file: File, before: GenerationRequest) {
    const read = await readFile(this.app.backend, file);
    this.app.bench.draft = read.read.request;
    this.app.bench.filled = { ...read, before };
  }

  private async keep(file: File, painters: readonly string[]) {
    const text = new TextDecoder().decode(await file.arrayBuffer());
    const { name } = await this.workflows.keep(file.name, text);
    this.workflows.choose(painters, name);
    this.app.announce(t('bench.workflow_kept', { name }));
  }
}
