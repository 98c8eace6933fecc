import type { Finding, LogLine, LogRun, Signature, UnknownError } from '../types';
import type { Fault } from './faults';
import { SIGNATURES } from './signatures';

export const UNKNOWN_LINE =
  'CivitaiLink: could not reach the relay <img src=x onerror=alert(2)> after 3 attempts';
export const LOST_LINE = 'RuntimeError: CUDA error: an illegal memory access was encountered';

const NOTABLE = new Map<string, Signature>(SIGNATURES.map((one) => [one.id, one]));

/** Known messages and unknown errors among some lines. */
export function runOf(lines: readonly LogLine[]): LogRun {
  const findings = new Map<string, Finding>();
  const unknown = new Map<string, UnknownError>();
  for (const { signature, text, at, level, program, trace } of lines) {
    const known = signature === null ? undefined : NOTABLE.get(signature);
    if (known) {
      const { id, severity, blocking } = known;
      const script = /script: (\S+\.py)/.exec(text)?.[1];
      const names = script ? [{ group: 'name', value: script }] : [];
      const made: Finding = findings.get(id) ?? {
        id,
        severity,
        blocking,
        level,
        program,
        names,
        count: 0,
        open: true,
        first: at,
        last: at,
        text,
      };
      findings.set(id, { ...made, count: made.count + 1, last: at, text });
    } else if (level === 'error' && trace === null) {
      const shape = text.replace(/\d+/g, '<n>');
      const made: UnknownError = unknown.get(shape) ?? {
        shape,
        count: 0,
        first: at,
        last: at,
        sample: text,
        level,
        before: false,
      };
      unknown.set(shape, { ...made, count: made.count + 1, last: at });
    }
  }
  const at = lines[0]?.at ?? null;
  return {
    opening: 'told',
    at,
    ready: true,
    ready_at: at,
    others: 0,
    silenced: 0,
    findings: [...findings.values()],
    unknown: [...unknown.values()],
  };
}

/** The same without what is silenced. */
export function unsilenced(run: LogRun, silenced: ReadonlySet<string>): LogRun {
  const findings = run.findings.filter(({ id }) => !silenced.has(id));
  return { ...run, findings, silenced: run.findings.length - findings.length };
}

const found = (id: string, at: string | null, rest: Partial<Finding>): Finding => ({
  id,
  severity: 'error',
  blocking: 'no',
  count: 1,
  first: at,
  last: at,
  level: 'error',
  text: id,
  program: 'forge',
  names: [],
  open: true,
  ...rest,
});

/** The same with what a fault lets the program say. */
export function saidUnder(run: LogRun, faults: ReadonlySet<Fault>, service: string): LogRun {
  const { at } = run;
  if (faults.has('context-lost') && service === 'myia') {
    const lost = found('cuda.illegal', at, { blocking: 'service', text: LOST_LINE, count: 3 });
    return { ...run, findings: [...run.findings, lost] };
  }
  if (faults.has('log-noisy') && service === 'myia-turbo') {
    const started = at === null ? null : new Date(Date.parse(at) + 60_000).toISOString();
    return {
      ...run,
      opening: 'unseen',
      at: null,
      others: 12,
      findings: [
        ...run.findings,
        found('oom.torch', started, {
          blocking: 'job',
          count: 1_204,
          text: 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.',
        }),
        found('port.taken', started, {
          severity: 'fatal',
          blocking: 'service',
          open: false,
          last: null,
          first: null,
          text: "OSError: Cannot find empty port in range: 17860-17860. You can specify a different port by setting the GRADIO_SERVER_PORT environment variable or passing the 'server_port' parameter to launch().",
          names: [{ group: 'code', value: '17860' }],
        }),
        // Of the administrator's own rules, since taken away: nobody knows its words.
        found('own.forgotten', started, { severity: 'warning', text: 'watchdog: slow disk' }),
      ],
      unknown: [
        ...run.unknown,
        {
          shape: 'relay <n> answered <text>',
          count: 7,
          first: started,
          last: started,
          sample: "relay 4 answered 'gone'",
          level: 'fatal',
          before: true,
        },
      ],
    };
  }
  return run;
}
