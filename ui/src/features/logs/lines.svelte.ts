import type { LogLine } from '../../backend/types';

/** Lines that are kept and packed together. */
const PER_CHUNK = 1_000;
/** Chunks whose lines are at hand; the least used of more are packed. */
const AT_HAND = 24;
/** First size of what is known of every line, in lines; doubled when full. */
const FIRST = 16_384;

/** Most lines that a page holds: packed a million takes tens of megabytes, unpacked hundreds. */
export const MOST_LINES = 'CompressionStream' in globalThis ? 1_000_000 : 100_000;

interface Chunk {
  /** `null` while only the packed form is there. */
  lines: LogLine[] | null;
  packed: ArrayBuffer | null;
  /** Lines that came into it, and those of them that are still wanted. */
  filled: number;
  wanted: number;
  /** When it was last looked into, in looks. */
  used: number;
  thawing: Promise<void> | null;
}

async function pack(lines: LogLine[]): Promise<ArrayBuffer> {
  const json = new Response(JSON.stringify(lines)).body;
  if (!json) throw new Error('nothing to pack');
  return new Response(json.pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
}

async function unpack(packed: ArrayBuffer): Promise<LogLine[]> {
  const body = new Response(packed).body;
  if (!body) throw new Error('nothing to unpack');
  return (await new Response(
    body.pipeThrough(new DecompressionStream('gzip')),
  ).json()) as LogLine[];
}

/**
 * Lines by their numbers of arrival, from 0. What was not looked at for long is kept packed: it is
 * `null` at first when asked for, and there soon after `thawed` changed.
 */
export class LineStore {
  /** Changes when packed lines are at hand again. */
  thawed = $state(0);
  /** Lines that ever came. */
  count = 0;

  /** From the first chunk with lines that are wanted on. */
  private chunks: (Chunk | null)[] = [];
  /** Chunks that were let go before it. */
  private gone = 0;
  private atHand = 0;
  private looks = 0;
  private packing = false;
  /** What has to be known of every line without unpacking it. */
  private times = new Float64Array(FIRST);
  private sources = new Uint8Array(FIRST);
  private hits = new Uint8Array(FIRST);

  /** Keeps a line; `source` is the number of its service, `hit` whether it is one to jump to. */
  add(line: LogLine, source: number, hit: boolean): number {
    const id = this.count++;
    if (this.place(id) >= this.times.length) this.grow();
    const place = this.place(id);
    const at = line.at === null ? NaN : Date.parse(line.at);
    // A line without a time stands where the one before it does.
    this.times[place] = Number.isNaN(at) ? (this.times[place - 1] ?? 0) : at;
    this.sources[place] = source;
    this.hits[place] = hit ? 1 : 0;
    let chunk = this.chunkOf(id);
    if (!chunk) {
      chunk = { lines: [], packed: null, filled: 0, wanted: 0, used: 0, thawing: null };
      this.chunks.push(chunk);
      this.atHand += 1;
      if (this.atHand > AT_HAND) void this.packOne();
    }
    chunk.lines?.push(line);
    chunk.filled += 1;
    chunk.wanted += 1;
    chunk.used = ++this.looks;
    return id;
  }

  /** A line; `null` while it is being unpacked, or when it was let go. */
  at(id: number): LogLine | null {
    const chunk = this.chunkOf(id);
    if (!chunk) return null;
    chunk.used = ++this.looks;
    if (chunk.lines) return chunk.lines[id % PER_CHUNK] ?? null;
    void this.thaw(chunk);
    return null;
  }

  /** A line, however long it takes; `null` when it was let go. */
  async read(id: number): Promise<LogLine | null> {
    const now = this.at(id);
    if (now) return now;
    const chunk = this.chunkOf(id);
    if (!chunk) return null;
    await this.thaw(chunk);
    return chunk.lines?.[id % PER_CHUNK] ?? null;
  }

  /** In milliseconds since 1970. */
  timeOf = (id: number): number => this.times[this.place(id)] ?? 0;
  sourceOf = (id: number): number => this.sources[this.place(id)] ?? 0;
  isHit = (id: number): boolean => this.hits[this.place(id)] === 1;

  /** Lets lines go; memory is free once all of a chunk are gone. */
  drop(ids: Iterable<number>): void {
    for (const id of ids) {
      const place = Math.floor(id / PER_CHUNK) - this.gone;
      const chunk = this.chunks[place];
      if (!chunk) continue;
      chunk.wanted -= 1;
      if (chunk.wanted > 0 || chunk.filled < PER_CHUNK) continue;
      if (chunk.lines) this.atHand -= 1;
      this.chunks[place] = null;
    }
  }

  private thaw(chunk: Chunk): Promise<void> {
    const { packed } = chunk;
    if (!packed) return Promise.resolve();
    chunk.thawing ??= unpack(packed).then((lines) => {
      chunk.thawing = null;
      // Let go meanwhile.
      if (!this.chunks.includes(chunk)) return;
      chunk.lines = lines;
      this.atHand += 1;
      this.thawed += 1;
      void this.packOne();
    });
    return chunk.thawing;
  }

  /** Packs the chunk that was not looked into for longest, then the next while there are too many. */
  private async packOne(): Promise<void> {
    if (this.packing || !('CompressionStream' in globalThis)) return;
    this.packing = true;
    while (this.atHand > AT_HAND) {
      let oldest: Chunk | null = null;
      for (const chunk of this.chunks) {
        if (chunk?.lines && chunk.filled === PER_CHUNK && chunk.used < (oldest?.used ?? Infinity))
          oldest = chunk;
      }
      if (!oldest?.lines) break;
      const { used } = oldest;
      oldest.packed ??= await pack(oldest.lines);
      // Somebody looked meanwhile, and another one is older now; or it was let go.
      if (oldest.used !== used || !this.chunks.includes(oldest)) continue;
      oldest.lines = null;
      this.atHand -= 1;
    }
    this.packing = false;
  }

  private chunkOf(id: number): Chunk | null {
    return this.chunks[Math.floor(id / PER_CHUNK) - this.gone] ?? null;
  }

  /** Where a line is in what is known of every line. */
  private place(id: number): number {
    return id - this.gone * PER_CHUNK;
  }

  /** Makes room: what is known of lines that were let go first gives way. */
  private grow(): void {
    let gone = this.chunks.findIndex((chunk) => chunk !== null);
    if (gone < 0) gone = this.chunks.length;
    this.chunks.splice(0, gone);
    this.gone += gone;
    const from = gone * PER_CHUNK;
    const left = this.times.length - from;
    const size = left > this.times.length / 2 ? this.times.length * 2 : this.times.length;
    const moved = <T extends Float64Array | Uint8Array>(old: T, fresh: T): T => {
      fresh.set(old.subarray(from));
      return fresh;
    };
    this.times = moved(this.times, new Float64Array(size));
    this.sources = moved(this.sources, new Uint8Array(size));
    this.hits = moved(this.hits, new Uint8Array(size));
  }
}
