import { done, given } from './answer';
import type { Backend } from './backend';
import { commands, type GenerationRequest_Serialize } from './bindings.gen';
import type { GenerationRequest } from './types';

/** What the whole test bench asks of the shell: gallery, files, presets, golden prompts. */
export type TauriBench = Pick<
  Backend,
  | 'readParameters'
  | 'generationGraph'
  | 'saveGraph'
  | 'workflows'
  | 'keepWorkflow'
  | 'removeWorkflow'
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
  | 'generationRoom'
  | 'runGolden'
  | 'goldenRuns'
  | 'removeGoldenRun'
  | 'compareGolden'
  | 'voteGolden'
  | 'saveGoldenTable'
>;

/** More at once overflow the stack of a call. */
const CHUNK = 0x8000;

/** Bytes as a command takes them. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(text);
}

/** The keeper sends no guidance that is no number; the generated types do not know that. */
const whole = (request: GenerationRequest_Serialize): GenerationRequest => ({
  ...request,
  cfg_scale: request.cfg_scale ?? 0,
});

export const tauriBench: TauriBench = {
  readParameters: async (bytes) => {
    const read = await given(commands.parametersRead(base64(bytes)));
    return { ...read, request: whole(read.request) };
  },
  generationRoom: async (service, request) => {
    const room = await given(commands.generationRoom(service, request));
    return { ...room, needed_bytes: room.needed_bytes ?? 0 };
  },
  generationGraph: (service, request, workflow) =>
    given(commands.generationGraph(service, request, workflow)),
  saveGraph: (service, request, workflow) => given(commands.graphSave(service, request, workflow)),
  workflows: () => given(commands.workflowsList()),
  keepWorkflow: (file, text) => given(commands.workflowKeep(file, text)),
  removeWorkflow: (name) => done(commands.workflowRemove(name)),
  presets: async () => {
    const own = await given(commands.presetsList());
    return own.map(({ name, request }) => ({ name, request: whole(request) }));
  },
  savePreset: (name, request) => done(commands.presetSave(name, request)),
  removePreset: (name) => done(commands.presetRemove(name)),

  gallery: (query) => given(commands.galleryList(query)),
  galleryUse: () => given(commands.galleryUse()),
  forgetGenerations: (ids) => given(commands.galleryForget(ids)),
  saveContactSheet: (ids) => given(commands.contactSheetSave(ids)),

  goldenSets: () => given(commands.goldenSets()),
  saveGoldenSet: (set) => done(commands.goldenSetSave(set)),
  removeGoldenSet: (name) => done(commands.goldenSetRemove(name)),
  runGolden: (set, service, force) => given(commands.goldenRun(set, service, force)),
  goldenRuns: (set) => given(commands.goldenRuns(set)),
  removeGoldenRun: (id) => done(commands.goldenRunRemove(id)),
  compareGolden: (reference, candidate) => given(commands.goldenCompare(reference, candidate)),
  voteGolden: (reference, candidate, prompt, vote) =>
    done(commands.goldenVote(reference, candidate, prompt, vote)),
  saveGoldenTable: (reference, candidate) => given(commands.goldenTableSave(reference, candidate)),
};
