import type { ReadParameters } from '../backend';
import type { GenerationRequest } from '../types';

const KNOWN = new Set(['Steps', 'Sampler', 'CFG scale', 'Seed', 'Size', 'Schedule type', 'Model']);

/** Enough of A1111's parameter text to fill the form in; `null` where there is none. */
export function readA1111(text: string, request: GenerationRequest): ReadParameters | null {
  const from = text.indexOf('parameters\0');
  const said = (from < 0 ? text : text.slice(from + 11)).replace(/[^\x20-\x7e\n]+/g, '\n');
  const line = said.split('\n').find((one) => one.startsWith('Steps: '));
  if (line === undefined) return null;
  const before = said.slice(0, said.indexOf(line)).split('\nNegative prompt: ');
  request.prompt = (before[0] ?? '').trim();
  request.negative_prompt = (before[1] ?? '').trim();
  const missing: string[] = [];
  for (const part of line.split(', ')) {
    const [name = '', value = ''] = part.split(': ');
    const number = Number(value);
    if (name === 'Steps') request.steps = number;
    if (name === 'CFG scale') request.cfg_scale = number;
    if (name === 'Seed') request.seed = value;
    if (name === 'Sampler') request.sampler = value;
    if (name === 'Schedule type') request.scheduler = value;
    if (name === 'Model') request.model = value;
    if (name === 'Size') [request.width = 512, request.height = 512] = value.split('x').map(Number);
    if (!KNOWN.has(name)) missing.push(name);
  }
  return { request, source: 'a1111', missing };
}
