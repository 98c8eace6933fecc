import type { LogMeter, Outcome } from '../types';
import type { Fault } from './faults';
import { saidUnder } from './said';
import type { FakeService } from './site';

/** The file that is read while the log stands still. */
export const LOG_FILE = '/var/log/supervisor/forge.log';

/** Whether the stream of this service's log stands still. */
export const isSilent = (service: FakeService, faults: ReadonlySet<Fault>): boolean =>
  service.settings.id === 'myia' && faults.has('log-silent');

/** What the keeper says of a silent log. */
export const SILENT_EVIDENCE: Outcome['evidence'] = [
  { name: 'last_line_at', value: '2025-10-11T10:12:40Z' },
  { name: 'worked_at', value: '2025-10-11T10:34:02Z' },
  { name: 'reads_instead', value: LOG_FILE },
];

/** How alive a service's log is. */
export function meterOf(service: FakeService, faults: ReadonlySet<Fault>, lost: boolean): LogMeter {
  const silent = isSilent(service, faults) && !lost;
  const { lines } = service.log;
  const newest = lines.at(-1)?.at ?? null;
  return {
    connected: !lost,
    silent,
    source: silent ? { from: 'file', path: LOG_FILE } : { from: 'stream' },
    file_error: null,
    behind_ms: lost || newest === null ? null : faults.has('log-behind') ? 12_000 : 0,
    catching_up: false,
    held: lines.length,
    rotated: service.log.rotated,
    replayed: 0,
    last_line_at: newest,
    spoke_at: newest,
    device: null,
    programs: service.settings.kind === 'forge' ? ['forge', 'caddy', 'cron'] : [],
    error: lost ? 'the container does not run' : null,
    stored: faults.has('log-stored-elsewhere')
      ? { state: 'elsewhere' }
      : {
          state: 'here',
          bytes: 4_200_000,
          oldest: lines[0]?.at ?? null,
          error: null,
          lost: 0,
        },
    said: saidUnder(service.log.said(), faults, service.settings.id),
  };
}
