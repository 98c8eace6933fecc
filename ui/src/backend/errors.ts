import type { ErrorCode, ErrorInfo } from './types';
import { ERROR_CODES } from './types';

/** How grave an error looks: what was refused by the state of things is no failure. */
export type Severity = 'note' | 'warning' | 'failure';

/** The one thing a person can usefully do about an error from where it is shown. */
export type Remedy = 'retry' | 'logs' | 'settings' | 'credentials' | 'restart_program' | null;

interface Row {
  severity: Severity;
  remedy: Remedy;
}

const row = (severity: Severity, remedy: Remedy = null): Row => ({ severity, remedy });

/** The only place that decides by error code; texts are the keys `error.<code>`. */
export const ERRORS: Record<ErrorCode, Row> = {
  bad_request: row('warning'),
  unknown_service: row('warning'),
  unknown_job: row('warning'),
  refused: row('warning'),
  settings: row('failure', 'settings'),
  engine: row('failure', 'retry'),
  engine_timeout: row('failure', 'retry'),
  engine_refused_action: row('failure', 'logs'),
  container_missing: row('failure', 'settings'),
  port_in_use: row('failure', 'logs'),
  gpu_runtime: row('failure', 'logs'),
  api: row('failure', 'logs'),
  unauthorized: row('failure', 'credentials'),
  out_of_memory: row('failure', 'logs'),
  cuda_context_lost: row('failure', 'restart_program'),
  bad_picture: row('failure', 'logs'),
  not_proved: row('failure', 'logs'),
  cancelled: row('note'),
  picture_missing: row('warning'),
  keyring_unavailable: row('warning'),
  io: row('failure', 'retry'),
  store: row('failure', 'retry'),
  bad_filter: row('warning'),
  internal: row('failure', 'retry'),
};

const isCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && (ERROR_CODES as readonly string[]).includes(value);

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** Whatever was thrown, in the shape the window shows; nothing is swallowed. */
export function asErrorInfo(thrown: unknown): ErrorInfo {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && isCode(thrown.code)) {
    const raw = thrown as Record<string, unknown>;
    return {
      code: thrown.code,
      message: text(raw['message']) ?? '',
      hint: text(raw['hint']),
      detail: text(raw['detail']),
    };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'internal', message, hint: null, detail: null };
}
