import type uPlot from 'uplot';

export type Values = readonly (number | null)[];

/** One line with, where a step holds several readings, the band they lie in. */
export interface ChartLine {
  /** A CSS variable, so that it follows the theme. */
  colour: string;
  dash: readonly number[];
  mean: Values;
  low: Values | null;
  high: Values | null;
}

export type MarkShape = 'circle' | 'triangle' | 'diamond';

/** A moment on the axis of time. */
export interface ChartMark {
  at: number;
  shape: MarkShape;
}

/** A span of time, drawn along the bottom; each row above the one before. */
export interface ChartStrip {
  from: number;
  to: number;
  row: number;
  /** How much of the time it stands for, from 1 to `STRIP_LEVELS`: as high is it drawn. */
  level: number;
}
export const STRIP_LEVELS = 6;

export interface ChartSpec {
  /** Middle of each step, in seconds since 1970. */
  times: readonly number[];
  lines: readonly ChartLine[];
  /** What the axis of time shows. */
  from: number;
  to: number;
  /** What the other axis shows. */
  low: number;
  high: number;
  /** Values above it are marked. */
  limit: number | null;
  marks: readonly ChartMark[];
  strips: readonly ChartStrip[];
}

/** More marks than this would be a hedge: they become ticks at the top, so far apart at least. */
const MOST_MARKS = 40;
const TICK = 5;
const TICK_GAP = 4;

/** The values as the library takes them: times, then mean, high and low of each line. */
export function aligned(spec: ChartSpec): uPlot.AlignedData {
  const none: (number | null)[] = [];
  const rows = spec.lines.flatMap((line) => [
    line.mean as (number | null)[],
    (line.high ?? none) as (number | null)[],
    (line.low ?? none) as (number | null)[],
  ]);
  return [spec.times as number[], ...rows];
}

/** Which values have no neighbour: a line would not show them. */
export function alone(values: Values): number[] {
  const found: number[] = [];
  values.forEach((value, index) => {
    const before = values[index - 1] ?? null;
    const after = values[index + 1] ?? null;
    if (value !== null && before === null && after === null) found.push(index);
  });
  return found;
}

/** A colour of the theme with some of its strength. */
export function faded(colour: string, strength: number): string {
  const short = /^#([\da-f])([\da-f])([\da-f])$/i.exec(colour);
  const long = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(colour);
  const parts = long?.slice(1) ?? short?.slice(1).map((part) => part + part);
  if (!parts) return colour;
  return `rgba(${parts.map((part) => parseInt(part, 16)).join(', ')}, ${strength})`;
}

export type ColourOf = (variable: string) => string;

/** Reads each colour once; a new theme starts with none. */
export function themeColours(): ColourOf {
  const style = getComputedStyle(document.documentElement);
  const known: Record<string, string> = {};
  return (variable) => (known[variable] ??= style.getPropertyValue(variable).trim() || '#888');
}

/** What lies behind the lines: what is above the limit, and the limit itself. */
function drawLimit(u: uPlot, limit: number, colour: ColourOf) {
  const { ctx, bbox } = u;
  const y = u.valToPos(limit, 'y', true);
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  ctx.save();
  ctx.fillStyle = faded(colour('--bad'), 0.14);
  ctx.fillRect(bbox.left, bbox.top, bbox.width, y - bbox.top);
  ctx.strokeStyle = colour('--bad');
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

function drawStrips(u: uPlot, strips: readonly ChartStrip[], colour: ColourOf) {
  const { ctx, bbox } = u;
  const row = (STRIP_LEVELS + 2) * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { from, to, row: place, level } of strips) {
    const left = u.valToPos(from, 'x', true);
    const width = Math.max(u.valToPos(to, 'x', true) - left, devicePixelRatio);
    ctx.fillStyle = faded(colour('--warn'), 0.02 + (0.1 * level) / STRIP_LEVELS);
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.fillStyle = colour('--warn');
    const high = level * devicePixelRatio;
    ctx.fillRect(left, bbox.top + bbox.height - place * row - high, width, high);
  }
  ctx.restore();
}

/** Puts a mark's shape on the path; it is filled by whoever asked for it. */
export function drawGlyph(
  ctx: CanvasRenderingContext2D,
  shape: MarkShape,
  x: number,
  y: number,
  scale: number,
) {
  if (shape === 'circle') {
    ctx.arc(x, y, 3 * scale, 0, Math.PI * 2);
    return;
  }
  const r = 4 * scale;
  ctx.moveTo(x, y - r);
  if (shape === 'diamond') {
    ctx.lineTo(x + r, y);
    ctx.lineTo(x, y + r);
    ctx.lineTo(x - r, y);
  } else {
    ctx.lineTo(x + r, y + r * 0.8);
    ctx.lineTo(x - r, y + r * 0.8);
  }
  ctx.closePath();
}

