import type { ErrorInfo, GpuHistoryQuery } from '../types';
import { FakeSite } from './life';
import { past } from './past';
import { evidenceOf, unclearOf, placementJob, proofRefused } from './placement';

/** What can be asked of the cards: their past, files of it, and which card a service is on. */
export class FakeCards extends FakeSite {
  async gpuHistory(query: GpuHistoryQuery) {
    const jobs = this.jobs.map((one) => one.job);
    return past(query, { faults: this.faults, now: this.now, loads: this.history, jobs });
  }

  async saveGpuTable(query: GpuHistoryQuery) {
    return this.saved(`gpu table ${query.host} ${query.metrics.join(' ')}`, query.host, 'csv');
  }

  async saveGpuPicture(host: string, png: string) {
    return this.saved(`gpu picture ${host} ${png.length > 0}`, host, 'png');
  }

  async provePlacement(id: string) {
    const service = this.find(id);
    const refused = proofRefused(service, this.faults);
    if (refused) throw refused;
    this.calls.push(`prove ${id}`);
    const job = `job-${this.jobs.length + 1}`;
    this.jobs.push(placementJob(job, service, this.now, this.faults));
    this.advance(0);
    return job;
  }

  async placementEvidence(id: string) {
    const service = this.find(id);
    const found = evidenceOf(service, this.faults);
    const unclear = found && unclearOf(service, this.faults);
    return structuredClone([found, unclear].filter((one) => one !== null));
  }

  /** A file that the system's dialog was asked for. */
  private saved(what: string, host: string, ending: string): string {
    this.calls.push(`save ${what}`);
    const error: ErrorInfo = {
      code: 'disk_full',
      message: 'no space left on device',
      hint: null,
      detail: null,
    };
    if (this.faults.has('gpu-save-fails')) throw error;
    return `/home/admin/gpus-${host}.${ending}`;
  }
}
