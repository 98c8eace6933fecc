/** Draws a picture from a text and a seed: the same for the same, different for each. */
export function drawPicture(
  words: string,
  seed: string,
  width: number,
  height: number,
  blur = 0,
  scale = 1,
) {
  const random = generator(`${words}#${seed}`);
  const hue = Math.floor(random() * 360);
  const colour = (turn: number, light: number) => `hsl(${(hue + turn) % 360} 55% ${light}%)`;
  const shapes = Array.from({ length: 14 }, (_, index) => {
    const x = random() * width;
    const y = random() * height;
    const r = (0.06 + random() * 0.22) * Math.min(width, height);
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${r.toFixed(1)}" fill="${colour(index * 23, 30 + random() * 40)}" opacity=".7"/>`;
  });
  const filter = blur > 0 ? `<filter id="b"><feGaussianBlur stdDeviation="${blur}"/></filter>` : '';
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width * scale}" height="${height * scale}" viewBox="0 0 ${width} ${height}"><defs>${filter}<linearGradient id="g" x2="0" y2="1"><stop stop-color="${colour(0, 22)}"/><stop offset="1" stop-color="${colour(60, 62)}"/></linearGradient></defs><rect width="100%" height="100%" fill="url(#g)"/><g${blur > 0 ? ' filter="url(#b)"' : ''}>${shapes.join('')}</g></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** A small seeded random generator (mulberry32 over an FNV hash). */
export function generator(text: string): () => number {
  let state = 2166136261;
  for (const character of text) {
    state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 16777619);
  }
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** 64 hex digits that stand for a picture's content. */
export function fakeHash(text: string): string {
  const random = generator(text);
  return Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('');
}
