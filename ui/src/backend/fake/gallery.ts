import type { Preset, ReadParameters } from '../backend';
import type { GalleryPage, GalleryQuery, GenerationRecord, GenerationRequest } from '../types';
import type { Studio } from './generation';
import { generationJob, outOfMemory, recordOf } from './generation';
import { cardOf } from './gpus';
import type { FakeOptions } from './life';
import { readA1111 } from './parameters';
import { generator } from './pictures';
import type { FakeService } from './site';
import { room } from './room';
import { iso } from './site';
import { FakeWorkflows, thrown } from './workflows';

const PAST = 500;
const MOST = 200;
const SUBJECTS = [
  'a lighthouse in a storm, oil painting',
  'portrait of a clockmaker, window light',
  'isometric workshop, clay render',
  'fern under frost, macro',
  'night market in the rain, neon',
  'old harbour at low tide, watercolour',
  'test image',
];
const MODELS = ['juggernautXL_v9.safetensors [c9e3e68f89]', 'turboVision_v431.safetensors'];

export const PLAIN: GenerationRequest = {
  prompt: 'test image',
  negative_prompt: '',
  steps: 20,
  width: 512,
  height: 512,
  cfg_scale: 7,
  seed: null,
  sampler: null,
  scheduler: null,
  model: null,
  batch: 1,
  distilled_cfg: null,
  clip_skip: null,
  variation: null,
  hires: null,
  modules: [],
};

const words = (text: string) => text.toLowerCase().split(/\s+/).filter(Boolean);

/** Pictures: made, kept, looked for, and what stands in a file. */
export class FakeGallery extends FakeWorkflows {
  private readonly named = new Map<string, GenerationRequest>();

  constructor(options: FakeOptions) {
    super(options);
    if (this.faults.has('gallery-many')) this.past();
  }

  /** Generations that golden runs hold; they are never deleted. */
  protected held(): ReadonlySet<string> {
    return new Set();
  }

  protected studio(service: FakeService): Studio {
    const card = cardOf(service, this.faults);
    return { faults: this.faults, pictures: this.pictures, card };
  }

  private past() {
    const random = generator('gallery');
    const turn = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
    for (let index = 0; index < PAST; index++) {
      const service = turn(this.services);
      const side = turn([512, 512, 768, 1024]);
      const request: GenerationRequest = {
        ...structuredClone(PLAIN),
        prompt: turn(SUBJECTS),
        steps: turn([4, 20, 30]),
        width: side,
        height: turn([side, side, side * 0.75]),
        seed: String(1_000_000 + index),
        model: turn(MODELS),
        batch: index % 17 === 0 ? 4 : 1,
      };
      const at = this.now - 600_000 - index * 2_400_000;
      const record = recordOf(
        `past-${index}`,
        service,
        request,
        iso(at),
        1_500 + random() * 6_000,
        { pictures: this.pictures, card: this.studio(service).card, seed: request.seed ?? '1' },
      );
      this.records.push(index % 23 === 7 ? outOfMemory(record) : record);
    }
  }

  protected roomOf(id: string, request: Pick<GenerationRequest, 'width' | 'height' | 'batch'>) {
    return room(this.studio(this.find(id)).card, request, this.faults.has('gpu-memory-low'));
  }

  async generationRoom(id: string, request: GenerationRequest) {
    return this.roomOf(id, request);
  }

  async generate(
    id: string,
    request: GenerationRequest,
    workflow: string | null = null,
    force = false,
  ) {
    const by = workflow === null ? '' : ` by ${workflow}`;
    const all = force ? ' all the same' : '';
    this.calls.push(`generate ${id}${by} ${JSON.stringify(request)}${all}`);
    const service = this.find(id);
    if (!force && this.roomOf(id, request).verdict === 'too_little') {
      throw thrown('gpu_memory_low', 'the picture needs about 5.1 GiB on its card');
    }
    if (this.faults.has('generation-refused')) {
      throw thrown('service_busy', 'a placement proof is running on this service');
    }
    const job = `job-${this.jobs.length + 1}`;
    const studio = this.studio(service);
    this.jobs.push(generationJob(job, service, request, this.now, studio, workflow));
    this.advance(0);
    return job;
  }

