const LEAST = 0.05;
const MOST = 16;
const STEP = 40;

export interface Sizes {
  stage: readonly [number, number];
  picture: readonly [number, number];
}

/** How many pixels of the stage one pixel of a picture takes when all of it is shown. */
export const fitting = ({ stage, picture }: Sizes): number => {
  const fit = Math.min(stage[0] / picture[0], stage[1] / picture[1]);
  return Number.isFinite(fit) && fit > 0 ? fit : 1;
};

/**
 * What of a picture is looked at. It is told in parts of the picture, so that several stages, also
 * with pictures of other sizes, can show the same part.
 */
export class View {
  /** By how much it is larger than when all of it is shown. */
  zoom = $state(1);
  /** What stands in the middle, as a part of the width and of the height. */
  x = $state(0.5);
  y = $state(0.5);
  /** Of the first stage; the percentage is told of its picture. */
  sizes = $state.raw<Sizes>({ stage: [1, 1], picture: [1, 1] });

  private get fit() {
    return fitting(this.sizes);
  }

  get percent(): number {
    return Math.round(this.fit * this.zoom * 100);
  }

  /** Zooms; what is at the given place from the middle, in parts of the picture, stays there. */
  by(factor: number, dx = 0, dy = 0) {
    const before = this.zoom;
    const scale = Math.min(MOST, Math.max(LEAST, this.fit * before * factor));
    this.zoom = scale / this.fit;
    const moved = 1 - before / this.zoom;
    this.to(this.x + dx * moved, this.y + dy * moved);
  }

  to(x: number, y: number) {
    this.x = Math.min(1, Math.max(0, x));
    this.y = Math.min(1, Math.max(0, y));
  }

  /** Moves by pixels of the stage. */
  pan(dx: number, dy: number, { picture: [width, height] }: Sizes, scale: number) {
    this.to(this.x - dx / (width * scale), this.y - dy / (height * scale));
  }

  whole() {
    this.zoom = 1;
    this.to(0.5, 0.5);
  }

  actual() {
    this.zoom = 1 / this.fit;
  }

  /** Whether a key was one of those that move about. */
  key(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const scale = this.fit * this.zoom;
    const pan = (dx: number, dy: number) => () => this.pan(dx, dy, this.sizes, scale);
    const moves: Record<string, () => void> = {
      '+': () => this.by(1.25),
      '=': () => this.by(1.25),
      '-': () => this.by(0.8),
      '0': () => this.whole(),
      '1': () => this.actual(),
      ArrowLeft: pan(STEP, 0),
      ArrowRight: pan(-STEP, 0),
      ArrowUp: pan(0, STEP),
      ArrowDown: pan(0, -STEP),
    };
    const move = moves[event.key];
    if (!move) return false;
    event.preventDefault();
    move();
    return true;
  }
}
