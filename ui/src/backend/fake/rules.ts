import type {
  DraftFault,
  ErrorInfo,
  LogLine,
  RuleDraft,
  RuleLanguage,
  RulesStatus,
  RulesView,
  RuleTest,
  Signature,
} from '../types';
import type { Fault } from './faults';
import { SIGNATURES } from './signatures';

const PATH = '/home/admin/.config/forgekeeper/rules.toml';

const failure = (code: ErrorInfo['code'], message: string): ErrorInfo => ({
  code,
  message,
  hint: null,
  detail: null,
});

/** A rules file in memory. */
export class FakeRules {
  private rules: { signature: Signature; sample: string }[] = [];
  private silences: { id: string; until: string }[] = [];
  private version = 0;
  private exists = false;
  private readonly faults: ReadonlySet<Fault>;

  constructor(faults: ReadonlySet<Fault>) {
    this.faults = faults;
  }

  private get problems() {
    if (!this.faults.has('rules-error')) return [];
    return [
      {
        line: 7,
        reason: 'the pattern cannot be used: unclosed group',
        remedy: 'look at character 12 of the pattern',
      },
    ];
  }

  signatures(): Signature[] {
    return this.rules.map(({ signature }) => signature);
  }

  silenced(now: number): Set<string> {
    const lasting = this.silences.filter(({ until }) => Date.parse(until) > now);
    return new Set(lasting.map(({ id }) => id));
  }

  status(now: number): RulesStatus {
    return {
      path: PATH,
      exists: this.exists || this.problems.length > 0,
      version: this.version,
      own: this.rules.length,
      silenced: this.silenced(now).size,
      problems: this.problems,
    };
  }

  view(now: number): RulesView {
    const { path, exists, problems } = this.status(now);
    return structuredClone({
      path,
      exists,
      rules: this.rules,
      silences: this.silences.map((one) => ({ ...one, lasts: Date.parse(one.until) > now })),
      problems,
      notes: [],
    });
  }

  private expression(draft: RuleDraft): RegExp | DraftFault {
    if (draft.pattern === '') return { kind: 'matches_everything' };
    try {
      const regex = new RegExp(draft.pattern.replaceAll('(?P<', '(?<'), 'u');
      return regex.test('') ? { kind: 'matches_everything' } : regex;
    } catch (thrown) {
      return { kind: 'bad_pattern', message: String(thrown), at: null };
    }
  }

  private faultsOf(draft: RuleDraft, replaces: string | null): DraftFault[] {
    const faults: DraftFault[] = [];
    if (!/^[a-z][a-z0-9._-]{0,63}$/.test(draft.id)) faults.push({ kind: 'bad_id' });
    else if (SIGNATURES.some(({ id }) => id === draft.id)) faults.push({ kind: 'id_built_in' });
    else if (this.signatures().some(({ id }) => id === draft.id && id !== replaces))
      faults.push({ kind: 'id_taken' });
    const regex = this.expression(draft);
    if (!(regex instanceof RegExp)) faults.push(regex);
    else if (draft.sample !== '' && !regex.test(draft.sample))
      faults.push({ kind: 'sample_not_matched' });
    return faults;
  }

  test(lines: readonly LogLine[], draft: RuleDraft, replaces: string | null): RuleTest {
    const faults = this.faultsOf(draft, replaces);
    const regex = this.expression(draft);
    if (!(regex instanceof RegExp)) return { looked: 0, count: 0, samples: [], faults };
    const found = lines.filter((line) => line.marker === null && regex.test(line.text));
    return { looked: lines.length, count: found.length, samples: found.slice(-20), faults };
  }

  private change() {
    if (this.problems.length > 0) {
      throw failure('settings', 'nothing was changed: the rules file has an error, fix it first');
    }
    this.version += 1;
    this.exists = true;
  }

  save(draft: RuleDraft, replaces: string | null) {
    if (this.faultsOf(draft, replaces).length > 0) throw failure('bad_request', 'it is no rule');
    this.change();
    const old = this.rules.findIndex(({ signature }) => signature.id === replaces);
    const before = this.rules[old]?.signature;
    const words = { title: draft.title, cause: '', remedy: draft.remedy };
    const written = draft.title !== '' || draft.remedy !== '' ? words : null;
    const signature: Signature = {
      id: draft.id,
      area: 'own',
      scope: 'own',
      pattern: draft.pattern,
      severity: draft.severity,
      blocking: draft.blocking,
      action: null,
      source: '',
      en: draft.language === 'en' ? written : (before?.en ?? null),
      fr: draft.language === 'fr' ? written : (before?.fr ?? null),
    };
    const rule = { signature, sample: draft.sample };
    if (old < 0) this.rules.push(rule);
    else this.rules[old] = rule;
  }

  remove(id: string) {
    this.change();
    this.rules = this.rules.filter(({ signature }) => signature.id !== id);
    this.silences = this.silences.filter((one) => one.id !== id);
  }

  silence(id: string, until: string) {
    this.change();
    this.silences = [...this.silences.filter((one) => one.id !== id), { id, until }];
  }

  unsilence(id: string) {
    this.change();
    this.silences = this.silences.filter((one) => one.id !== id);
  }

  fromLine(text: string, language: RuleLanguage): RuleDraft {
    const line = text.trim();
    const words = line.toLowerCase().match(/[a-z]{4,}/g) ?? ['line'];
    const escaped = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\d+/g, '\\d+');
    return {
      id: `own.${words.slice(0, 4).join('-')}`,
      pattern: `^\\s*${escaped}\\s*$`,
      severity: 'error',
      blocking: 'no',
      sample: line,
      language,
      title: line.slice(0, 100),
      remedy: '',
    };
  }
}
