import type {
  Decision,
  DecisionsBackend,
  FieldSaid,
  ImageChoice,
  PlanField,
  PlanSetting,
  Setting,
} from '../decisions';
import type { Words } from '../migration';
import type { ErrorInfo } from '../types';
import { EXTENSIONS, IMAGES, SETTINGS } from './decisions-data';
import { words } from './migration-plan';

/** What this fake finds wrong, and what it only remarks. */
function saidOf({ field, value }: Setting): FieldSaid[] {
  if (value === null) return [];
  const say = (wrong: boolean, text: Words, remedy: Words) => [
    { field, wrong, words: text, remedy },
  ];
  if (field === 'target.port' && !(/^\d{1,5}$/.test(value) && +value > 0 && +value < 65_536)) {
    return say(
      true,
      words(`\`${value}\` is no port.`, `\`${value}\` n’est pas un port.`),
      words(
        'Write a number from 1 to 65535; ComfyUI’s own is 8188.',
        'Écrire un nombre de 1 à 65535\u202f; celui de ComfyUI est 8188.',
      ),
    );
  }
  if (field === 'target.to' && value !== 'comfyui') {
    return say(
      false,
      words(
        `The settings have no service \`${value}\` yet.`,
        `La configuration n’a pas encore de service \`${value}\`.`,
      ),
      words(
        'It is added when ComfyUI is set up beside Forge.',
        'Il est ajouté quand ComfyUI est installé à côté de Forge.',
      ),
    );
  }
  if (field.endsWith('_url') && !/^https?:\/\/[^/]+/.test(value)) {
    return say(
      true,
      words('This is no address.', 'Ce n’est pas une adresse.'),
      words(
        'Write it like `https://host.example.org`, without a path.',
        'L’écrire comme `https://hote.exemple.org`, sans chemin.',
      ),
    );
  }
  return [];
}

/** What the owner of a site in the middle of its migration can decide. */
export class FakeDecisions implements DecisionsBackend {
  protected planSettingsNow: PlanSetting[] = structuredClone(SETTINGS);
  private readonly decided = structuredClone(EXTENSIONS);
  /** Counts what was written: the stamp of the text. */
  private writes = 0;

  constructor(
    protected readonly calls: string[],
    /** Says that the plan is another. */
    protected readonly told: (step: string | null) => void,
  ) {}

  protected valueOf(field: PlanField): string | null {
    return this.planSettingsNow.find((one) => one.field === field)?.value ?? null;
  }

  async settings() {
    return structuredClone({
      stamp: String(this.writes),
      path: '/home/admin/.config/forgekeeper/migration.toml',
      settings: this.planSettingsNow,
    });
  }

  async planSettings(settings: Setting[]) {
    const said = settings.flatMap(saidOf);
    const lines = settings.flatMap(({ field, value }) => {
      const key = field.split('.')[1] ?? '';
      const line = (text: string) => `${key} = ${key === 'port' ? text : `"${text}"`}\n`;
      const old = this.valueOf(field);
      return [
        ...(old === null ? [] : [`-${line(old)}`]),
        ...(value === null ? [] : [`+${line(value)}`]),
      ];
    });
    const wrong = said.some((one) => one.wrong) || lines.length === 0;
    const section = settings[0]?.field.split('.')[0] ?? '';
    return {
      stamp: String(this.writes),
      said,
      diff: wrong ? '' : `@@ -2,3 +2,4 @@\n [${section}]\n${lines.join('')}`,
    };
  }

  /** Somebody writes into the file by hand. */
  writtenByHand() {
    this.writes += 1;
  }

  async saveSettings(settings: Setting[], stamp: string | null) {
    if (stamp !== null && stamp !== String(this.writes)) {
      const error: ErrorInfo = {
        code: 'refused',
        message: 'nothing was changed: migration.toml was changed by somebody else meanwhile',
        hint: 'Look at what it says now, and do it again.',
        detail: null,
      };
      throw error;
    }
    this.writes += 1;
    for (const { field, value } of settings) {
      this.calls.push(`migration set ${field} ${value ?? '-'}`);
      const one = this.planSettingsNow.find((known) => known.field === field);
      if (one) one.value = value;
    }
    this.told(null);
    return settings.flatMap(saidOf);
  }

  async images(): Promise<ImageChoice[]> {
    const named = this.valueOf('target.image');
    const known = IMAGES.map((image) => ({ ...image, chosen: image.image === named }));
    const own = { image: named ?? '', verdict: null, note: null, source: null, chosen: true };
    return named === null || known.some(({ chosen }) => chosen) ? known : [own, ...known];
  }

  async extensions() {
    const kinds = this.decided.extensions.map(({ decision }) => decision?.kind ?? 'open');
    const count = (kind: Decision['kind']) => kinds.filter((one) => one === kind).length;
    return structuredClone({
      ...this.decided,
      counted: {
        adopted: count('adopt'),
        not_needed: count('not_needed'),
        open: count('open'),
      },
    });
  }

  async decide(extension: string, decision: Decision | null) {
    const { kind, node } = decision ?? { kind: '-', node: null };
    this.calls.push(`migration decide ${extension} ${kind} ${node ?? ''}`.trim());
    const one = this.decided.extensions.find(({ name }) => name === extension);
    if (one) one.decision = decision;
    else this.decided.stray = this.decided.stray.filter((name) => name !== extension);
    this.told('custom-nodes');
  }
}
