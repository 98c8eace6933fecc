import type { ReadParameters } from '../backend/backend';
import type { GenerationRequest, KeeperState } from '../backend/types';

export type BenchTab = 'make' | 'gallery' | 'golden';

/** How the form came to be filled in, and what it held before. */
export interface Filled {
  file: string;
  read: ReadParameters;
  before: GenerationRequest;
}

/** What the test bench holds also while another page is shown. */
export class Bench {
  tab = $state<BenchTab>('make');
  draft = $state<GenerationRequest | null>(null);
  /** Services chosen since the window was opened. */
  services = $state.raw<readonly string[] | null>(null);
  filled = $state.raw<Filled | null>(null);
  /** Name of the golden set that is shown. */
  set = $state<string | null>(null);
  /** Requests that wait; there from when the page is first shown. */
  queue: { follow(state: KeeperState): void } | null = null;

  /** Puts a request into the form and shows it. */
  reuse(service: string, request: GenerationRequest) {
    this.draft = request;
    this.services = [service];
    this.filled = null;
    this.tab = 'make';
  }
}
