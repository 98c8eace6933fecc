import { convertFileSrc, invoke } from '@tauri-apps/api/core';

import type { Backend } from './backend';

/** What the whole test bench asks of the shell: gallery, files, presets, golden prompts. */
type Bench = Pick<
  Backend,
  | 'thumbUrl'
  | 'readParameters'
  | 'generationGraph'
  | 'presets'
  | 'savePreset'
  | 'removePreset'
  | 'gallery'
  | 'galleryUse'
  | 'forgetGenerations'
  | 'saveContactSheet'
  | 'goldenSets'
  | 'saveGoldenSet'
  | 'removeGoldenSet'
  | 'runGolden'
  | 'goldenRuns'
  | 'removeGoldenRun'
  | 'compareGolden'
  | 'voteGolden'
  | 'saveGoldenTable'
>;

export const tauriBench = (): Bench => ({
  thumbUrl: (hash) => convertFileSrc(`thumb/${hash}`, 'picture'),
  readParameters: (bytes) => invoke('parameters_read', { bytes: Array.from(bytes) }),
  generationGraph: (service, request) => invoke('generation_graph', { service, request }),
  presets: () => invoke('presets_list'),
  savePreset: (name, request) => invoke('preset_save', { name, request }),
  removePreset: (name) => invoke('preset_remove', { name }),

  gallery: (query) => invoke('gallery_list', { query }),
  galleryUse: () => invoke('gallery_use'),
  forgetGenerations: (ids) => invoke('gallery_forget', { ids }),
  saveContactSheet: (ids) => invoke('contact_sheet_save', { ids }),

  goldenSets: () => invoke('golden_sets'),
  saveGoldenSet: (set) => invoke('golden_set_save', { set }),
  removeGoldenSet: (name) => invoke('golden_set_remove', { name }),
  runGolden: (set, service) => invoke('golden_run', { set, service }),
  goldenRuns: (set) => invoke('golden_runs', { set }),
  removeGoldenRun: (id) => invoke('golden_run_remove', { id }),
  compareGolden: (reference, candidate) => invoke('golden_compare', { reference, candidate }),
  voteGolden: (reference, candidate, prompt, vote) =>
    invoke('golden_vote', { reference, candidate, prompt, vote }),
  saveGoldenTable: (reference, candidate) => invoke('golden_table_save', { reference, candidate }),
});