function drawMarks(u: uPlot, marks: readonly ChartMark[], colour: ColourOf) {
  const { ctx, bbox } = u;
  const shown = marks.filter(({ at }) => at >= (u.scales['x']?.min ?? 0));
  const counts = new Map<MarkShape, number>();
  for (const { shape } of shown) counts.set(shape, (counts.get(shape) ?? 0) + 1);
  let tick = -Infinity;
  ctx.save();
  for (const { at, shape } of shown) {
    const x = Math.round(u.valToPos(at, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const many = (counts.get(shape) ?? 0) > MOST_MARKS;
    if (many && x - tick < TICK_GAP * devicePixelRatio) continue;
    if (many) tick = x;
    ctx.lineWidth = devicePixelRatio;
    ctx.strokeStyle = many ? colour('--faint') : faded(colour('--muted'), 0.55);
    ctx.setLineDash(many ? [] : [2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + (many ? TICK * devicePixelRatio : bbox.height));
    ctx.stroke();
    if (many) continue;
    ctx.fillStyle = colour('--muted');
    ctx.beginPath();
    drawGlyph(ctx, shape, x, bbox.top + 4 * devicePixelRatio, devicePixelRatio);
    ctx.fill();
  }
  ctx.restore();
}

export interface ChartHost {
  spec: () => ChartSpec;
  colour: ColourOf;
  /** How a value and a moment stand on an axis. */
  value: (value: number) => string;
  time: (at: number, span: number) => string;
  /** Only the lowest of several charts tells the times. */
  times: boolean;
  oncursor: (place: number | null) => void;
  onzoom: (from: number, to: number) => void;
  onwhole: () => void;
}

const FONT = '11px Inter, "Segoe UI", system-ui, sans-serif';
export const AXIS_HEIGHT = 24;
export const AXIS_WIDTH = 46;

/** Everything the library is told about one chart. */
export function optionsOf(host: ChartHost, width: number, height: number): uPlot.Options {
  const { spec, colour } = host;
  const grid = { stroke: () => colour('--line'), width: 1 };
  const ticks = { show: false };
  const axis = { stroke: () => colour('--faint'), font: FONT, grid, ticks };
  const lines = spec().lines;
  return {
    width,
    height,
    // The last time stands below the end: half of it reaches beyond.
    padding: [6, 22, host.times ? 0 : 4, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: {
        dblclick: () => () => {
          host.onwhole();
          return null;
        },
      },
    },
    scales: {
      x: { time: true, range: (_u, from, to) => [from, to] },
      y: { range: () => [spec().low, spec().high] },
    },
    axes: [
      {
        ...axis,
        size: host.times ? AXIS_HEIGHT : 0,
        space: 90,
        values: (_u, at) =>
          host.times ? at.map((one) => host.time(one, spec().to - spec().from)) : at.map(() => ''),
      },
      {
        ...axis,
        size: AXIS_WIDTH,
        gap: 6,
        space: 26,
        values: (_u, at) => at.map((one) => host.value(one)),
      },
    ],
    series: [
      {},
      ...lines.flatMap(({ dash, colour: of }, index): uPlot.Series[] => [
        {
          stroke: () => colour(of),
          width: 1.6,
          dash: [...dash],
          spanGaps: false,
          points: {
            show: false,
            size: 4,
            fill: () => colour(of),
            filter: () => alone(spec().lines[index]?.mean ?? []),
          },
        },
        { points: { show: false }, spanGaps: false },
        { points: { show: false }, spanGaps: false },
      ]),
    ],
    bands: lines.map(({ colour: of }, index) => ({
      series: [index * 3 + 2, index * 3 + 3],
      fill: () => faded(colour(of), 0.14),
    })),
    hooks: {
      drawClear: [
        (u) => {
          const { limit, strips } = spec();
          if (limit !== null) drawLimit(u, limit, colour);
          drawStrips(u, strips, colour);
        },
      ],
      draw: [(u) => drawMarks(u, spec().marks, colour)],
      setCursor: [(u) => host.oncursor(u.cursor.idx ?? null)],
      setSelect: [
        (u) => {
          const { left, width: wide } = u.select;
          if (wide <= 0) return;
          host.onzoom(u.posToVal(left, 'x'), u.posToVal(left + wide, 'x'));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}
