import type { Backend } from '../../backend/backend';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, GenerationChoices } from '../../backend/types';

type Lists = keyof GenerationChoices;
export interface Offered {
  name: string;
  /** The only services of those asked that offer it; empty where all do. */
  only: readonly string[];
}

/** What services offer for a request, asked for when it is needed. */
export class Choices {
  private readonly backend: Pick<Backend, 'choices'>;
  private known = $state.raw<Readonly<Record<string, GenerationChoices>>>({});
  errors = $state.raw<Readonly<Record<string, ErrorInfo>>>({});
  private asked: readonly string[] = [];

  constructor(backend: Pick<Backend, 'choices'>) {
    this.backend = backend;
  }

  /** Asks those that answer, once each until they stop answering. */
  follow(services: readonly string[], answering: readonly string[]) {
    const still = this.asked.filter((id) => answering.includes(id));
    const fresh = services.filter((id) => answering.includes(id) && !still.includes(id));
    this.asked = [...still, ...fresh];
    for (const id of fresh) void this.ask(id);
  }

  ask = async (id: string) => {
    try {
      const got = await this.backend.choices(id);
      this.known = { ...this.known, [id]: got };
      this.errors = Object.fromEntries(Object.entries(this.errors).filter(([of]) => of !== id));
    } catch (thrown) {
      this.errors = { ...this.errors, [id]: asErrorInfo(thrown) };
    }
  };

  /** Names that any of the services offers, in the order of the first; `null` while none told. */
  of(services: readonly string[], list: Lists): Offered[] | null {
    const told = services.filter((id) => id in this.known);
    if (told.length === 0) return null;
    const names = told.flatMap((id) => this.known[id]?.[list] ?? []);
    const each = names.filter((name, place) => names.indexOf(name) === place);
    return each.map((name) => {
      const by = told.filter((id) => this.known[id]?.[list].includes(name));
      return { name, only: by.length === told.length ? [] : by };
    });
  }
}