  async choices(id: string) {
    const second = this.find(id).settings.id === 'myia';
    return {
      samplers: ['Euler', 'Euler a', 'DPM++ 2M', 'DPM++ SDE', ...(second ? ['UniPC'] : ['LCM'])],
      schedulers: ['Automatic', 'Karras', 'Exponential', 'SGM Uniform', 'Turbo'],
      models: MODELS,
      upscalers: ['Latent', 'Latent (nearest)', 'R-ESRGAN 4x+'],
      modules: ['ae.safetensors', 'clip_l.safetensors', 't5xxl_fp8_e4m3fn.safetensors'],
      loras: ['detail_tweaker_xl', 'papercut', 'offset-noise_1.0'],
    };
  }

  async generations(limit: number) {
    return structuredClone(this.records.slice(0, limit));
  }

  pictureUrl(path: string) {
    return this.pictures.url(path);
  }

  thumbUrl(hash: string) {
    return this.pictures.url(hash, true);
  }

  async gallery(query: GalleryQuery): Promise<GalleryPage> {
    if (this.faults.has('gallery-fails')) {
      throw thrown('store', 'the pictures could not be listed', 'try again in a moment');
    }
    const asked = words(query.text);
    const found = this.records.filter((record) => {
      const text = `${record.request.prompt} ${record.parameters ?? ''}`.toLowerCase();
      return (
        asked.every((word) => text.includes(word)) &&
        (query.service === null || record.service === query.service) &&
        (record.model ?? '').toLowerCase().includes(query.model.toLowerCase()) &&
        (query.verdict === null || record.verdict === query.verdict) &&
        (query.since === null || record.started_at >= query.since) &&
        (query.until === null || record.started_at < query.until)
      );
    });
    const from = query.after === null ? 0 : found.findIndex((r) => r.id === query.after) + 1;
    const records = found.slice(from, from + Math.min(MOST, query.limit));
    const more = from + records.length < found.length;
    return structuredClone({ records, total: found.length, more });
  }

  async galleryUse() {
    const of = (some: GenerationRecord[]) => some.flatMap((record) => record.pictures);
    const bytes = (some: GenerationRecord[]) => of(some).reduce((sum, p) => sum + p.bytes, 0);
    const held = this.held();
    const known = !this.faults.has('gallery-fails');
    return {
      generations: this.records.length,
      pictures: of(this.records).length,
      bytes: known ? bytes(this.records) : null,
      budget_bytes: 2 * 1024 ** 3,
      golden_bytes: known ? bytes(this.records.filter((r) => held.has(r.id))) : null,
    };
  }

  async forgetGenerations(ids: string[]) {
    this.calls.push(`forget generations ${ids.join(' ')}`);
    const held = this.held();
    const gone = new Set(ids.filter((id) => !held.has(id)));
    const before = this.records.length;
    this.records = this.records.filter((record) => !gone.has(record.id));
    return before - this.records.length;
  }

  async saveContactSheet(ids: string[]) {
    this.calls.push(`contact sheet ${ids.join(' ')}`);
    return '/home/admin/contact-sheet.png';
  }

  async readParameters(bytes: Uint8Array): Promise<ReadParameters> {
    this.calls.push(`read parameters of ${bytes.length} bytes`);
    const read = readA1111(new TextDecoder().decode(bytes), structuredClone(PLAIN));
    if (!read) throw thrown('bad_request', 'there are no generation parameters in this file');
    return read;
  }

  async presets(): Promise<Preset[]> {
    if (this.faults.has('presets-fail')) throw thrown('store', 'the presets could not be read');
    return [...this.named].map(([name, request]) => ({ name, request: structuredClone(request) }));
  }

  async savePreset(name: string, request: GenerationRequest) {
    this.calls.push(`preset ${name}`);
    this.named.set(name, structuredClone(request));
  }

  async removePreset(name: string) {
    this.calls.push(`preset ${name} removed`);
    this.named.delete(name);
  }
}
